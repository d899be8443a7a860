internal import SkeinCore
internal import SkeinTransport

/// A road on which compute threads put messages without waiting; a task of its own sends them in
/// order.
final class PeerRoad: Sendable {
    private let link: any Link
    private let messages: AsyncStream<[Frame]>.Continuation
    private let loop: Task<Void, Never>

    /// Opens a road.
    ///
    /// - Parameters:
    ///   - messagesMax: what may wait at most; the caller's bound on what it begins keeps it.
    ///   - onTrouble: is told why a message could not be sent, in one line.
    init(
        over link: any Link, messagesMax: Int,
        onTrouble: @escaping @Sendable (String) async -> Void
    ) {
        self.link = link
        let (stream, messages) = AsyncStream<[Frame]>.makeStream(
            bufferingPolicy: .bufferingOldest(messagesMax))
        self.messages = messages
        loop = Task {
            for await frames in stream {
                do {
                    try await link.send(frames)
                } catch {
                    // Whoever waits for the message's effect is told by a new epoch.
                    await onTrouble("\(error)")
                }
            }
        }
    }

    /// Queues a message.
    ///
    /// - Returns: `false` where too many wait already.
    func put(_ frames: [Frame]) -> Bool {
        if case .dropped = messages.yield(frames) { return false }
        return true
    }

    /// Drops what waits and closes the road.
    func close() async {
        messages.finish()
        loop.cancel()
        await link.close()
    }
}
