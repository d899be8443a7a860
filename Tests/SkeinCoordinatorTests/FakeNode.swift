import SkeinCore
import SkeinTransport
import SkeinWire

/// A node's clock, ahead of the others'.
struct FakeClock: Sendable {
    let origin: ContinuousClock.Instant
    let lead: Duration

    /// Microseconds since the clock's zero.
    var now: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - origin + lead).components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}

/// A node without a model.
actor FakeNode {
    private let name: String
    private let process: UInt64
    private let memoryBytes: UInt64
    private let inbox: InProcessInbox
    private let links: FakeLinks
    private let clock: FakeClock?
    private var intervals: [TracedInterval] = []
    private let behaviour: @Sendable () -> FakeCluster.Behaviour
    private var ring: [RingStage] = []
    private var epoch = Epoch.none
    private var current: MicroBatchID?
    private var last: MicroBatchID?
    private var kept: [(Step, StageIndex)] = []

    init(
        name: String, process: UInt64, memoryBytes: UInt64, inbox: InProcessInbox,
        links: FakeLinks,
        clock: FakeClock?, behaviour: @escaping @Sendable () -> FakeCluster.Behaviour
    ) {
        self.name = name
        self.process = process
        self.memoryBytes = memoryBytes
        self.inbox = inbox
        self.links = links
        self.clock = clock
        self.behaviour = behaviour
    }

    func run() async {
        await tell(
            .hello(
                Hello(
                    nodeName: name, softwareVersion: "test", fingerprint: "f00d",
                    inboxAddress: inbox.address, processID: process,
                    memoryAvailableBytes: memoryBytes, cpuISA: "scalar", threadCount: 3)),
            epoch: .none)
        for await arrival in inbox.arrivals {
            guard let envelope = try? Envelope(parsing: arrival.frames, from: "test") else {
                continue
            }
            switch envelope.body {
            case .placement(let placement):
                ring = placement.ring
                epoch = placement.epoch
                (current, last) = (nil, nil)
                await tell(.ready(Ready(loadedWeightBytes: 7, residentBytes: 8)), epoch: epoch)
            case .traceRequest(let request): await answer(request)
            case .alive(let alive):
                for (step, stage) in kept { await pass(step, from: stage) }
                kept = []
                await answer(alive)
            case .step(let step) where envelope.epoch == epoch:
                await run(step, at: envelope.target)
            case .shutdown: return
            default: break
            }
        }
    }

    private func answer(_ heartbeat: Alive) async {
        var alive = Alive(sequenceNumber: 1, sentAtMicroseconds: 90_000_000)
        alive.echoedAtMicroseconds = heartbeat.sentAtMicroseconds
        if let clock {
            alive.heardAtMicroseconds = UInt64(clock.now)
            alive.sentAtMicroseconds = alive.heardAtMicroseconds
        }
        alive.memoryAvailableBytes = memoryBytes
        alive.usedPageCount = 2
        alive.lastError = "something was wrong"
        alive.lastErrorAgeMicroseconds = 60_000_000
        alive.stageTimes = ring.filter { $0.nodeName == name }.map { stage in
            var times = StageTimes(stage: stage.index)
            times.currentMicroBatch = current
            times.lastMicroBatch = last
            return times
        }
        await tell(.alive(alive), epoch: epoch)
    }

    private func answer(_ request: TraceRequest) async {
        let known = Int(min(request.afterNumber, UInt64(intervals.count)))
        await tell(
            .traceAnswer(
                TraceAnswer(
                    firstNumber: UInt64(known + 1), intervals: Array(intervals[known...]))),
            epoch: epoch)
    }

    /// Notes on its own clock that a step came, was computed and is sent.
    private func note(_ kinds: [IntervalKind], of microBatch: MicroBatchID, at stage: StageIndex) {
        guard let moment = clock?.now else { return }
        intervals += kinds.map {
            TracedInterval(
                lane: .stage(stage), kind: $0, microBatch: microBatch, startMicroseconds: moment,
                endMicroseconds: moment)
        }
    }

    private func run(_ step: Step, at target: StageIndex?) async {
        guard let stage = target else { return }
        switch behaviour() {
        case .stuck(stage.rawValue):
            current = step.microBatch.id
            return
        case .failing(stage.rawValue):
            let fault = Fault(stage: stage, microBatch: step.microBatch.id, reason: "no")
            return await tell(.fault(fault), epoch: epoch)
        case .slow:
            kept.append((step, stage))
            return
        default: break
        }
        await pass(step, from: stage)
    }

    private func pass(_ step: Step, from stage: StageIndex) async {
        last = step.microBatch.id
        note([.receiving, .decode, .sending], of: step.microBatch.id, at: stage)
        guard stage.rawValue < ring.count - 1 else {
            return await tell(.tokenReturn(Self.answer(step.microBatch)), epoch: epoch)
        }
        let rows = step.microBatch.rowCount
        let hidden = TensorFrame(
            .bf16, rows: rows, columns: 1, bytes: [UInt8](repeating: 0, count: 2 * rows))
        let next = ring[stage.rawValue + 1]
        let onward = Envelope(
            epoch: epoch, sender: name, target: next.index,
            body: .step(Step(microBatch: step.microBatch, hidden: hidden)))
        try? await links.open(to: next.address, publicKey: nil).send(onward.packed())
    }

    private static func answer(_ microBatch: MicroBatch) -> TokenReturn {
        TokenReturn(
            microBatch: microBatch.id, epoch: microBatch.epoch,
            tokens: microBatch.spans.filter { $0.demand != nil }.map {
                SampledToken(
                    sequence: $0.sequence, position: $0.firstPosition + $0.tokens.count, token: 1)
            })
    }

    private func tell(_ body: Envelope.Body, epoch: Epoch) async {
        let envelope = Envelope(epoch: epoch, sender: name, body: body)
        let link = try? links.open(to: "in-process:coordinator", publicKey: nil)
        try? await link?.send(envelope.packed())
    }
}
