import AsyncHTTPClient
import NIOCore
import SkeinCore

/// How far a load is.
public struct ServingProgress: Sendable {
    /// What is being done: `warm-up`, `alone`, `load`, or the rate of a sweep.
    public var phase: String
    /// Requests that have ended.
    public var finishedCount = 0
    /// Requests that have failed.
    public var failedCount = 0
    /// Requests that run now.
    public var runningCount = 0
    /// All requests, where their number is known.
    public var totalCount: Int?
    /// The share of the load that is over, from 0 to 1.
    public var share = 0.0
}

/// Sends one load and measures it.
///
/// It runs on the client's event loop, so that nothing waits for another thread between the time at
/// which a request is due and its first byte, nor between the end of one and the next.
actor ServingRun {
    /// What a load has given.
    struct Outcome: Sendable {
        /// Requests in the order in which they ended.
        var records: [ServingRecord] = []
        /// The time from which all others count.
        var start: NIODeadline = .now()
        /// From the start to the end of the last request.
        var duration: Duration = .zero
        var runningCountPeak = 0
        /// How late the event loop was, measured by a timer.
        var lag = LatencyFigures()
        /// Whether the user broke it off.
        var wasInterrupted = false
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let lagInterval: TimeAmount = .milliseconds(10)

    private nonisolated let executor: any SerialExecutor
    private let client: ServingClient
    private let target: ServingTarget
    private let model: String
    private let shape: LoadShape
    private let onProgress: @Sendable (ServingProgress) -> Void
    private var prompts: ServingPrompts
    private var schedule: ServingSchedule
    private var outcome = Outcome()
    private var failedCount = 0
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var start: NIODeadline = .now()
    private var ending: CheckedContinuation<Void, Never>?
    private var hasEnded = false
    private var phase: String

    init(
        _ shape: LoadShape, prompts: ServingPrompts, client: ServingClient, target: ServingTarget,
        model: String, phase: String, onProgress: @escaping @Sendable (ServingProgress) -> Void
    ) {
        executor = client.loop.executor
        self.client = client
        self.target = target
        self.model = model
        self.shape = shape
        self.prompts = prompts
        self.phase = phase
        self.onProgress = onProgress
        schedule = ServingSchedule(shape)
    }

    /// Sends the load and waits for its end; a cancelled task ends it early with what there is.
    ///
    /// - Returns: what was measured, and the prompts that are left.
    func measure() async -> (Outcome, ServingPrompts) {
        start = .now()
        outcome.start = start
        let lagTimer = Task { await self.watchLag() }
        follow(schedule.onTime(.zero))
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if hasEnded { continuation.resume() } else { ending = continuation }
            }
        } onCancel: {
            Task { await self.interrupt() }
        }
        lagTimer.cancel()
        outcome.duration = outcome.records.map(\.ended).max() ?? .zero
        outcome.runningCountPeak = schedule.runningCountPeak
        return (outcome, prompts)
    }

    // MARK: Rooms

    private var now: Duration { .since(start) }

    private func follow(_ directives: [ServingSchedule.Directive]) {
        for directive in directives {
            switch directive {
            case .send(let index, let due):
                let prompt = prompts.next()
                tasks[index] = Task { await self.serve(index, prompt, due: due) }
            case .wake(let time):
                Task {
                    await self.sleep(until: time)
                    self.follow(self.schedule.onTime(self.now))
                }
            case .end:
                hasEnded = true
                ending?.resume()
                ending = nil
            }
        }
    }

    private func interrupt() {
        guard !hasEnded else { return }
        outcome.wasInterrupted = true
        follow(schedule.onStop(at: now))
        for task in tasks.values { task.cancel() }
    }

    private func serve(_ index: Int, _ prompt: ServingPrompt, due: Duration) async {
        let record = await measure(index, prompt, due: due)
        tasks[index] = nil
        outcome.records.append(record)
        if record.failure != nil { failedCount += 1 }
        follow(schedule.onFinished(at: now))
        showProgress()
    }

    /// Sends one request, as often as the server asks for it, and records what comes.
    private func measure(
        _ index: Int, _ prompt: ServingPrompt, due: Duration
    ) async -> ServingRecord {
        let body = prompt.body(for: target, model: model)
        let sent = now
        var record = ServingRecord(index: index, due: due, sent: sent, ended: sent)
        record.promptTokenCount = prompt.inputTokenCount
        record.wantedTokenCount = prompt.outputTokenCount
        while true {
            let answer = await attempt(body)
            record.ended = answer.ended
            record.failure = answer.failure
            record.take(answer.reading)
            guard let wait = answer.retryAfter, [429, 503].contains(answer.status),
                record.retryCount < target.retryCountMax, !Task.isCancelled
            else { return record }
            record.retryCount += 1
            await sleep(until: now + wait)
        }
    }

    private func attempt(_ body: String) async -> StreamedAnswer.Outcome {
        let answer = StreamedAnswer(start: start)
        do {
            let task = try client.stream(body: body, to: answer)
            return try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
        } catch {
            var broken = answer.outcomeSoFar
            broken.ended = now
            broken.failure = Task.isCancelled ? .interrupted : ServingFailure(error)
            return broken
        }
    }

    /// Waits on the loop's own timer, which is exact; a cancelled task goes on at once.
    private func sleep(until time: Duration) async {
        let deadline = start + .nanoseconds(Int64(time / .nanoseconds(1)))
        let timer = client.loop.scheduleTask(deadline: deadline) {}
        await withTaskCancellationHandler {
            do { try await timer.futureResult.get() } catch {}
        } onCancel: {
            timer.cancel()
        }
    }

    /// Measures how much later than asked a timer comes: so late an answer may be noticed too.
    private func watchLag() async {
        while !Task.isCancelled {
            let deadline = NIODeadline.now() + Self.lagInterval
            let timer = client.loop.scheduleTask(deadline: deadline) {
                NIODeadline.now() - deadline
            }
            guard let late = await lateness(timer) else { return }
            outcome.lag.record(late)
        }
    }

    private func lateness(_ timer: Scheduled<TimeAmount>) async -> Duration? {
        do { return .nanoseconds(try await timer.futureResult.get().nanoseconds) } catch {
            return nil
        }
    }

    private func showProgress() {
        var progress = ServingProgress(phase: phase)
        progress.finishedCount = outcome.records.count
        progress.failedCount = failedCount
        progress.runningCount = schedule.runningCount
        switch shape.end {
        case .requestCount(let count):
            progress.totalCount = count
            progress.share = Double(outcome.records.count) / Double(max(1, count))
        case .duration(let duration):
            progress.share = min(1, now / duration)
        }
        onProgress(progress)
    }
}
