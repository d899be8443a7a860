/// What became of a connection, for logs and for those who decide who is alive.
public struct LinkEvent: Equatable, Sendable {
    /// What happened.
    public enum Kind: Equatable, Sendable {
        /// The peer accepted the link; with keys, both sides have proven theirs.
        case connected
        /// The connection broke; messages on their way may be lost. The link tries again.
        case disconnected
        /// The peer, to whom the link was connected, is not there: nobody listens at its address.
        ///
        /// It is told for the first attempts after a connection broke.
        case notReached
        /// The peer was reached but did not accept the link: wrong keys, or no Skein node.
        case handshakeFailed(reason: String)
        /// An inbox refused a peer, whose key is not on the allow-list.
        case peerRefused(key: String)
        /// An inbox dropped a message, for example one with too many frames.
        case messageDropped(reason: String)
    }

    /// The link's or the inbox's address; of the refused peer for `peerRefused`.
    public let address: String

    /// What happened.
    public let kind: Kind

    /// Describes an event.
    public init(address: String, kind: Kind) {
        self.address = address
        self.kind = kind
    }
}

extension LinkEvent: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        switch kind {
        case .connected: "link to \(address): connected"
        case .disconnected: "link to \(address): connection lost, trying again"
        case .notReached: "link to \(address): nobody listens there"
        case .handshakeFailed(let reason): "link to \(address): \(reason)"
        case .peerRefused(let key): "inbox: refused key \(key) of \(address): not on the allow-list"
        case .messageDropped(let reason): "inbox: dropped a message of \(address): \(reason)"
        }
    }
}
