internal import SkeinCore
public import SkeinPlanning
internal import SkeinTransport

/// Measures what messages between nodes cost this machine's cores, over the links that serve.
///
/// A message of few bytes and a long one go to and fro over loopback, encrypted, one at a time, so
/// that every one wakes the threads at its other end as it does in a ring.
public enum MessageBench {
    /// A few rows of a large model.
    private static let longBytes = 128 << 10

    /// Messages of each size, there and back.
    private static let roundCount = 400

    /// Measures both sizes.
    ///
    /// - Throws: a refusal where a link over loopback cannot be opened.
    public static func run() async throws -> MessageRate {
        let keys = (near: CurveKeyPair(), far: CurveKeyPair())
        let near = try ZeroMQHub(keys: keys.near, allowing: [keys.far.publicKey])
        let far = try ZeroMQHub(keys: keys.far, allowing: [keys.near.publicKey])
        let place = try TCPAddress(parsing: "tcp://127.0.0.1:*")
        let (nearInbox, farInbox) = (try near.bind(place), try far.bind(place))
        let out = try near.connect(
            to: TCPAddress(parsing: farInbox.address), serverKey: keys.far.publicKey)
        let back = try far.connect(
            to: TCPAddress(parsing: nearInbox.address), serverKey: keys.near.publicKey)
        let echo = Task {
            while let arrival = await farInbox.next() { try await back.send(arrival.frames) }
        }
        let found: Result<MessageRate, any Error>
        do {
            let few = try await secondsOfOneEnd(64, over: out, to: nearInbox)
            let many = try await secondsOfOneEnd(longBytes, over: out, to: nearInbox)
            found = .success(
                MessageRate(
                    seconds: few, bytesPerSecond: Double(longBytes) / max(1e-9, many - few)))
        } catch {
            found = .failure(error)
        }
        echo.cancel()
        await near.close()
        await far.close()
        return try found.get()
    }

    private static func secondsOfOneEnd(
        _ byteCount: Int, over out: ZeroMQLink, to inbox: ZeroMQInbox
    ) async throws -> Double {
        let frame = Frame([UInt8](repeating: 0, count: byteCount))
        // The first finds its link closed.
        try await exchange(frame, over: out, to: inbox)
        let begin = ProcessorTime.seconds()
        for _ in 0..<roundCount { try await exchange(frame, over: out, to: inbox) }
        // Two messages a round, of two ends each, all of them in this process.
        return (ProcessorTime.seconds() - begin) / Double(4 * roundCount)
    }

    private static func exchange(
        _ frame: Frame, over out: ZeroMQLink, to inbox: ZeroMQInbox
    ) async throws {
        try await out.send([frame])
        guard await inbox.next() != nil else {
            throw Refusal("messages over loopback", "the link closed in the middle")
        }
    }
}
