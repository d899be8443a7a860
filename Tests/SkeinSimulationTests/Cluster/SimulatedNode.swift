import SkeinCore
import SkeinWire

@testable import SkeinCoordinator

/// What travels between the processes of a simulated cluster.
enum SimulatedMessage: Sendable {
    /// Rows of one layer from a stage to a host of experts, each with its choice.
    case dispatch(SimulatedRows, epoch: Epoch, asker: String)
    /// What became of them.
    case combine(SimulatedRows, epoch: Epoch, host: String)
    /// To or from the head.
    case envelope(Envelope)
    /// A micro-batch from one stage to the next, with a number for each row.
    case hidden(Step, epoch: Epoch, target: StageIndex, rows: [UInt64])
}

/// Rows that go to remote experts, or come back.
struct SimulatedRows: Sendable {
    let microBatch: MicroBatchID
    let stage: StageIndex
    let layer: Int
    /// The rows' places in the micro-batch, and what they are.
    var rows: [(place: Int, value: UInt64)]
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
        /// These sequences end, since a step of theirs has failed.
        case failed([SequenceID])
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

    struct Work {
        let step: Step
        let stage: StageIndex
        var rows: [UInt64]
        /// The layer that is next.
        var layer: Int
        /// Hosts whose answers are awaited for it.
        var awaited: Set<String> = []
    }

    struct Part: Equatable {
        let stages: [RingStage]
        let host: Int?
        let hosts: [ExpertHost]
        let byteCount: Int
    }

    static let headName = "head"
    private static let heartbeat: UInt64 = 500_000

    let name: String
    /// Another one for each start of the process.
    let process: UInt64
    let shape: SimulatedShape
    private let pageCount: Int
    /// Until when its disk gives it nothing.
    var cannotLoadUntil: UInt64
    /// Whether the next step fails.
    var failsNext = false
    /// The part of the placement that is in memory.
    var loaded: Part?
    private var life = Life.joining
    var placement: Placement?
    private var heardAt: UInt64
    private var mayBeReplaced = false
    var queue: [Work] = []
    var isComputing = false
    private var computingSince: UInt64 = 0
    private var lastDone: [StageIndex: MicroBatchID] = [:]
    private var newestSteps: [StageIndex: MicroBatchID] = [:]
    /// What each own layer holds, by page and row.
    private var pages: [Int: [[UInt64?]]] = [:]
    var actions: [Action] = []

    init(
        name: String, process: UInt64, shape: SimulatedShape, pageCount: Int,
        cannotLoadUntil: UInt64, now: UInt64
    ) {
        self.name = name
        self.process = process
        self.shape = shape
        self.cannotLoadUntil = cannotLoadUntil
        self.pageCount = pageCount
        heardAt = now
        actions = [.wake(.greet, after: 0)]
    }

    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    var epoch: Epoch {
        switch life {
        case .joining: .none
        case .loading(let epoch), .running(let epoch): epoch
        }
    }

    // MARK: Events

    mutating func wake(_ wake: Wake, now: UInt64) {
        switch wake {
        case .greet: greet(now)
        case .loaded(let epoch) where life == .loading(epoch): endLoading(epoch, now)
        case .computed(let epoch) where life == .running(epoch): advance(now)
        case .loaded, .computed: break
        }
    }

    mutating func receive(_ message: SimulatedMessage, now: UInt64) {
        switch message {
        case .hidden(let step, let epoch, let target, let rows):
            guard life == .running(epoch) else { return }
            accept(step, target, rows, now)
        case .dispatch(let rows, let epoch, let asker):
            if life == .running(epoch) { serve(rows, of: asker) }
        case .combine(let rows, let epoch, let host):
            if life == .running(epoch) { take(rows, from: host, now) }
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
            accept(
                step, target,
                step.microBatch.spans.flatMap(\.tokens).map { UInt64($0.rawValue) }, now)
        case .alive(let alive):
            if mayBeReplaced, case .running(let held) = life, held < envelope.epoch {
                mayBeReplaced = false
                life = .joining
                loaded = nil
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
                        memoryAvailableBytes: memoryLeft, cpuISA: "none", threadCount: 1)))
        }
        actions.append(.wake(.greet, after: Self.heartbeat))
    }

    /// What is free; 0 where the node does not say.
    private var memoryLeft: UInt64 {
        let memory = shape.memoryBytes[name] ?? 0
        return memory == 0 ? 0 : UInt64(max(1, memory - (loaded?.byteCount ?? 0)))
    }

    private mutating func begin(_ placement: Placement) {
        if life == .running(placement.epoch) { return tellReady() }
        guard placement.epoch > epoch else { return }
        self.placement = placement
        life = .loading(placement.epoch)
        queue = []
        isComputing = false
        lastDone = [:]
        newestSteps = [:]
        pages = [:]
        let part = Part(
            stages: placement.ring.filter { $0.nodeName == name },
            host: placement.expertHosts.firstIndex { $0.nodeName == name },
            hosts: placement.expertHosts,
            byteCount: byteCount(of: placement))
        if part.stages.isEmpty, part.host == nil {
            actions.append(.fault("\(name) was placed and given nothing"))
        }
        let memory = shape.memoryBytes[name] ?? 0
        if memory > 0, part.byteCount > memory {
            actions.append(.fault("\(name) was given more than it has room for"))
        }
        let isWarm = loaded.map { $0.stages.map(\.slice) == part.stages.map(\.slice) } ?? false
        loaded = part
        for layer in part.stages.flatMap(\.slice.layers) {
            pages[layer] = [[UInt64?]](
                repeating: [UInt64?](repeating: nil, count: Limits.pageRowCount), count: pageCount)
        }
        actions.append(
            .wake(
                .loaded(placement.epoch),
                after: isWarm ? 20_000 + process % 7 * 10_000 : shape.loadMicroseconds))
    }

    private func byteCount(of placement: Placement) -> Int {
        shape.bytes.total(
            of: placement.ring.filter { $0.nodeName == name }.map(\.slice),
            host: placement.expertHosts.firstIndex { $0.nodeName == name },
            placement.distribution)
    }

    private mutating func endLoading(_ epoch: Epoch, _ now: UInt64) {
        guard now < cannotLoadUntil else {
            life = .running(epoch)
            return tellReady()
        }
        life = .joining
        loaded = nil
        let fault = Fault(stage: StageIndex(0), microBatch: nil, reason: "the disk gives nothing")
        actions.append(
            .send(
                .envelope(Envelope(epoch: epoch, sender: name, body: .fault(fault))),
                to: Self.headName))
    }

    private mutating func answer(_ heartbeat: Alive, _ now: UInt64) {
        guard life != .joining else { return }
        var alive = Alive(sequenceNumber: heartbeat.sequenceNumber, sentAtMicroseconds: now)
        alive.echoedAtMicroseconds = heartbeat.sentAtMicroseconds
        alive.heardAtMicroseconds = now
        alive.memoryAvailableBytes = memoryLeft
        for place in loaded?.stages ?? [] {
            var times = StageTimes(stage: place.index)
            if isComputing, let work = queue.first, work.stage == place.index {
                times.currentMicroBatch = work.step.microBatch.id
                times.currentStepMicroseconds = now - computingSince
            }
            times.lastMicroBatch = lastDone[place.index]
            alive.stageTimes.append(times)
        }
        tell(.alive(alive))
    }

    private mutating func tellReady() {
        let byteCount = UInt64(loaded?.byteCount ?? 0)
        tell(.ready(Ready(loadedWeightBytes: byteCount, residentBytes: byteCount)))
    }

    private mutating func tell(_ body: Envelope.Body) {
        let envelope = Envelope(epoch: epoch, sender: name, body: body)
        actions.append(.send(.envelope(envelope), to: Self.headName))
    }

    // MARK: Steps

    /// Micro-batches keep their order: one that comes again, or behind a later one, is of the past.
    private mutating func accept(
        _ step: Step, _ stage: StageIndex, _ rows: [UInt64], _ now: UInt64
    ) {
        let id = step.microBatch.id
        guard let slice = placement?.ring.first(where: { $0.index == stage })?.slice,
            pages[slice.layers.lowerBound] != nil
        else { return actions.append(.fault("\(name) has no stage \(stage.rawValue)")) }
        guard newestSteps[stage].map({ $0 < id }) ?? true else { return }
        newestSteps[stage] = id
        queue.append(Work(step: step, stage: stage, rows: rows, layer: slice.layers.lowerBound))
        startStep(now)
    }

    private mutating func startStep(_ now: UInt64) {
        guard !isComputing, let work = queue.first else { return }
        isComputing = true
        computingSince = now
        actions.append(
            .wake(
                .computed(epoch),
                after: shape.stepMicroseconds + UInt64(work.step.microBatch.rowCount) * 20))
    }

    /// Goes on with the oldest micro-batch until its end, or until rows must go to other nodes.
    mutating func advance(_ now: UInt64) {
        guard isComputing, !queue.isEmpty, let placement, queue[0].awaited.isEmpty else { return }
        let end = placement.ring[Int(queue[0].stage.rawValue)].slice.layers.upperBound
        while queue[0].layer < end {
            let layer = queue[0].layer
            queue[0].rows = attend(queue[0], layer)
            let expertCount = shape.bytes.expertCounts[layer]
            if expertCount > 0 { consultExperts(layer, expertCount) }
            guard queue[0].awaited.isEmpty else { return }
            queue[0].layer += 1
        }
        finishStep(now)
    }

    private mutating func finishStep(_ now: UInt64) {
        guard let placement else { return }
        isComputing = false
        let work = queue.removeFirst()
        lastDone[work.stage] = work.step.microBatch.id
        if failsNext {
            fail(work)
        } else if Int(work.stage.rawValue) + 1 < placement.ring.count {
            let next = placement.ring[Int(work.stage.rawValue) + 1]
            var step = work.step
            step.stageTimes.append(.microseconds(Int64(now - computingSince)))
            actions.append(
                .send(
                    .hidden(step, epoch: epoch, target: next.index, rows: work.rows),
                    to: next.nodeName))
        } else {
            draw(work, work.rows, now)
        }
        startStep(now)
    }

    /// Runs a micro-batch through the attention of one layer; returns a number for each row.
    private mutating func attend(_ work: Work, _ layer: Int) -> [UInt64] {
        var inputs = work.rows[...]
        var outputs: [UInt64] = []
        for span in work.step.microBatch.spans {
            if let copy = span.pageCopy {
                for row in 0..<copy.rowCount {
                    let value = pages[layer]?[Int(copy.source.rawValue)][row]
                    pages[layer]?[Int(copy.target.rawValue)][row] = value ?? nil
                }
            }
            for offset in span.tokens.indices {
                let position = span.firstPosition + offset
                let before = position == 0 ? 0 : held(layer, span, position - 1) ?? 0xDEAD
                let row = SimulatedModel.row(inputs.popFirst() ?? 0, after: before)
                let page = Int(span.pageTable[position / Limits.pageRowCount].rawValue)
                pages[layer]?[page][position % Limits.pageRowCount] = row
                outputs.append(row)
            }
        }
        return outputs
    }

    private func held(_ layer: Int, _ span: SequenceSpan, _ position: Int) -> UInt64? {
        let page = Int(span.pageTable[position / Limits.pageRowCount].rawValue)
        return pages[layer]?[page][position % Limits.pageRowCount]
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
            var row = end - 1 - span.draftCount
            var drafts = span.drafts
            while true {
                let position = span.firstPosition + span.tokens.count - (end - 1 - row)
                let token = FakeModel.nextToken(rows[row], seed: demand.parameters.seed)
                answer.tokens.append(
                    SampledToken(sequence: span.sequence, position: position, token: token))
                guard drafts.popFirst() == token else { break }
                row += 1
            }
            answer.drafts.append(guesses(span, after: rows[row]))
        }
        tell(.tokenReturn(answer))
    }

    /// Drafts that are right by chance alone: what is wrong must leave nothing behind.
    private func guesses(_ span: SequenceSpan, after row: UInt64) -> [TokenID] {
        (0..<span.draftsWantedCount).map { place in
            FakeModel.nextToken(mix(row &+ UInt64(place)), seed: 0)
        }
    }
}
