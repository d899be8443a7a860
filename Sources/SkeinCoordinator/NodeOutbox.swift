internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import Synchronization

/// What the coordinator has to say to one node, sent in order by a task of its own.
///
/// A road to a node that has gone away takes nothing for seconds. The coordinator must not wait for
/// it: meanwhile it would hear nobody, and take everybody for silent.
final class NodeOutbox: Sendable {
    private let link: any Link
    private let messages: AsyncStream<[Frame]>.Continuation
    private let loop: Task<Void, Never>

    init(to name: String, over link: any Link, logger: Logger) {
        self.link = link
        let (stream, messages) = AsyncStream<[Frame]>.makeStream(
            bufferingPolicy: .bufferingOldest(Limits.outboxMessagesMax))
        self.messages = messages
        loop = Task {
            for await frames in stream {
                do {
                    try await link.send(frames)
                } catch {
                    // It shows in the node's silence, and is then made good by a new epoch.
                    logger.debug("node \(name): \(error)")
                }
            }
        }
    }

    /// Queues a message.
    ///
    /// - Returns: `false` where too many wait already, as before a road that is blocked.
    func put(_ frames: [Frame]) -> Bool {
        if case .dropped = messages.yield(frames) { return false }
        return true
    }

    /// Sends what waits, as far as the road takes it, and closes the road.
    func finish() async {
        messages.finish()
        await loop.value
        await link.close()
    }

    /// Drops what waits and closes the road.
    func abandon() async {
        messages.finish()
        loop.cancel()
        await link.close()
    }
}
