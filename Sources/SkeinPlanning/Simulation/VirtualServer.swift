/// Something that does one thing after the other, in the order of asking.
///
/// It is a stage, a host's cores, or one direction of its wire. A request of a later moment is
/// served later, so the end is known at once and no event is needed for it.
public struct VirtualServer: Sendable {
    private var freeAt: UInt64 = 0

    /// A server that is free.
    public init() {}

    /// Serves for so long, not before `time`.
    ///
    /// - Returns: when it begins and when it ends.
    public mutating func serve(
        _ duration: UInt64, from time: UInt64
    ) -> (begin: UInt64, end: UInt64) {
        let begin = max(time, freeAt)
        freeAt = begin + duration
        return (begin, freeAt)
    }
}
