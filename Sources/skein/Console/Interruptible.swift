import Foundation
import UnixSignals

/// Runs work that ends in good order when the program is asked to end.
enum Interruptible {
    /// Runs `work` and cancels it on SIGINT, SIGTERM or, where watched, the end of standard input.
    ///
    /// - Returns: whether it was interrupted.
    @discardableResult
    static func run(
        ignoringInterrupts: Bool = false, watchingInput: Bool = false,
        _ work: @escaping @Sendable () async throws -> Void
    ) async throws -> Bool {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work()
                return false
            }
            group.addTask {
                for await signal in signals where !(ignoringInterrupts && signal == .sigint) {
                    return true
                }
                return true
            }
            if watchingInput {
                group.addTask {
                    await endOfInput()
                    return true
                }
            }
            defer { group.cancelAll() }
            guard let wasInterrupted = try await group.next(), wasInterrupted else { return false }
            group.cancelAll()
            // The work sees its cancellation, ends in good order, and is waited for.
            while let isEnd = try await group.next() { if !isEnd { break } }
            return true
        }
    }

    /// Waits until standard input closes, on a thread of its own: a read blocks.
    private static func endOfInput() async {
        let (ended, end) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingOldest(1))
        let thread = Thread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            end.finish()
        }
        thread.start()
        for await _ in ended {}
    }
}
