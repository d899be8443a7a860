internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

/// Keeps one stage fed: takes steps from its queue in order, runs them, and sends what they leave
/// to the next stage or back to the coordinator.
///
/// The queue is bounded by the credits of the ring: a micro-batch is in one place only, so at most
/// `microBatchesInFlight` steps can wait here. A step beyond that is a peer's mistake and refused.
///
/// Where experts are remote, up to `stepsAtOnce` steps are begun at a time: while one waits for
/// them the stage computes another. They end and are sent in the order in which they came.
actor StageService {
    private let stage: Stage
    private let index: StageIndex
    private let epoch: Epoch
    private let name: String
    private let onward: any Link
    private let coordinator: any Link
    private let onTrouble: @Sendable (String) async -> Void
    private let steps: AsyncStream<Step>
    private let queue: AsyncStream<Step>.Continuation
    private let logger: Logger
    private let recorder: TimelineRecorder
    private let keeper: StageTimekeeper
    private let remote: RemoteExperts?
    private let stepsAtOnce: Int
    private var begunCount = 0
    private var placeWait: CheckedContinuation<Void, Never>?
    private var idleSince: ContinuousClock.Instant? = .now
    private var isClosing = false
    private var knownSequences = KnownSequences()
    private var loop: Task<Void, Never>?

    /// Joins a loaded stage to its links.
    ///
    /// - Parameters:
    ///   - onward: the link to the next stage; for the last stage the coordinator's.
    ///   - remote: how to reach remote experts; absent where all are local.
    ///   - coordinator: where token returns, captured tensors and faults go.
    init(
        stage: Stage, place: StagePlace, remote: RemoteExperts?, onward: any Link,
        coordinator: any Link, logger: Logger,
        onTrouble: @escaping @Sendable (String) async -> Void
    ) {
        self.stage = stage
        index = place.index
        epoch = place.epoch
        name = place.nodeName
        self.onward = onward
        self.coordinator = coordinator
        self.onTrouble = onTrouble
        var logger = logger
        logger[metadataKey: "stage"] = .stringConvertible(place.index.rawValue)
        self.logger = logger
        recorder = place.recorder
        self.remote = remote
        keeper = remote?.keeper ?? StageTimekeeper(stage: place.index)
        stepsAtOnce = remote == nil ? 1 : place.stepsAtOnce
        (steps, queue) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(place.microBatchesInFlight))
    }

    /// Starts to take steps.
    func run() async {
        if let remote { await stage.join(remote) }
        loop = Task {
            idleSince = .now
            recorder.begin(lane, .waitingIn)
            var former: Task<Void, Never>?
            var number = 0
            for await step in steps {
                await waitForPlace()
                begin(step)
                if remote == nil {
                    await run(step, number: number, after: nil)
                } else {
                    former = Task { [former, number] in
                        await run(step, number: number, after: former)
                    }
                }
                number += 1
            }
            await former?.value
            recorder.close(lane)
        }
    }

    /// Waits until fewer steps are begun than may be.
    private func waitForPlace() async {
        while begunCount >= stepsAtOnce {
            await withCheckedContinuation { placeWait = $0 }
        }
    }

    private func begin(_ step: Step) {
        let microBatch = step.microBatch
        welcome(microBatch)
        let taken = ContinuousClock.now
        begunCount += 1
        keeper.note { $0.onBegin(microBatch.id, start: taken - keeper.start) }
        recorder.begin(lane, IntervalKind(microBatch.phase), of: microBatch.id, at: taken)
    }

    /// Runs a step and sends what it left behind.
    ///
    /// - Parameter former: the step before, which is sent first.
    private func run(_ step: Step, number: Int, after former: Task<Void, Never>?) async {
        let microBatch = step.microBatch
        let idle = idleSince
        idleSince = nil
        let run = await stage.run(step, number: number)
        let start = keeper.start
        if let idle { recorder.note(lane, .waitingIn, from: idle, to: run.began) }
        if remote == nil {
            keeper.note {
                $0.onStep(
                    idleSince: (idle ?? run.began) - start, start: run.began - start,
                    end: run.ended - start, rowCount: microBatch.rowCount)
            }
            recorder.note(
                lane, IntervalKind(microBatch.phase), of: microBatch.id, from: run.began,
                to: run.ended)
        }
        await former?.value
        if !isClosing {
            log(microBatch, run)
            let sending = ContinuousClock.now
            await send(run, of: step)
            let sent = ContinuousClock.now
            keeper.note { $0.onSent(start: sending - start, end: sent - start) }
        }
        begunCount -= 1
        if begunCount == 0 {
            idleSince = .now
            recorder.begin(lane, .waitingIn)
        }
        placeWait?.resume()
        placeWait = nil
    }

    private var lane: TraceLane { .stage(index) }

    /// Queues a step.
    nonisolated func accept(_ step: Step) throws(Refusal) {
        switch queue.yield(step) {
        case .enqueued, .terminated: return
        case .dropped:
            throw Refusal(
                "stage \(index.rawValue)",
                "more micro-batches arrived than the ring has credits for")
        @unknown default: return
        }
    }

    /// Ends the loop after the step that is running.
    ///
    /// Steps that wait for remote experts are given up: a later placement runs them again.
    func close() async {
        isClosing = isClosing || remote != nil
        queue.finish()
        remote?.waits.close()
        loop?.cancel()
        await loop?.value
    }

    /// Adds this stage's vital signs to a heartbeat.
    func report(into alive: inout Alive) {
        let now = ContinuousClock.now - keeper.start
        let clock = keeper.noted
        alive.stageTimes.append(clock.times(now: now))
        alive.usedPageCount = max(alive.usedPageCount, knownSequences.usedPageCount)
        alive.doneStepCount += clock.doneStepCount
        alive.stepP50Microseconds = max(
            alive.stepP50Microseconds, clock.stepPercentileMicroseconds(0.5))
        alive.stepP99Microseconds = max(
            alive.stepP99Microseconds, clock.stepPercentileMicroseconds(0.99))
        alive.tokensPerSecond = max(
            alive.tokensPerSecond, clock.rowsPerSecond(now: now))
    }

    /// Takes what an expert host gave for a step that waits.
    nonisolated func accept(_ combine: Combine, from host: String) throws(Refusal) {
        guard let remote else {
            throw Refusal("stage \(index.rawValue)", "has all experts local")
        }
        try remote.waits.deliver(combine, from: host)
    }

    /// Forgets sequences that have ended or gave up their pages.
    func release(_ sequences: [SequenceID]) {
        for sequence in sequences {
            guard let known = knownSequences.onRelease(sequence), !known.label.isEmpty else {
                continue
            }
            logger.info(
                "a sequence has left",
                metadata: [
                    "request": "\(known.label)", "sequence": .stringConvertible(sequence.rawValue),
                    "rows": .stringConvertible(known.rowCount),
                ])
        }
    }

    /// Notes whose rows a micro-batch carries.
    private func welcome(_ microBatch: MicroBatch) {
        for span in microBatch.spans where knownSequences.onSpan(span) && !span.label.isEmpty {
            logger.info(
                "the first rows of a sequence",
                metadata: [
                    "request": "\(span.label)",
                    "sequence": .stringConvertible(span.sequence.rawValue),
                    "position": .stringConvertible(span.firstPosition),
                    "rows": .stringConvertible(span.tokens.count),
                ])
        }
    }

    private func log(_ microBatch: MicroBatch, _ run: StageRun) {
        if case .failure(let refusal) = run.outcome {
            logger.error("a step failed: \(refusal)", metadata: metadata(of: microBatch))
        }
        // The names are looked up only where somebody reads them.
        logger.debug(
            "step",
            metadata: metadata(of: microBatch).merging([
                "phase": "\(microBatch.phase)",
                "rows": .stringConvertible(microBatch.rowCount),
                "microseconds": .stringConvertible((run.ended - run.began).wholeMicroseconds),
            ]) { _, new in new })
    }

    private func metadata(of microBatch: MicroBatch) -> Logger.Metadata {
        let labels = knownSequences.labels(of: microBatch)
        var metadata: Logger.Metadata = [
            "micro_batch": .stringConvertible(microBatch.id.rawValue)
        ]
        if !labels.isEmpty { metadata["request"] = "\(labels)" }
        return metadata
    }

    private func send(_ run: StageRun, of step: Step) async {
        let occupied = StepTime.occupied(
            computed: run.computed, stay: run.ended - run.began, concurrency: stepsAtOnce)
        let stageTimes = step.stageTimes + [occupied]
        switch run.outcome {
        case .success(let outcome):
            if !outcome.captured.isEmpty {
                await send(
                    .captured(
                        Captured(
                            microBatch: step.microBatch.id, stage: index,
                            values: outcome.captured)),
                    of: step.microBatch.id, on: coordinator)
            }
            switch outcome.result {
            case .hidden(let hidden):
                await send(
                    .step(
                        Step(
                            microBatch: step.microBatch, hidden: hidden.rows,
                            scales: hidden.scales, stageTimes: stageTimes)),
                    of: step.microBatch.id, on: onward, target: StageIndex(index.rawValue + 1))
            case .tokens(var tokens):
                tokens.stageTimes = stageTimes
                await send(.tokenReturn(tokens), of: step.microBatch.id, on: coordinator)
            }
        case .failure(let refusal):
            await send(
                .fault(
                    Fault(
                        stage: index, microBatch: step.microBatch.id,
                        reason: refusal.description)),
                of: step.microBatch.id, on: coordinator)
        }
    }

    private func send(
        _ body: Envelope.Body, of microBatch: MicroBatchID, on link: any Link,
        target: StageIndex? = nil
    ) async {
        let began = ContinuousClock.now
        do {
            let envelope = Envelope(epoch: epoch, sender: name, target: target, body: body)
            let frames = try envelope.packed()
            let packed = ContinuousClock.now
            // Noted before the link has it: who waits for the result may ask for a trace at once.
            recorder.note(lane, .sending, of: microBatch, from: began, to: packed)
            try await link.send(frames)
            recorder.note(lane, .waitingOut, of: microBatch, from: packed, to: .now)
        } catch {
            // The coordinator misses the return of this micro-batch and starts a new epoch; what
            // is left to do here is to say why.
            await onTrouble("stage \(index.rawValue): \(error)")
        }
    }
}

/// Where a stage stands: its place in the ring, the placement and the node.
struct StagePlace: Sendable {
    let index: StageIndex
    let epoch: Epoch
    let nodeName: String
    let microBatchesInFlight: Int
    let stepsAtOnce: Int
    let recorder: TimelineRecorder
}
