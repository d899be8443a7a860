public import SkeinCore

/// The inbox of a node that lives in the same process as its peers.
public final class InProcessInbox: Inbox {
    /// `in-process:` and the node's name; only for people.
    public let address: String

    private let mailbox = Mailbox()

    /// Opens an inbox.
    public init(name: String) {
        address = "in-process:\(name)"
    }

    /// A new link to this inbox.
    public func link() -> InProcessLink { InProcessLink(address: address, mailbox: mailbox) }

    /// The next message; `nil` once the inbox is closed and empty.
    public func next() async -> Arrival? { await mailbox.next() }

    /// Stops taking messages; links to this inbox throw from now on.
    public func close() async { mailbox.close() }
}

/// A link to an inbox in the same process; carries the same frames as a socket would.
///
/// It has no bound of time: a peer in this process cannot vanish, only be slow, and while it is
/// slow the sender suspends.
public struct InProcessLink: Link {
    private let address: String
    private let mailbox: Mailbox

    init(address: String, mailbox: Mailbox) {
        self.address = address
        self.mailbox = mailbox
    }

    /// Hands one message to the inbox, suspending while it is full.
    public func send(_ frames: [Frame]) async throws(LinkError) {
        precondition(!frames.isEmpty, "a message has at least an envelope")
        let arrival = Arrival(frames: frames, peerKey: nil, peer: "this process")
        guard let reason = await mailbox.put(arrival) else { return }
        let detail =
            reason == .cancelled ? "the sender was cancelled" : "the inbox of the peer is closed"
        throw LinkError(reason: reason, address: address, detail: detail)
    }

    /// Nothing: the link ends with its inbox.
    public func close() async {}
}
