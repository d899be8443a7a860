import SkeinCore
import SkeinScheduling
import Testing

@Suite struct PipelineScheduleTests {
    typealias Harness = ScheduleHarness

    @Test func chunksFollowEachOtherAndOnlyTheLastAsksForAToken() {
        var harness = Harness(smallPlan(inFlight: 8, prefill: 8))
        harness.arrive(Harness.request(1, prompt: 100))
        let sent = harness.fill()
        #expect(sent.map(\.phase) == [.prefill, .prefill, .prefill, .prefill])
        #expect(sent.map { $0.spans[0].firstPosition } == [0, 32, 64, 96])
        #expect(sent.map(\.rowCount) == [32, 32, 32, 4])
        #expect(sent.map { $0.spans[0].demand != nil } == [false, false, false, true])
        #expect(sent.map { $0.spans[0].pageTable.count } == [1, 1, 2, 2])
        #expect(harness.schedule.audit().isEmpty)
    }

    @Test func oneMicroBatchCarriesChunksOfSeveralPrompts() {
        var harness = Harness(smallPlan())
        harness.arrive(
            Harness.request(1, prompt: 10), Harness.request(2, prompt: 15),
            Harness.request(3, prompt: 20))
        let sent = harness.fill()
        #expect(sent.map { $0.spans.map(\.sequence) } == [[1, 2, 3], [3]])
        #expect(sent.map { $0.spans.map(\.tokens.count) } == [[10, 15, 7], [13]])
    }

    @Test func aFullRingHoldsTheNextMicroBatchUntilOneReturns() throws {
        var harness = Harness(smallPlan(inFlight: 3, prefill: 8))
        harness.arrive(Harness.request(1, prompt: 200))
        #expect(harness.fill().count == 3)
        #expect(harness.fill().isEmpty)
        try harness.comeBack()
        #expect(harness.fill().count == 1)
        #expect(harness.schedule.inFlightCount == 3)
    }

    @Test func tokensComeInOrderAndTheSequenceEndsAtItsLength() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 40, tokens: 5))
        try harness.runDry()
        #expect(harness.tokens[1] == [140, 141, 142, 143, 144])
        #expect(harness.finished == [1: .length] && harness.released == [1])
        #expect(harness.schedule.liveCount == 0 && harness.schedule.ownedPageCount == 0)
    }

    @Test func aStopTokenIsDeliveredAndEndsTheSequence() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 40, tokens: 5, stop: [142]))
        try harness.runDry()
        #expect(harness.tokens[1] == [140, 141, 142] && harness.finished == [1: .stop])
    }

    @Test func aStopStringCostsNoFurtherStep() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 10, tokens: 50))
        harness.fill()
        try harness.comeBack()
        harness.note(harness.schedule.onStop(1))
        #expect(harness.fill().isEmpty)
        #expect(harness.finished == [1: .stop] && harness.schedule.ownedPageCount == 0)
    }

    @Test func aFullContextEndsWithLength() throws {
        var harness = Harness(smallPlan(positions: 50))
        harness.arrive(Harness.request(1, prompt: 45, tokens: 1_000))
        try harness.runDry()
        #expect(harness.tokens[1]?.count == 5 && harness.finished == [1: .length])
    }

    @Test func aFullCacheEndsWithLengthWhereTheContextIsLarger() throws {
        var harness = Harness(smallPlan(pages: 2, positions: 1_000))
        harness.arrive(Harness.request(1, prompt: 120, tokens: 1_000))
        try harness.runDry()
        #expect(harness.tokens[1]?.count == 8 && harness.finished == [1: .length])
    }

    @Test(arguments: [
        (0, 1, "prompt: is empty, expected at least one token"),
        (1_024, 1, "prompt: needs 1025 positions, the model's context has 1024"),
        (
            128, 1,
            "prompt: needs 129 positions, the latent cache holds 128 (2 pages of 64 rows)"
        ),
    ])
    func whatCanNeverRunIsRefusedWithNumbers(_ prompt: Int, _ tokens: Int, _ line: String) {
        var harness = Harness(smallPlan(pages: 2))
        harness.arrive(Harness.request(1, prompt: prompt, tokens: tokens))
        #expect(harness.refused[1]?.description == line)
        #expect(harness.schedule.liveCount == 0)
    }

    @Test func aFullQueueAsksToComeLater() {
        var harness = Harness(smallPlan(waiting: 2))
        harness.arrive(
            Harness.request(1, prompt: 9), Harness.request(2, prompt: 9),
            Harness.request(3, prompt: 9))
        let line = "request: 2 sequences wait already, and at most 2 may; try again later"
        #expect(harness.refused.mapValues(\.description) == [3: line])
    }

    @Test func aBurstIsSpreadEvenlyOverTheMicroBatches() throws {
        var harness = Harness(smallPlan(rows: 256))
        for number in 1...18 {
            harness.arrive(Harness.request(UInt64(number), prompt: 3, tokens: 9))
        }
        #expect(harness.fill().count == 1)
        try harness.comeBack()
        let sent = harness.fill()
        #expect(sent.map(\.phase) == [.decode, .decode, .decode, .decode])
        #expect(sent.map { $0.spans.count } == [5, 5, 4, 4])
    }

    @Test func noMoreDecodeMicroBatchesThanKeepTheStagesBusy() throws {
        var harness = Harness(smallPlan(decode: 2, rows: 256))
        for number in 1...8 {
            harness.arrive(Harness.request(UInt64(number), prompt: 3, tokens: 9))
        }
        harness.fill()
        try harness.comeBack()
        for _ in 0..<10 {
            harness.fill()
            #expect(harness.ring.count { $0.phase == .decode } <= 2)
            #expect(harness.ring.allSatisfy { $0.spans.count <= 4 })
            try harness.comeBack()
        }
    }

    @Test func theOldestPromptLeavesAQuarterToThoseBehindIt() {
        var harness = Harness(smallPlan())
        harness.arrive(
            Harness.request(1, prompt: 500), Harness.request(2, prompt: 500),
            Harness.request(3, prompt: 2))
        #expect(harness.fill().first?.spans.map(\.tokens.count) == [24, 6, 2])
    }

    /// A long prompt arrives while others decode: its rows ride in their micro-batches.
    @Test func promptRowsRideWithDecodeAndNobodyWaitsForAChunk() throws {
        var harness = Harness(smallPlan(stages: 1, rows: 64))
        for number in 1...6 {
            harness.arrive(Harness.request(UInt64(number), prompt: 3, tokens: 999))
        }
        harness.fill()
        try harness.comeBack()
        harness.arrive(Harness.request(7, prompt: 600, tokens: 1))
        var riderCounts: [Int] = []
        while harness.finished[7] == nil {
            let sent = harness.fill()
            #expect(sent.map(\.phase) == [.decode])
            #expect(sent.allSatisfy { $0.spans.prefix(6).allSatisfy { $0.tokens.count == 1 } })
            riderCounts.append((sent.first?.rowCount ?? 0) - 6)
            // 100 ms for a step, and 2 ms for each row above 16.
            try harness.comeBack { .milliseconds(100 + max(0, 2 * ($0 - 16))) }
        }
        // 100 ms may become 160: that is 46 rows, and the next known number below is 32.
        #expect(riderCounts.max() == 48 - 6 && riderCounts.count { $0 == 32 - 6 } > 15)
        #expect(riderCounts.count < 40)
    }

    @Test func aStepThatIsNotKnownIsMeasuredWithoutRiders() throws {
        var harness = Harness(smallPlan(stages: 1, rows: 64))
        harness.arrive(Harness.request(1, prompt: 3, tokens: 999))
        harness.fill()
        try harness.comeBack()
        harness.fill()
        try harness.comeBack { _ in .milliseconds(9) }
        harness.arrive(Harness.request(2, prompt: 3, tokens: 999))
        harness.arrive(Harness.request(3, prompt: 30, tokens: 999))
        // One row is known; with the second sequence there are two, which are not.
        #expect(harness.fill().first?.rowCount ?? 0 > 1)
        try harness.comeBack { _ in .milliseconds(9) }
        while harness.schedule.tokens(of: 2)?.count == 3 {
            harness.fill()
            try harness.comeBack { _ in .milliseconds(9) }
        }
        #expect(harness.fill().first?.rowCount == 2)
    }

    @Test func chunksThatCannotRideTakeTurnsWithDecode() throws {
        var harness = Harness(smallPlan(inFlight: 1, rows: 8))
        harness.arrive(Harness.request(1, prompt: 8, tokens: 20))
        harness.fill()
        try harness.comeBack()
        harness.arrive(Harness.request(2, prompt: 40, capture: .logits))
        var phases: [Phase] = []
        for _ in 0..<6 {
            phases += harness.fill().map(\.phase)
            try harness.comeBack()
        }
        #expect(phases == [.decode, .prefill, .decode, .prefill, .decode, .prefill])
    }

    @Test func placesThatDecodeLeavesEmptyArePrefillsOwn() throws {
        var harness = Harness(smallPlan(inFlight: 8))
        harness.arrive(Harness.request(1, prompt: 3, tokens: 99))
        harness.fill()
        try harness.comeBack()
        harness.arrive(Harness.request(2, prompt: 900))
        #expect(harness.fill().map(\.phase) == [.decode, .prefill, .prefill, .prefill])
    }

    @Test(arguments: [(1, 100), (7, 15), (64, 2), (4_096, 1)])
    func aSequenceKeepsItsOwnChunkLength(_ chunk: Int, _ count: Int) throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 100, tokens: 1, chunk: chunk))
        var chunks = 0
        while harness.finished.isEmpty {
            let sent = harness.fill()
            #expect(sent.allSatisfy { $0.rowCount <= chunk })
            chunks += sent.count
            try harness.comeBack()
        }
        #expect(chunks == count)
    }

    @Test func onlyLikeCapturesShareAMicroBatch() {
        var harness = Harness(smallPlan())
        harness.arrive(
            Harness.request(1, prompt: 5), Harness.request(2, prompt: 5, capture: .logits),
            Harness.request(3, prompt: 5))
        let sent = harness.fill()
        #expect(sent.map { $0.spans.map(\.sequence) } == [[1], [2], [3]])
        #expect(sent.map(\.capture) == [[], .logits, []])
        #expect(harness.schedule.microBatch(inFlight: sent[1].id) == sent[1])
    }

    @Test func historyTravelsOnlyWhereTheDrawNeedsIt() throws {
        var harness = Harness(smallPlan())
        var request = Harness.request(1, prompt: 5)
        harness.arrive(request)
        request.id = 2
        request.sampling.presencePenalty = 1
        harness.arrive(request)
        let first = try #require(harness.fill().first)
        #expect(first.spans[0].demand?.promptTokens == [])
        #expect(first.spans[1].demand?.promptTokens == request.promptTokens)
        try harness.comeBack()
        let spans = harness.fill().flatMap(\.spans)
        #expect(spans.map { $0.demand?.completionTokens } == [[], [105]])
    }

    @Test func scoringWithoutATokenEndsWhenAllRowsAreBack() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 70, tokens: 0, isScored: true))
        let sent = harness.fill()
        #expect(sent.allSatisfy { $0.spans[0].demand == nil && !$0.spans[0].targets.isEmpty })
        try harness.runDry()
        #expect(harness.scores[1] == (0..<70).map { -Float($0 % 50) })
        #expect(harness.tokens[1] == nil && harness.finished == [1: .length])
        #expect(harness.schedule.ownedPageCount == 0)
    }

    @Test func aRequestFromTheJournalContinuesAfterItsTokens() throws {
        var harness = Harness(smallPlan())
        var request = Harness.request(1, prompt: 10, tokens: 5)
        request.completionTokens = [110, 111, 112]
        harness.arrive(request)
        let sent = harness.fill()
        #expect(sent.count == 1 && sent[0].rowCount == 13)
        try harness.runDry()
        #expect(harness.tokens[1] == [113, 114] && harness.finished == [1: .length])
    }
}
