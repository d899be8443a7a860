internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import Synchronization

/// The links of one process, of either kind.
protocol ClusterLinks: LinkOpening {
    /// Closes every link.
    func close() async
}

/// Links between nodes of this process.
final class InProcessLinks: ClusterLinks {
    private let inboxes = Mutex<[String: InProcessInbox]>([:])

    /// Opens the inbox of a node.
    func inbox(named name: String) -> InProcessInbox {
        let inbox = InProcessInbox(name: name)
        inboxes.withLock { $0[inbox.address] = inbox }
        return inbox
    }

    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link {
        guard let inbox = inboxes.withLock({ $0[address] }) else {
            throw Refusal(address, "is no inbox of this process")
        }
        return inbox.link()
    }

    func close() async {
        for inbox in inboxes.withLock({ Array($0.values) }) { await inbox.close() }
    }
}

/// Links over ZeroMQ.
struct ZeroMQLinks: ClusterLinks {
    let hub: ZeroMQHub

    /// Logs what becomes of connections: a wrong key must be a line, not a silence.
    ///
    /// - Parameter onChange: is told of each connection that was made, broke, or cannot be made
    ///   since nobody listens.
    func logEvents(
        to logger: Logger, onChange: @escaping @Sendable (LinkEvent) async -> Void
    ) {
        Task { [events = hub.events] in
            for await event in events {
                switch event.kind {
                case .connected, .notReached: logger.debug("\(event)")
                case .disconnected: logger.info("\(event)")
                case .handshakeFailed, .peerRefused, .messageDropped: logger.warning("\(event)")
                }
                await onChange(event)
            }
        }
    }

    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link {
        try hub.connect(to: TCPAddress(parsing: address), serverKey: publicKey)
    }

    func close() async { await hub.close() }

    /// Lets the peers of a cluster file in that has been read again.
    func allow(_ topology: Topology) throws(Refusal) {
        try hub.allow(ClusterKeys.allowed(in: topology))
    }
}
