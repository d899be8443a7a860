import SkeinCore
import Testing

@testable import SkeinScheduling

/// Drafts that ride with decode steps.
@Suite struct DraftTests {
    private static func harness(
        _ speculation: Speculation = .two, stages: Int = 1
    ) -> ScheduleHarness {
        var plan = smallPlan(stages: stages)
        plan.speculation = speculation
        return ScheduleHarness(plan)
    }

    /// Lets the oldest micro-batch come back with so many drafts accepted and `drafts` new ones.
    private static func comeBack(
        _ harness: inout ScheduleHarness, accepted: Int, drafts: Int
    ) throws(Refusal) {
        let microBatch = harness.ring.removeFirst()
        harness.note(
            try harness.schedule.onReturn(answer(microBatch, accepted: accepted, drafts: drafts)))
        #expect(harness.schedule.audit().isEmpty)
    }

    /// The token of a position is the position plus 100; a draft that is right equals it.
    private static func answer(
        _ microBatch: MicroBatch, accepted: Int, drafts: Int
    ) -> TokenReturn {
        var answer = TokenReturn(microBatch: microBatch.id, epoch: microBatch.epoch, tokens: [])
        for span in microBatch.spans where span.demand != nil {
            let first = span.firstPosition + span.tokens.count - span.draftCount
            let count = min(accepted, span.draftCount)
            answer.tokens += (first...first + count).map {
                SampledToken(sequence: span.sequence, position: $0, token: TokenID(100 + $0))
            }
            // The first draft that is not accepted was wrong.
            if count < span.draftCount { answer.tokens[answer.tokens.count - 1].token = 7 }
            answer.drafts.append(
                (0..<min(drafts, span.draftsWantedCount)).map {
                    TokenID(100 + first + count + 1 + $0)
                })
        }
        return answer
    }

    /// Drafts behind the last token of an answer are neither right nor wrong.
    @Test func anAnswerEndsWithWhatBecameOfItsDrafts() throws {
        var harness = Self.harness()
        harness.arrive(ScheduleHarness.request(1, prompt: 10, tokens: 6))
        _ = harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 2)
        _ = harness.fill()
        try Self.comeBack(&harness, accepted: 1, drafts: 2)
        #expect(harness.drafted.isEmpty, "the answer has not ended")
        while harness.finished[1] == nil {
            _ = harness.fill()
            try Self.comeBack(&harness, accepted: 2, drafts: 2)
        }
        let counts = try #require(harness.drafted[1])
        #expect(counts.acceptedCount == 1 + 2 && counts.rejectedCount == 1)
        #expect(harness.tokens[1]?.count == 6)
    }

    @Test func anAnswerWithoutDraftsSaysNothingOfThem() throws {
        var harness = Self.harness(.off)
        harness.arrive(ScheduleHarness.request(1, prompt: 10, tokens: 1))
        _ = harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 0)
        #expect(harness.finished[1] == .length && harness.drafted.isEmpty)
    }

    @Test func draftsRideBehindTheLastTokenAndCountWhereTheyAreRight() throws {
        var harness = Self.harness()
        harness.arrive(ScheduleHarness.request(1, prompt: 10, tokens: 20))
        let prefill = try #require(harness.fill().first).spans[0]
        #expect(prefill.draftCount == 0 && prefill.draftsWantedCount == 2)
        try Self.comeBack(&harness, accepted: 0, drafts: 2)
        let step = try #require(harness.fill().first).spans[0]
        #expect(step.tokens == [110, 111, 112] && step.firstPosition == 10)
        #expect(step.draftCount == 2 && step.draftsWantedCount == 2)
        try Self.comeBack(&harness, accepted: 1, drafts: 0)
        #expect(harness.tokens[1] == [110, 111, 7])
        let next = try #require(harness.fill().first).spans[0]
        #expect(next.tokens == [7] && next.firstPosition == 12 && next.draftCount == 0)
        #expect(harness.schedule.totals.draftCounts == [1, 1, 0, 0])
        #expect(harness.schedule.totals.acceptedDraftCounts == [1, 0, 0, 0])
    }

    @Test func aSequenceEndsWithinTheTokensOfOneReturnAsIfTheyHadComeOneByOne() throws {
        var harness = Self.harness(.four)
        harness.arrive(
            ScheduleHarness.request(1, prompt: 10, tokens: 20, stop: [112]),
            ScheduleHarness.request(2, prompt: 10, tokens: 3))
        harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 4)
        let spans = try #require(harness.fill().first).spans
        #expect(spans.map(\.draftCount) == [4, 1], "none beyond the last token that is wanted")
        #expect(spans[1].draftsWantedCount == 0)
        try Self.comeBack(&harness, accepted: 4, drafts: 4)
        #expect(harness.tokens[1] == [110, 111, 112] && harness.finished[1] == .stop)
        #expect(harness.tokens[2] == [110, 111, 112] && harness.finished[2] == .length)
        #expect(harness.schedule.ownedPageCount == 0)
    }

    @Test func onlyASequencesOwnPagesHaveRoomForDrafts() throws {
        var harness = Self.harness(.four)
        harness.arrive(ScheduleHarness.request(1, prompt: 61, tokens: 40))
        // Its prompt takes two chunks.
        harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 0)
        harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 4)
        let step = try #require(harness.fill().first).spans[0]
        #expect(step.draftCount == 2 && step.pageTable.count == 1)
        try Self.comeBack(&harness, accepted: 2, drafts: 4)
        let next = try #require(harness.fill().first).spans[0]
        #expect(next.pageTable.count == 2 && next.draftCount == 4)
    }

    @Test func chunksOfAPromptNameTheTokenThatFollows() throws {
        var harness = Self.harness(stages: 4)
        harness.arrive(ScheduleHarness.request(1, prompt: 40, tokens: 5))
        let chunks = harness.fill().flatMap(\.spans)
        #expect(chunks.map(\.tokens.count) == [32, 8])
        #expect(chunks[0].followingToken == TokenID(32) && chunks[1].followingToken == nil)
    }

    @Test func withoutSpeculationNothingIsAskedFor() throws {
        var harness = Self.harness(.off)
        harness.arrive(ScheduleHarness.request(1, prompt: 40, tokens: 5))
        for span in harness.fill().flatMap(\.spans) {
            #expect(span.draftsWantedCount == 0 && span.followingToken == nil)
        }
    }

    @Test func aReplayCarriesNoDrafts() throws {
        var harness = Self.harness()
        harness.arrive(ScheduleHarness.request(1, prompt: 10, tokens: 20))
        harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 2)
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2)))
        harness.ring = []
        let replay = try #require(harness.fill().first).spans[0]
        #expect(replay.tokens.count == 11 && replay.draftCount == 0)
        try Self.comeBack(&harness, accepted: 0, drafts: 2)
        #expect(try #require(harness.fill().first).spans[0].draftCount == 2)
    }

    @Test func constrainedAndCapturedSequencesAndProbesAreNotGuessedAhead() throws {
        var harness = Self.harness()
        var constrained = ScheduleHarness.request(1, prompt: 4)
        constrained.isConstrained = true
        var probe = ScheduleHarness.request(2, prompt: 4)
        probe.isProbe = true
        harness.arrive(
            constrained, probe, ScheduleHarness.request(3, prompt: 4, capture: .logits))
        let spans = harness.fill().flatMap(\.spans)
        #expect(!spans.isEmpty && spans.allSatisfy { $0.draftsWantedCount == 0 })
    }

    @Test func tokensThatNoDraftStandsForAreRefused() throws {
        var harness = Self.harness()
        harness.arrive(ScheduleHarness.request(1, prompt: 10, tokens: 20))
        harness.fill()
        try Self.comeBack(&harness, accepted: 0, drafts: 2)
        harness.fill()
        let good = Self.answer(harness.ring[0], accepted: 2, drafts: 2)
        var more = good
        more.tokens.append(
            SampledToken(sequence: 1, position: good.tokens[2].position + 1, token: 1))
        var other = good
        other.tokens[0].token = 5
        var many = good
        many.drafts[0] += [1, 2]
        var none = good
        none.tokens = []
        for wrong in [more, other, many, none] {
            #expect(throws: Refusal.self) { _ = try harness.schedule.onReturn(wrong) }
        }
        _ = try harness.schedule.onReturn(good)
    }

    // MARK: Tuning

    /// Steps of `size` sequences, whose drafts are right by chance, with a time for each row.
    private static func tune(
        _ tuning: inout DraftTuning, steps: Int, size: Int, acceptance: Double,
        guessing: Double = 0.01, time: (Int) -> Double
    ) -> (tokens: Double, seconds: Double) {
        var (tokens, seconds, carried, owed) = (0.0, 0.0, 0, 0.0)
        for _ in 0..<steps {
            let wanted = tuning.count(.auto)
            let spans = (0..<size).map { number in
                var span = SequenceSpan(
                    sequence: SequenceID(rawValue: UInt64(number)), firstPosition: 9,
                    tokens: [TokenID](repeating: 1, count: 1 + carried), pageTable: [],
                    demand: SamplingDemand(parameters: SamplingParameters()))
                span.draftCount = carried
                span.draftsWantedCount = wanted
                return span
            }
            let microBatch = MicroBatch(
                id: MicroBatchID(rawValue: 1), epoch: .none, phase: .decode, spans: spans)
            var each = 1.0
            for place in 0..<carried { each += (0...place).reduce(1.0) { p, _ in p * acceptance } }
            // Whole tokens, which are as many as by chance in the long run.
            owed += each * Double(size)
            let count = Int(owed.rounded())
            owed -= Double(count)
            let took = time(size * (1 + carried)) + Double(wanted) * guessing
            tokens += each
            seconds += took
            tuning.onReturn(of: microBatch, tokenCount: count, .seconds(took))
            carried = wanted
        }
        return (tokens, seconds)
    }

    @Test func draftsThatPayAreFoundAndKept() {
        var tuning = DraftTuning()
        _ = Self.tune(&tuning, steps: 600, size: 4, acceptance: 0.8) { 1 + 0.05 * Double($0) }
        #expect(tuning.count(.auto) >= 1)
        let plain = 1 / (1 + 0.05 * 4)
        let (tokens, seconds) = Self.tune(&tuning, steps: 2_000, size: 4, acceptance: 0.8) {
            1 + 0.05 * Double($0)
        }
        #expect(tokens / seconds > 1.2 * plain)
    }

    @Test func draftsThatDoNotPayCostLittle() {
        var tuning = DraftTuning()
        // Every row reads experts of its own.
        let (tokens, seconds) = Self.tune(
            &tuning, steps: 4_000, size: 1, acceptance: 0.6
        ) { 0.2 + Double($0) }
        #expect(tokens / seconds > 0.98 / 1.2)
        #expect(tuning.count(.auto) == 0)
    }

    @Test func aTrialThatNobodyTakesPartInIsGivenUp() {
        var size = SizeTuning()
        for _ in 0..<(DraftTuning.firstSteps + 100) {
            size.onStep(wanted: 0, isSteady: true, tokens: 1, seconds: 1)
        }
        #expect(size.trying == 0 && size.isSettled)
    }

    /// A model whose guesses are never right, whose guess costs most of a step, and in which every
    /// row reads experts of its own.
    @Test(arguments: [1, 4, 16])
    func draftsThatAreNeverRightCostLessThanAFiftiethAtAnyTime(size: Int) {
        var tuning = DraftTuning()
        var (tokens, seconds) = (0.0, 0.0)
        let time = { (rows: Int) in 1 + 0.3 * Double(rows) / Double(size) }
        for _ in 0..<600 {
            let more = Self.tune(
                &tuning, steps: 8, size: size, acceptance: 0, guessing: 0.5, time: time)
            (tokens, seconds) = (tokens + more.tokens, seconds + more.seconds)
            #expect(tokens / seconds > 0.98 / time(size), "after \(tokens) tokens")
        }
    }
}
