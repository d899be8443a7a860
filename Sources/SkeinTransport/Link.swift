public import SkeinCore

/// A one-way link for messages to one peer; order is kept.
public protocol Link: Sendable {
    /// Hands one message to the link.
    ///
    /// Returns when the link has taken the message, which is before the peer has it; suspends while
    /// the link is full. A peer that is gone or refuses us gives an error within the link's bound.
    func send(_ frames: [Frame]) async throws(LinkError)

    /// Closes the link; messages already taken are still delivered within the closing bound.
    func close() async
}

/// What arrives at one node, from all of its peers.
public protocol Inbox: Sendable {
    /// Where peers connect to, with the port that was really bound.
    var address: String { get }

    /// The next message; `nil` once the inbox is closed and empty.
    ///
    /// At most one task reads an inbox.
    func next() async -> Arrival?

    /// Stops taking messages; `next()` returns those already taken, then `nil`.
    func close() async
}

/// One message that has arrived.
public struct Arrival: Equatable, Sendable {
    /// The message's frames; at least one.
    public let frames: [Frame]

    /// The peer's CURVE key as Z85 text, proven by its handshake; `nil` on a link without keys.
    public let peerKey: String?

    /// Where the message came from, for error lines: an address, or `this process`.
    public let peer: String

    /// Describes a message that has arrived.
    public init(frames: [Frame], peerKey: String?, peer: String) {
        self.frames = frames
        self.peerKey = peerKey
        self.peer = peer
    }
}

extension Inbox {
    /// The messages as a sequence; ends when the inbox closes or the reading task is cancelled.
    ///
    /// Nothing waits in the stream itself: each element is taken from the bounded inbox when asked.
    public var arrivals: AsyncStream<Arrival> {
        AsyncStream(unfolding: { await next() })
    }
}
