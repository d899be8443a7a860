import SkeinCore
import SkeinPlanning

@testable import SkeinScheduling

/// What a simulated cluster and its clients are like.
struct Scenario: Sendable, CustomStringConvertible {
    var name: String
    var seed: UInt64
    var stageCount = 4
    var pageCount = 96
    var microBatchesInFlightMax: Int?
    var decodeMicroBatchCount: Int?
    var runningMax = 64
    var requestCount = 600
    var promptMax = 400
    var completionMax = 50
    var epochCount = 0
    var cancelPercent = 5
    var reusesPrefixes = false
    var speculation = Speculation.off
    /// How many of the prompts have to do with one before: equal, begun alike, or the next turn.
    var kinPercent = 0
    /// Whether the run is pointless unless pages run out again and again.
    var runsOutOfPages = false
    /// Mean time between arrivals; 0 lets all come at once.
    var arrivalGap: UInt64 = 3_000

    var description: String { "\(name), seed \(seed)" }

    var plan: SchedulePlan {
        var plan = SchedulePlan(
            stageCount: stageCount, pageCount: pageCount, positionCountMax: 2_048,
            microBatchesInFlightMax: microBatchesInFlightMax,
            decodeMicroBatchCount: decodeMicroBatchCount,
            prefillBudget: PrefillBudget(rowsMax: 96, rowsMin: 8, roundTimeMin: .zero),
            runningSequencesMax: runningMax, waitingSequencesMax: requestCount,
            followsMeasurements: decodeMicroBatchCount == nil, reusesPrefixes: reusesPrefixes)
        plan.speculation = speculation
        return plan
    }

    /// The same with tokens guessed ahead.
    func speculating(_ speculation: Speculation) -> Scenario {
        var scenario = self
        scenario.speculation = speculation
        scenario.name += ", speculation \(speculation.rawValue)"
        return scenario
    }
}

/// One client: what it asks, what it must get, and what it got.
struct SimulatedClient {
    var request: SequenceRequest
    /// What the request gives alone.
    var expected: [TokenID]
    var expectedScores: [Float]
    /// After so many tokens the text holds a stop string.
    var textStop: Int?
    /// Whether the text is read late, when the next step is in the ring already.
    var readsLate = false
    var received: [TokenID] = []
    /// What its tokens so far must leave in the cache.
    var rows: [UInt64] = []
    var scores: [Float] = []
    var end: FinishReason?
    var isRefused = false
    var firstSend: UInt64?
    /// Prompt tokens that were not run when it began.
    var cachedTokenCount: Int?

    mutating func take(_ token: TokenID) {
        received.append(token)
        rows.append(FakeModel.row(after: rows[rows.count - 1], token))
    }
}

/// Runs the production schedule against a virtual ring, and notes every broken promise.
struct RingSimulation {
    enum Event {
        case arrival(SequenceID)
        case cancel(SequenceID)
        case stop(SequenceID)
        case comesBack(MicroBatch, VirtualRing.Journey)
        case epoch
    }

    let scenario: Scenario
    var numbers: SeededNumbers
    var timeline = Timeline<Event>()
    var schedule: PipelineSchedule
    var ring: VirtualRing
    var clients: [SequenceID: SimulatedClient] = [:]
    var inFlight: Set<MicroBatchID> = []
    /// Cancelled sequences, with the newest micro-batch that was sent before.
    var leaving: [SequenceID: MicroBatchID] = [:]
    var newestSent = MicroBatchID(rawValue: 0)
    var newestStarted = SequenceID(rawValue: 0)
    var eventCount = 0
    var checkNumber = 0
    var decodeSpans: [Int] = []
    var copyCount = 0
    var overtakingCount = 0
    var faults: [String] = []

    init(_ scenario: Scenario) {
        self.scenario = scenario
        numbers = SeededNumbers(seed: scenario.seed)
        schedule = PipelineSchedule(plan: scenario.plan, epoch: Epoch(rawValue: 1))
        ring = VirtualRing(stageCount: scenario.stageCount, pageCount: scenario.pageCount)
        planClients()
    }

    mutating func run() {
        var now: UInt64 = 0
        while let (time, event) = timeline.next(), faults.isEmpty {
            now = time
            happen(event, now)
            carryOut(schedule.fillRing(), now)
            eventCount += 1
            if eventCount < 500 || eventCount % 64 == 0 { check() }
        }
        check()
        checkEnd()
    }

    private mutating func happen(_ event: Event, _ now: UInt64) {
        switch event {
        case .arrival(let id):
            guard let client = clients[id] else { return }
            carryOut(schedule.onArrival(client.request), now)
        case .cancel(let id):
            leaving[id] = newestSent
            carryOut(schedule.onCancel(id), now)
        case .stop(let id):
            carryOut(schedule.onStop(id), now)
        case .comesBack(let microBatch, let journey):
            comeBack(microBatch, journey, now)
        case .epoch:
            var plan = scenario.plan
            if numbers.chance(50) {
                plan.pageCount = max(32, plan.pageCount - 8)
                plan.stageCount = max(1, plan.stageCount - 1)
                plan.computeOwners = Array(0..<plan.stageCount)
            }
            inFlight = []
            leaving = [:]
            ring = VirtualRing(stageCount: plan.stageCount, pageCount: plan.pageCount)
            carryOut(schedule.onEpoch(schedule.epoch.next, plan: plan), now)
        }
    }

    private mutating func comeBack(
        _ microBatch: MicroBatch, _ journey: VirtualRing.Journey, _ now: UInt64
    ) {
        var answer = TokenReturn(microBatch: microBatch.id, epoch: microBatch.epoch, tokens: [])
        answer.stageTimes = journey.stageTimes
        let isCurrent = microBatch.epoch == schedule.epoch
        if isCurrent { inFlight.remove(microBatch.id) }
        for span in microBatch.spans where isCurrent {
            ring.checkCopy(of: span)
            run(span, into: &answer)
        }
        do throws(Refusal) {
            carryOut(try schedule.onReturn(answer, roundTime: journey.roundTime), now)
        } catch {
            faults.append("a return was refused: \(error)")
        }
        let oldest = inFlight.min() ?? MicroBatchID(rawValue: .max)
        for (id, newest) in leaving where oldest > newest {
            leaving[id] = nil
            if schedule.tokens(of: id) != nil {
                faults.append("cancelled sequence \(id.rawValue) outlived its round")
            }
        }
    }

    /// The last stage: every row must still be what this sequence's tokens make of it.
    private mutating func run(_ span: SequenceSpan, into answer: inout TokenReturn) {
        guard let client = clients[span.sequence] else { return }
        let tenant = client.request.tenant
        let end = span.firstPosition + span.tokens.count - span.draftCount
        for (offset, target) in span.targets.enumerated() {
            guard let row = ring.cached(span, span.firstPosition + offset, tenant) else { return }
            answer.targetScores.append(
                TargetScore(logprob: FakeModel.score(row, target)))
        }
        guard let demand = span.demand else { return }
        guard let row = ring.cached(span, end - 1, tenant) else { return }
        if client.end == nil, client.rows.count >= end {
            // A decode step looks at a few rows, a prefill at all.
            let looks = span.tokens.count > 1 ? Array(0..<end) : [0, end / 2, end - 1]
            for position in looks
            where ring.cached(span, position, tenant) != client.rows[position] {
                faults.append("sequence \(span.sequence.rawValue): row \(position) is foreign")
                return
            }
        }
        var drafts = span.drafts
        var (position, last) = (end, row)
        while true {
            let token = FakeModel.nextToken(last, seed: demand.parameters.seed)
            answer.tokens.append(
                SampledToken(sequence: span.sequence, position: position, token: token))
            guard drafts.popFirst() == token else { break }
            guard let next = ring.cached(span, position, tenant) else { return }
            (position, last) = (position + 1, next)
        }
        answer.drafts.append(guesses(span, after: last, position, seed: demand.parameters.seed))
    }

    /// Drafts of which three of four are right.
    private func guesses(
        _ span: SequenceSpan, after row: UInt64, _ position: Int, seed: UInt64
    ) -> [TokenID] {
        var row = FakeModel.row(after: row, FakeModel.nextToken(row, seed: seed))
        return (0..<span.draftsWantedCount).map { place in
            let token = FakeModel.nextToken(row, seed: seed)
            row = FakeModel.row(after: row, token)
            return mix(row ^ UInt64(position + place)) % 4 == 0 ? 3 : token
        }
    }

    private mutating func carryOut(_ directives: [Directive], _ now: UInt64) {
        for directive in directives {
            switch directive {
            case .send(let microBatch): send(microBatch, now)
            case .deliver(let id, let tokens): deliver(tokens, to: id, now)
            case .score(let id, let first, let scores):
                if clients[id]?.scores.count != first { faults.append("scores out of order") }
                clients[id]?.scores += scores.map(\.logprob)
            case .finished(let id, let reason):
                if clients[id]?.end != nil { faults.append("\(id.rawValue) ended twice") }
                clients[id]?.end = reason
            case .refuse(let id, _): clients[id]?.isRefused = true
            case .busy(let id, _): faults.append("\(id.rawValue) was told to come later")
            case .release, .drafted: break
            case .began(let id, let count): begin(id, cachedTokenCount: count)
            }
        }
    }

    private mutating func send(_ microBatch: MicroBatch, _ now: UInt64) {
        inFlight.insert(microBatch.id)
        newestSent = microBatch.id
        if microBatch.phase == .decode { decodeSpans.append(microBatch.spans.count) }
        if inFlight.count > schedule.plan.microBatchesInFlightMax {
            faults.append("\(inFlight.count) micro-batches in flight")
        }
        for span in microBatch.spans {
            guard let client = clients[span.sequence] else { continue }
            if client.firstSend == nil {
                clients[span.sequence]?.firstSend = now
                if span.sequence < newestStarted { noteOvertaken(span.sequence) }
                newestStarted = max(newestStarted, span.sequence)
                noteBeginning(of: span)
            }
            if span.pageCopy != nil { copyCount += 1 }
            ring.write(span, tenant: client.request.tenant)
        }
        let journey = ring.travel(microBatch, now: now, &numbers)
        timeline.plan(.comesBack(microBatch, journey), at: journey.back)
    }

    private mutating func deliver(_ tokens: [SampledToken], to id: SequenceID, _ now: UInt64) {
        guard let client = clients[id] else { return }
        if client.end != nil { faults.append("a token after the end of \(id.rawValue)") }
        for token in tokens {
            let receivedCount = clients[id]?.received.count ?? 0
            let position = client.request.promptTokens.count + receivedCount
            if token.position != position { faults.append("\(id.rawValue): token out of order") }
            clients[id]?.take(token.token)
        }
        guard let stop = client.textStop, clients[id]?.received.count == stop else { return }
        if client.readsLate {
            timeline.plan(.stop(id), at: now + 1_500)
        } else {
            carryOut(schedule.onStop(id), now)
        }
    }

    private mutating func check() {
        faults += ring.faults
        faults += schedule.audit()
        checkNumber += 1
        guard checkNumber % 16 == 0 else { return }
        for known in schedule.prefixes.beginnings {
            ring.check(known.page, holds: known.tokens, of: known.tenant)
        }
    }
}
