public import SkeinCore

/// What one peer has to say to another, sent in order by a task of its own.
///
/// A link to a peer that has gone away takes nothing for seconds. Who speaks must not wait for it:
/// a coordinator would meanwhile hear nobody and take everybody for silent, and a stage would not
/// compute.
public final class Outbox: Sendable {
    private let link: any Link
    private let messages: AsyncStream<[Frame]>.Continuation
    private let loop: Task<Void, Never>

    /// Begins to send what is put.
    ///
    /// - Parameters:
    ///   - messagesMax: what may wait at most.
    ///   - onTrouble: is told why a message could not be sent, in one line; what waits for its
    ///     effect is told by a new epoch.
    public init(
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
                    await onTrouble("\(error)")
                }
            }
        }
    }

    /// Queues a message.
    ///
    /// - Returns: `false` where too many wait already, as before a link that is blocked.
    public func put(_ frames: [Frame]) -> Bool {
        if case .dropped = messages.yield(frames) { return false }
        return true
    }

    /// Sends what waits, as far as the link takes it, and closes the link.
    public func finish() async {
        messages.finish()
        await loop.value
        await link.close()
    }

    /// Drops what waits and closes the link.
    public func abandon() async {
        messages.finish()
        loop.cancel()
        await link.close()
    }
}
