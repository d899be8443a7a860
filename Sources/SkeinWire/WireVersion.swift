internal import SkeinCore

#if canImport(Glibc)
import Glibc
#endif

/// The version of the messages, field 1 of every envelope of every version.
///
/// Programs whose versions are `Limits.wireVersionStepsMax` apart work together, so that a
/// cluster can be upgraded one process after the other. So a version may only add: a reader skips
/// fields that it does not know, and what a version adds is sent to nobody who speaks an older one.
/// A break is a folder of its own, `proto/skein/v2`.
public enum WireVersion {
    /// What each version added to the one before it, in order from version 1.
    public static let additions: [String] = [
        "the messages of proto/skein/v1",
        "drafts in Step, TokenReturn and Placement",
    ]

    /// The version from which on nodes understand drafts.
    public static let withDrafts: UInt32 = 2

    /// The newest version that this program knows.
    public static let newest = UInt32(additions.count)

    /// The version that this program speaks.
    ///
    /// It is the newest, but for tests of mixed clusters: these pretend to be of another time by
    /// `SKEIN_PRETEND_WIRE_VERSION`.
    public static let current: UInt32 = pretended ?? newest

    /// Whether this program reads the messages of a version.
    static func canRead(_ version: UInt64) -> Bool {
        let own = UInt64(current)
        return version > 0
            && max(own, version) - min(own, version) <= UInt64(Limits.wireVersionStepsMax)
    }

    private static var pretended: UInt32? {
        guard let text = getenv("SKEIN_PRETEND_WIRE_VERSION") else { return nil }
        return UInt32(String(cString: text)).flatMap { $0 > 0 ? $0 : nil }
    }
}
