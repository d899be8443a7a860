public import SkeinCore
import SkeinScheduling

/// A schedule under test, with short words for what is asked of it.
struct ScheduleHarness {
    var schedule: PipelineSchedule
    /// Sent and not yet returned, oldest first.
    var ring: [MicroBatch] = []
    var finished: [SequenceID: FinishReason] = [:]
    var drafted: [SequenceID: DraftCounts] = [:]
    var refused: [SequenceID: Refusal] = [:]
    var tokens: [SequenceID: [TokenID]] = [:]
    var scores: [SequenceID: [Float]] = [:]
    var released: [SequenceID] = []
    /// Prompt tokens that were not run, as told when each sequence began.
    var cached: [SequenceID: Int] = [:]

    init(_ plan: SchedulePlan) {
        schedule = PipelineSchedule(plan: plan, epoch: Epoch(rawValue: 1))
    }

    static func request(
        _ number: UInt64, prompt: Int, tokens: Int = 4, stop: Set<TokenID> = [],
        chunk: Int? = nil, capture: Capture = [], isScored: Bool = false, tenant: String = ""
    ) -> SequenceRequest {
        let prompt = (0..<prompt).map { TokenID($0 % 50) }
        return SequenceRequest(
            id: SequenceID(rawValue: number), promptTokens: prompt,
            stopRule: StopRule(completionTokensMax: tokens, stopTokens: stop),
            targets: isScored ? prompt : [], capture: capture, chunkRowsMax: chunk,
            tenant: tenant)
    }

    mutating func arrive(_ requests: SequenceRequest...) {
        for request in requests { note(schedule.onArrival(request)) }
    }

    /// Spends the free credits; the micro-batches that were sent.
    @discardableResult
    mutating func fill() -> [MicroBatch] {
        let before = ring.count
        note(schedule.fillRing())
        return Array(ring.dropFirst(before))
    }

    /// Lets the oldest micro-batch come back; every token drawn is its position plus 100.
    mutating func comeBack(tokens: (SequenceSpan) -> TokenID = Self.token) throws(Refusal) {
        let microBatch = ring.removeFirst()
        note(try schedule.onReturn(Self.answer(microBatch, tokens: tokens)))
    }

    /// The same, after a time on every stage that depends on the number of rows.
    mutating func comeBack(after time: (Int) -> Duration) throws(Refusal) {
        let microBatch = ring.removeFirst()
        var answer = Self.answer(microBatch)
        let stageCount = schedule.plan.stageCount
        answer.stageTimes = [Duration](repeating: time(microBatch.rowCount), count: stageCount)
        note(
            try schedule.onReturn(answer, roundTime: time(microBatch.rowCount) * stageCount))
    }

    static func token(after span: SequenceSpan) -> TokenID {
        TokenID(100 + span.firstPosition + span.tokens.count)
    }

    static func answer(
        _ microBatch: MicroBatch, tokens: (SequenceSpan) -> TokenID = Self.token
    ) -> TokenReturn {
        var answer = TokenReturn(microBatch: microBatch.id, epoch: microBatch.epoch, tokens: [])
        for span in microBatch.spans {
            for target in span.targets {
                answer.targetScores.append(TargetScore(logprob: -Float(target.rawValue)))
            }
            guard span.demand != nil else { continue }
            answer.tokens.append(
                SampledToken(
                    sequence: span.sequence, position: span.firstPosition + span.tokens.count,
                    token: tokens(span)))
        }
        return answer
    }

    /// Runs until nothing is left to do, at most `rounds` returns.
    mutating func runDry(_ rounds: Int = 10_000) throws(Refusal) {
        fill()
        var left = rounds
        while !ring.isEmpty, left > 0 {
            try comeBack()
            fill()
            left -= 1
        }
    }

    mutating func note(_ directives: [Directive]) {
        for directive in directives {
            switch directive {
            case .send(let microBatch): ring.append(microBatch)
            case .began(let id, let count):
                precondition(cached[id] == nil, "sequence \(id.rawValue) began twice")
                cached[id] = count
            case .deliver(let id, let drawn): tokens[id, default: []] += drawn.map(\.token)
            case .score(let id, let first, let values):
                precondition(scores[id, default: []].count == first)
                scores[id, default: []] += values.map(\.logprob)
            case .finished(let id, let reason): finished[id] = reason
            case .refuse(let id, let refusal), .busy(let id, let refusal): refused[id] = refusal
            case .release(let ids): released += ids
            case .drafted(let id, let counts): drafted[id] = counts
            }
        }
    }
}

extension SequenceID: ExpressibleByIntegerLiteral {
    /// A literal number, for tests.
    public init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}

/// A plan with small numbers.
func smallPlan(
    stages: Int = 4, pages: Int = 64, positions: Int = 1_024, inFlight: Int? = nil,
    decode: Int? = nil, prefill: Int? = nil, rows: Int = 32, running: Int = 64,
    waiting: Int = 100, reuses: Bool = false
) -> SchedulePlan {
    SchedulePlan(
        stageCount: stages, pageCount: pages, positionCountMax: positions,
        microBatchesInFlightMax: inFlight, decodeMicroBatchCount: decode,
        prefillMicroBatchCount: prefill, prefillBudget: PrefillBudget(rowsMax: rows),
        runningSequencesMax: running, waitingSequencesMax: waiting, reusesPrefixes: reuses)
}
