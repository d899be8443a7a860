internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

/// Keeps a node's experts fed: takes dispatches from its queue in order, runs them, and sends what
/// they gave to the stage that asked.
///
/// A stage has one dispatch here for each of its begun micro-batches at most, which bounds the
/// queue.
actor ExpertHostService {
    /// Where an expert host stands.
    struct Place: Sendable {
        let number: Int
        let epoch: Epoch
        let nodeName: String
        let dispatchesMax: Int
        let recorder: TimelineRecorder
    }

    private let host: ShardHost
    private let place: Place
    /// By the stage that asks.
    private let outboxes: [StageIndex: Outbox]
    private let dispatches: AsyncStream<Dispatch>
    private let queue: AsyncStream<Dispatch>.Continuation
    private let logger: Logger
    private var times: ExpertTimes
    private var loop: Task<Void, Never>?

    /// Joins loaded experts to the links to the stages.
    init(host: ShardHost, place: Place, outboxes: [StageIndex: Outbox], logger: Logger) {
        self.host = host
        self.place = place
        self.outboxes = outboxes
        self.logger = logger
        times = ExpertTimes(host: place.number)
        (dispatches, queue) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(place.dispatchesMax))
    }

    /// Starts to take dispatches.
    func run() {
        loop = Task {
            var idleSince = ContinuousClock.now
            place.recorder.begin(lane, .waitingIn, at: idleSince)
            for await dispatch in dispatches {
                place.recorder.begin(lane, .shard, of: dispatch.microBatch)
                let run = await host.run(dispatch)
                place.recorder.note(lane, .waitingIn, from: idleSince, to: run.began)
                place.recorder.note(
                    lane, .shard, of: dispatch.microBatch, layer: dispatch.layer, from: run.began,
                    to: run.ended)
                switch run.outcome {
                case .success(let outputs): answer(dispatch, .outputs(outputs))
                case .failure(let refusal):
                    logger.error("a dispatch failed: \(refusal)")
                    answer(dispatch, .refused(reason: refusal.description))
                }
                idleSince = .now
                count(dispatch, run, sent: idleSince)
                place.recorder.begin(lane, .waitingIn, at: idleSince)
            }
            place.recorder.close(lane)
        }
    }

    private nonisolated var lane: TraceLane { .expertHost(place.number) }

    /// Queues a dispatch.
    nonisolated func accept(
        _ dispatch: Dispatch, arrived: ContinuousClock.Instant
    ) throws(Refusal) {
        let queued = ContinuousClock.now
        if case .dropped = queue.yield(dispatch) {
            let refusal = Refusal(
                "expert host \(place.number)",
                "more dispatches arrived than stages may have begun micro-batches")
            answer(dispatch, .refused(reason: refusal.description))
            throw refusal
        }
        place.recorder.note(
            lane, .receiving, of: dispatch.microBatch, layer: dispatch.layer, from: arrived,
            to: queued)
    }

    /// Ends the loop after the dispatch that is running.
    func close() async {
        queue.finish()
        loop?.cancel()
        await loop?.value
    }

    /// Adds the vital signs to a heartbeat.
    func report(into alive: inout Alive) { alive.expertTimes = times }

    private nonisolated func answer(_ dispatch: Dispatch, _ outcome: Combine.Outcome) {
        let began = ContinuousClock.now
        guard let outbox = outboxes[dispatch.stage] else {
            return logger.warning("a dispatch of stage \(dispatch.stage.rawValue), which is none")
        }
        let envelope = Envelope(
            epoch: place.epoch, sender: place.nodeName, target: dispatch.stage,
            body: .combine(
                Combine(
                    microBatch: dispatch.microBatch, layer: dispatch.layer, outcome: outcome)))
        do throws(WireError) {
            let frames = try envelope.packed()
            place.recorder.note(
                lane, .sending, of: dispatch.microBatch, layer: dispatch.layer, from: began,
                to: .now)
            if !outbox.put(frames) {
                logger.warning("the link to stage \(dispatch.stage.rawValue) is blocked")
            }
        } catch {
            logger.error("\(error)")
        }
    }

    private func count(_ dispatch: Dispatch, _ run: ShardRun, sent: ContinuousClock.Instant) {
        times.busyMicroseconds += (run.ended - run.began).wholeMicroseconds
        times.sendingMicroseconds += (sent - run.ended).wholeMicroseconds
        times.doneStepCount += 1
        times.doneRowCount += UInt64(dispatch.choiceCounts.count)
        times.doneChoiceCount += UInt64(dispatch.experts.count)
        for expert in dispatch.experts { times.rowCounts[expert, default: 0] += 1 }
    }
}
