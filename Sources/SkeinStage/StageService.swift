internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

/// Keeps one stage fed: takes steps from its queue in order, runs them, and sends what they leave
/// to the next stage or back to the coordinator.
///
/// The queue is bounded by the credits of the ring: a micro-batch is in one place only, so at most
/// `microBatchesInFlight` steps can wait here. A step beyond that is a peer's mistake and refused.
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
    private let start = ContinuousClock.now
    private let logger: Logger
    private let recorder: TimelineRecorder
    private var clock: StageClock
    private var guests = StageGuests()
    private var loop: Task<Void, Never>?

    /// Joins a loaded stage to its roads.
    ///
    /// - Parameters:
    ///   - onward: the road to the next stage; for the last stage the coordinator's.
    ///   - coordinator: where token returns, captured tensors and faults go.
    init(
        stage: Stage, place: StagePlace, onward: any Link, coordinator: any Link,
        logger: Logger, onTrouble: @escaping @Sendable (String) async -> Void
    ) {
        self.stage = stage
        index = place.index
        epoch = place.epoch
        name = place.nodeName
        self.onward = onward
        self.coordinator = coordinator
        self.onTrouble = onTrouble
        var logger = logger
        logger[metadataKey: "stage"] = "\(place.index.rawValue)"
        self.logger = logger
        recorder = place.recorder
        clock = StageClock(stage: place.index)
        (steps, queue) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(place.microBatchesInFlight))
    }

    /// Starts to take steps.
    func run() {
        loop = Task {
            var idleSince = ContinuousClock.now
            recorder.begin(lane, .waitingIn, at: idleSince)
            for await step in steps {
                let microBatch = step.microBatch
                welcome(microBatch)
                let taken = ContinuousClock.now
                clock.onBegin(microBatch.id, start: taken - start)
                recorder.begin(lane, IntervalKind(microBatch.phase), of: microBatch.id, at: taken)
                let run = await stage.run(step)
                clock.onStep(
                    idleSince: idleSince - start, start: run.began - start, end: run.ended - start,
                    rowCount: microBatch.rowCount)
                log(microBatch, run)
                await send(run, of: step)
                let sent = ContinuousClock.now
                clock.onSent(start: run.ended - start, end: sent - start)
                trace(run, of: microBatch, idleSince: idleSince, sent: sent)
                idleSince = sent
            }
            recorder.close(lane)
        }
    }

    private var lane: TraceLane { .stage(index) }

    /// Notes in the node's timeline what led to a result; its way out is noted as it goes.
    private func trace(
        _ run: StageRun, of microBatch: MicroBatch, idleSince: ContinuousClock.Instant,
        sent: ContinuousClock.Instant
    ) {
        let kind = IntervalKind(microBatch.phase)
        recorder.note(lane, .waitingIn, from: idleSince, to: run.began)
        recorder.note(lane, kind, of: microBatch.id, from: run.began, to: run.ended)
        recorder.begin(lane, .waitingIn, at: sent)
    }

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
    func close() async {
        queue.finish()
        loop?.cancel()
        await loop?.value
    }

    /// Adds this stage's vital signs to a heartbeat.
    func report(into alive: inout Alive) {
        let now = ContinuousClock.now - start
        alive.stageTimes.append(clock.times(now: now))
        alive.usedPageCount = max(alive.usedPageCount, guests.usedPageCount)
        alive.doneStepCount += clock.doneStepCount
        alive.stepP50Microseconds = max(
            alive.stepP50Microseconds, clock.stepPercentileMicroseconds(0.5))
        alive.stepP99Microseconds = max(
            alive.stepP99Microseconds, clock.stepPercentileMicroseconds(0.99))
        alive.tokensPerSecond = max(
            alive.tokensPerSecond, clock.rowsPerSecond(now: now))
    }

    /// Forgets sequences that have ended or gave up their pages.
    func release(_ sequences: [SequenceID]) {
        for sequence in sequences {
            guard let guest = guests.onRelease(sequence), !guest.label.isEmpty else { continue }
            logger.info(
                "a sequence has left",
                metadata: [
                    "request": "\(guest.label)", "sequence": "\(sequence.rawValue)",
                    "rows": "\(guest.rowCount)",
                ])
        }
    }

    /// Notes whose rows a micro-batch carries.
    private func welcome(_ microBatch: MicroBatch) {
        for span in microBatch.spans where guests.onSpan(span) && !span.label.isEmpty {
            logger.info(
                "the first rows of a sequence",
                metadata: [
                    "request": "\(span.label)", "sequence": "\(span.sequence.rawValue)",
                    "position": "\(span.firstPosition)", "rows": "\(span.tokens.count)",
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
                "phase": "\(microBatch.phase)", "rows": "\(microBatch.rowCount)",
                "microseconds": "\((run.ended - run.began).wholeMicroseconds)",
            ]) { _, new in new })
    }

    private func metadata(of microBatch: MicroBatch) -> Logger.Metadata {
        let labels = guests.labels(of: microBatch)
        var metadata: Logger.Metadata = ["micro_batch": "\(microBatch.id.rawValue)"]
        if !labels.isEmpty { metadata["request"] = "\(labels)" }
        return metadata
    }

    private func send(_ run: StageRun, of step: Step) async {
        let stageTimes = step.stageTimes + [run.ended - run.began]
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
                            microBatch: step.microBatch, hidden: hidden, stageTimes: stageTimes)),
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
            // Noted before the road has it: who waits for the result may ask for a trace at once.
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
    let recorder: TimelineRecorder
}
