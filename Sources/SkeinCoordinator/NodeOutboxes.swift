internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

/// The links to nodes, each with an outbox of its own: nothing here waits for a node.
struct NodeOutboxes {
    private let links: any LinkOpening
    private let logger: Logger
    private var outboxes: [String: Outbox] = [:]
    /// Links that are being closed.
    private var closing: [Task<Void, Never>] = []

    init(over links: any LinkOpening, logger: Logger) {
        self.links = links
        self.logger = logger
    }

    /// Opens a link to a node, in place of the one there is.
    mutating func open(_ name: String, at address: String, publicKey: String?) throws(Refusal) {
        let link = try links.open(to: address, publicKey: publicKey)
        close(name, drains: false)
        // What cannot be sent shows in the node's silence, and a new epoch makes it good.
        outboxes[name] = Outbox(over: link, messagesMax: Limits.outboxMessagesMax) {
            [logger] line in logger.debug("node \(name): \(line)")
        }
    }

    /// Closes the link to a node; where it drains, what waits there is sent first.
    mutating func close(_ name: String, drains: Bool) {
        guard let outbox = outboxes.removeValue(forKey: name) else { return }
        let task = Task { drains ? await outbox.finish() : await outbox.abandon() }
        // What is only dropped closes at once: nobody needs to wait for it.
        if drains { closing.append(task) }
    }

    /// Queues a message for a node; a link that is down shows in the node's silence.
    func tell(_ name: String, _ envelope: Envelope) {
        guard let outbox = outboxes[name] else { return }
        do throws(WireError) {
            guard outbox.put(try envelope.packed()) else {
                return logger.debug("node \(name): its link is blocked")
            }
        } catch {
            logger.warning("node \(name): \(error)")
        }
    }

    /// The links that are being closed, to wait for.
    mutating func takeClosing() -> [Task<Void, Never>] {
        defer { closing = [] }
        return closing
    }
}
