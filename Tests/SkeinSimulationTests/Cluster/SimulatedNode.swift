import SkeinCore
import SkeinWire

/// What travels between the processes of a simulated cluster.
enum SimulatedMessage: Sendable {
    /// To or from the head.
    case envelope(Envelope)
    /// A micro-batch from one stage to the next, with a number for each row.
    case hidden(Step, epoch: Epoch, target: StageIndex, rows: [UInt64])
}

/// A node without weights (a pure value): it joins, loads, computes and tells as a real one does.
///
/// What a row is at a stage depends on what it was at the stage before, and on the row before it in
/// that stage's own cache, so the drawn token shows every row that was lost or of another sequence.
struct SimulatedNode {
    /// What the node asks of its surroundings.
    enum Action {
        /// Send a message, to the head or to a node.
        case send(SimulatedMessage, to: String)
        /// Call ``wake(_:now:)`` so much later, in microseconds.
        case wake(Wake, after: UInt64)
        /// A promise is broken.
        case fault(String)
    }

    /// What a node has waited for.
    enum Wake: Equatable {
        case greet
        case loaded(Epoch)
        case computed(Epoch)
    }

    private enum Life: Equatable {
        case joining
        case loading(Epoch)
        case running(Epoch)
    }

    private struct Work {
        let step: Step
        let stage: StageIndex
        let rows: [UInt64]
    }

    static let headName = "head"
    private static let heartbeat: UInt64 = 500_000

    let name: String
    /// Another one for each start of the process.
    let process: UInt64
    private let stepMicroseconds: UInt64
    private let pageCount: Int
    private var life = Life.joining
    private var placement: Placement?
    private var heardAt: UInt64
    private var mayBeReplaced = false
    private var queue: [Work] = []
    private var isComputing = false
    private var computingSince: UInt64 = 0
    private var lastDone: MicroBatchID?
    private var newestSteps: [StageIndex: MicroBatchID] = [:]
    /// What each own stage holds, by page and row.
    private var pages: [StageIndex: [[UInt64?]]] = [:]
    private(set) var actions: [Action] = []

    init(
        name: String, process: UInt64, stepMicroseconds: UInt64, pageCount: Int, now: UInt64
    ) {
        self.name = name
        self.process = process
        self.stepMicroseconds = stepMicroseconds
        self.pageCount = pageCount
        heardAt = now
        actions = [.wake(.greet, after: 0)]
    }

    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    private var epoch: Epoch {
        switch life {
        case .joining: .none
        case .loading(let epoch), .running(let epoch): epoch
        }
    }

    // MARK: Events

    mutating func wake(_ wake: Wake, now: UInt64) {
        switch wake {
        case .greet: greet(now)
        case .loaded(let epoch) where life == .loading(epoch):
            life = .running(epoch)
            tellReady()
        case .computed(let epoch) where life == .running(epoch): finishStep(now)
        case .loaded, .computed: break
        }
    }

    mutating func receive(_ message: SimulatedMessage, now: UInt64) {
        switch message {
        case .hidden(let step, let epoch, let target, let rows):
            guard life == .running(epoch) else { return }
            accept(Work(step: step, stage: target, rows: rows), now)
        case .envelope(let envelope): receive(envelope, now: now)
        }
    }

    private mutating func receive(_ envelope: Envelope, now: UInt64) {
        switch envelope.body {
        case .placement(let placement):
            heardAt = now
            mayBeReplaced = false
            begin(placement)
        case .step(let step):
            guard life == .running(envelope.epoch), let target = envelope.target else { return }
            accept(Work(step: step, stage: target, rows: []), now)
        case .alive(let alive):
            if mayBeReplaced, case .running(let held) = life, held < envelope.epoch {
                mayBeReplaced = false
                life = .joining
                pages = [:]
            }
            heardAt = now
            answer(alive, now)
        case .refused(let reason): actions.append(.fault("\(name) was refused: \(reason)"))
        default: break
        }
    }

    private mutating func greet(_ now: UInt64) {
        let isSilent = now - heardAt > 5 * Self.heartbeat
        if life == .joining || isSilent {
            mayBeReplaced = mayBeReplaced || life != .joining
            tell(
                .hello(
                    Hello(
                        nodeName: name, softwareVersion: "simulated", fingerprint: "f00d",
                        inboxAddress: "\(name)-\(process)", processID: process,
                        memoryAvailableBytes: 0, cpuISA: "none", threadCount: 1)))
        }
        actions.append(.wake(.greet, after: Self.heartbeat))
    }

    private mutating func begin(_ placement: Placement) {
        if life == .running(placement.epoch) { return tellReady() }
        guard placement.epoch > epoch else { return }
        self.placement = placement
        life = .loading(placement.epoch)
        queue = []
        isComputing = false
        lastDone = nil
        newestSteps = [:]
        pages = [:]
        for stage in placement.ring where stage.nodeName == name {
            pages[stage.index] = [[UInt64?]](
                repeating: [UInt64?](repeating: nil, count: Limits.pageRowCount), count: pageCount)
        }
        actions.append(.wake(.loaded(placement.epoch), after: 20_000 + process % 7 * 10_000))
    }

    private mutating func answer(_ heartbeat: Alive, _ now: UInt64) {
        guard life != .joining else { return }
        var alive = Alive(sequenceNumber: heartbeat.sequenceNumber, sentAtMicroseconds: now)
        alive.echoedAtMicroseconds = heartbeat.sentAtMicroseconds
        alive.heardAtMicroseconds = now
        for stage in pages.keys.sorted() {
            var times = StageTimes(stage: stage)
            if isComputing, let work = queue.first, work.stage == stage {
                times.currentMicroBatch = work.step.microBatch.id
                times.currentStepMicroseconds = now - computingSince
            }
            times.lastMicroBatch = lastDone
            alive.stageTimes.append(times)
        }
        tell(.alive(alive))
    }

    private mutating func tellReady() {
        tell(.ready(Ready(loadedWeightBytes: 1, residentBytes: 1)))
    }

    private mutating func tell(_ body: Envelope.Body) {
        let envelope = Envelope(epoch: epoch, sender: name, body: body)
        actions.append(.send(.envelope(envelope), to: Self.headName))
    }

    // MARK: Steps

    /// Micro-batches keep their order: one that comes again, or behind a later one, is of the past.
    private mutating func accept(_ work: Work, _ now: UInt64) {
        let id = work.step.microBatch.id
        guard newestSteps[work.stage].map({ $0 < id }) ?? true else { return }
        newestSteps[work.stage] = id
        queue.append(work)
        startStep(now)
    }

    private mutating func startStep(_ now: UInt64) {
        guard !isComputing, let work = queue.first else { return }
        isComputing = true
        computingSince = now
        actions.append(
            .wake(
                .computed(epoch),
                after: stepMicroseconds + UInt64(work.step.microBatch.rowCount) * 20))
    }

    private mutating func finishStep(_ now: UInt64) {
        guard isComputing, !queue.isEmpty, let placement else { return }
        isComputing = false
        let work = queue.removeFirst()
        let microBatch = work.step.microBatch
        let rows = run(work)
        lastDone = microBatch.id
        if Int(work.stage.rawValue) + 1 < placement.ring.count {
            let next = placement.ring[Int(work.stage.rawValue) + 1]
            var step = work.step
            step.stageTimes.append(.microseconds(Int64(now - computingSince)))
            actions.append(
                .send(
                    .hidden(step, epoch: epoch, target: next.index, rows: rows), to: next.nodeName))
        } else {
            draw(work, rows, now)
        }
        startStep(now)
    }

    /// Runs a micro-batch through one stage; returns a number for each row.
    private mutating func run(_ work: Work) -> [UInt64] {
        var inputs = work.rows[...]
        var outputs: [UInt64] = []
        for span in work.step.microBatch.spans {
            if let copy = span.pageCopy, var pages = pages[work.stage] {
                for row in 0..<copy.rowCount {
                    pages[Int(copy.target.rawValue)][row] = pages[Int(copy.source.rawValue)][row]
                }
                self.pages[work.stage] = pages
            }
            for (offset, token) in span.tokens.enumerated() {
                let position = span.firstPosition + offset
                let before = position == 0 ? 0 : held(work.stage, span, position - 1) ?? 0xDEAD
                let input = inputs.popFirst() ?? UInt64(token.rawValue)
                let row = SimulatedModel.row(input, after: before)
                let page = Int(span.pageTable[position / Limits.pageRowCount].rawValue)
                pages[work.stage]?[page][position % Limits.pageRowCount] = row
                outputs.append(row)
            }
        }
        return outputs
    }

    private func held(_ stage: StageIndex, _ span: SequenceSpan, _ position: Int) -> UInt64? {
        let page = Int(span.pageTable[position / Limits.pageRowCount].rawValue)
        return pages[stage]?[page][position % Limits.pageRowCount]
    }

    private mutating func draw(_ work: Work, _ rows: [UInt64], _ now: UInt64) {
        var answer = TokenReturn(
            microBatch: work.step.microBatch.id, epoch: epoch, tokens: [])
        answer.stageTimes =
            work.step.stageTimes + [.microseconds(Int64(now - computingSince))]
        var end = 0
        for span in work.step.microBatch.spans {
            end += span.tokens.count
            guard let demand = span.demand else { continue }
            answer.tokens.append(
                SampledToken(
                    sequence: span.sequence, position: span.firstPosition + span.tokens.count,
                    token: FakeModel.nextToken(rows[end - 1], seed: demand.parameters.seed)))
        }
        tell(.tokenReturn(answer))
    }
}

/// What the stages of a simulated cluster compute.
enum SimulatedModel {
    static func row(_ input: UInt64, after before: UInt64) -> UInt64 {
        mix(input &* 31 &+ before &* 131 &+ 1)
    }

    /// What a request gives when nobody else is there and nothing fails.
    static func alone(
        prompt: [TokenID], newTokensMax: Int, seed: UInt64, stageCount: Int
    ) -> [TokenID] {
        var before = [UInt64](repeating: 0, count: stageCount)
        var last: UInt64 = 0
        func run(_ token: TokenID) {
            var input = UInt64(token.rawValue)
            for stage in 0..<stageCount {
                input = row(input, after: before[stage])
                before[stage] = input
            }
            last = input
        }
        prompt.forEach(run)
        var tokens: [TokenID] = []
        while tokens.count < newTokensMax {
            let token = FakeModel.nextToken(last, seed: seed)
            tokens.append(token)
            run(token)
        }
        return tokens
    }
}
