internal import SkeinCore
internal import SkeinWire
internal import Synchronization

/// Where the answers of expert hosts arrive, and steps wait until all of theirs are there.
///
/// Answers are matched by micro-batch, layer and host; whatever nobody waits for is dropped.
final class CombineWaits: Sendable {
    /// What a step waits for.
    struct Key: Hashable, Sendable {
        let microBatch: MicroBatchID
        let layer: LayerIndex
    }

    /// Everything that was waited for.
    struct Arrived: Sendable {
        /// BF16 rows, by host.
        let outputs: [String: [UInt8]]
        /// When the last of them came.
        let at: ContinuousClock.Instant
    }

    private struct Wait {
        /// Rows that each host still owes.
        var missing: [String: Int]
        var outputs: [String: [UInt8]] = [:]
        var refusal: Refusal?
        var settledAt: ContinuousClock.Instant?
        var continuation: CheckedContinuation<Void, Never>?
    }

    private struct State {
        var waits: [Key: Wait] = [:]
        var closing: Refusal?
    }

    private let columnCount: Int
    private let state = Mutex(State())

    /// Opens a desk for rows of so many numbers.
    init(columnCount: Int) { self.columnCount = columnCount }

    /// Says what will be waited for, before it is asked for.
    ///
    /// - Parameter rowCounts: by host.
    func open(_ key: Key, expecting rowCounts: [String: Int]) {
        state.withLock { $0.waits[key] = Wait(missing: rowCounts) }
    }

    /// Takes an answer.
    ///
    /// - Throws: a refusal where it does not fit what was asked.
    func deliver(_ combine: Combine, from host: String) throws(Refusal) {
        let key = Key(microBatch: combine.microBatch, layer: combine.layer)
        let subject = "combine of layer \(combine.layer.rawValue) from \(host)"
        let columnCount = columnCount
        let result: Result<CheckedContinuation<Void, Never>?, Refusal> = state.withLock { state in
            guard var wait = state.waits[key], let rowCount = wait.missing[host] else {
                return .failure(
                    Refusal(
                        subject, "micro-batch \(key.microBatch.rawValue) does not wait for it"))
            }
            switch combine.outcome {
            case .refused(let reason): wait.refusal = Refusal("expert host \(host)", reason)
            case .outputs(let outputs):
                guard outputs.rowCount == rowCount, outputs.columnCount == columnCount else {
                    return .failure(
                        Refusal(
                            subject,
                            "[\(outputs.rowCount), \(outputs.columnCount)], expected "
                                + "[\(rowCount), \(columnCount)]"))
                }
                wait.missing[host] = nil
                wait.outputs[host] = outputs.frame.bytes
            }
            let isSettled = wait.missing.isEmpty || wait.refusal != nil
            if isSettled { wait.settledAt = wait.settledAt ?? .now }
            let continuation = isSettled ? wait.continuation : nil
            if isSettled { wait.continuation = nil }
            state.waits[key] = wait
            return .success(continuation)
        }
        try result.get()?.resume()
    }

    /// Waits until everything is there.
    ///
    /// - Throws: why it will never be.
    func wait(for key: Key) async throws(Refusal) -> Arrived {
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                guard state.closing == nil, let wait = state.waits[key], wait.settledAt == nil
                else { return false }
                state.waits[key]?.continuation = continuation
                return true
            }
            if !waits { continuation.resume() }
        }
        let (wait, closing) = state.withLock { ($0.waits.removeValue(forKey: key), $0.closing) }
        if let refusal = wait?.refusal ?? closing { throw refusal }
        guard let wait, let at = wait.settledAt else {
            preconditionFailure("nobody opened a wait for layer \(key.layer.rawValue)")
        }
        return Arrived(outputs: wait.outputs, at: at)
    }

    /// Ends every wait, now and later.
    func close() {
        let waiting = state.withLock { state in
            state.closing = Refusal("remote experts", "the placement has ended")
            return state.waits.keys.compactMap { key in
                defer { state.waits[key]?.continuation = nil }
                return state.waits[key]?.continuation
            }
        }
        for continuation in waiting { continuation.resume() }
    }
}
