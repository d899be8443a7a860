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
    /// - Parameters:
    ///   - onBreak: is told the address of each connection that breaks.
    ///   - onNotReached: is told the address where nobody listens after that.
    func logEvents(
        to logger: Logger, onBreak: @escaping @Sendable (String) async -> Void = { _ in },
        onNotReached: @escaping @Sendable (String) async -> Void = { _ in }
    ) {
        Task { [events = hub.events] in
            for await event in events {
                switch event.kind {
                case .connected: logger.debug("\(event)")
                case .disconnected:
                    logger.info("\(event)")
                    await onBreak(event.address)
                case .notReached:
                    logger.debug("\(event)")
                    await onNotReached(event.address)
                case .handshakeFailed, .peerRefused, .messageDropped: logger.warning("\(event)")
                }
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
