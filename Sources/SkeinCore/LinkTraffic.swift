/// What a process has sent to its peers and received from them, since it started.
public struct LinkTraffic: Equatable, Sendable {
    /// Frames that links have taken; a message has one for its header and one for each tensor.
    public var sentFrameCount: UInt64 = 0
    /// Bytes of these frames.
    public var sentByteCount: UInt64 = 0
    /// Frames that inboxes have taken.
    public var receivedFrameCount: UInt64 = 0
    /// Bytes of these frames.
    public var receivedByteCount: UInt64 = 0

    /// Nothing was sent yet.
    public init() {}
}
