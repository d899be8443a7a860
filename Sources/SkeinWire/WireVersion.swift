/// The version of the messages, field 1 of every envelope of every version.
///
/// Inside a version change is additive only: a reader skips fields that it does not know. Whatever
/// a reader of version 1 would get wrong is version 2, in `proto/skein/v2`.
public enum WireVersion {
    /// The version that this program speaks.
    public static let current: UInt32 = 1
}
