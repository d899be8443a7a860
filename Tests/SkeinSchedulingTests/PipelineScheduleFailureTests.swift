import SkeinCore
import SkeinScheduling
import Testing

/// Preemption, cancellation, new epochs and returns that do not fit.
@Suite struct PipelineScheduleFailureTests {
    typealias Harness = ScheduleHarness

    @Test func theYoungestGivesUpItsPagesAndLosesNothing() throws {
        // The older grows into the third page while the younger has the last one.
        var harness = Harness(smallPlan(pages: 3))
        harness.arrive(
            Harness.request(1, prompt: 100, tokens: 60), Harness.request(2, prompt: 30, tokens: 40))
        try harness.runDry()
        #expect(harness.schedule.totals.preemptionCount == 1)
        #expect(harness.released == [2, 1, 2])
        #expect(harness.tokens[1] == (200..<260).map { TokenID($0) })
        #expect(harness.tokens[2] == (130..<170).map { TokenID($0) })
        #expect(harness.finished == [1: .length, 2: .length])
        #expect(harness.schedule.ownedPageCount == 0 && harness.schedule.audit().isEmpty)
    }

    @Test func theYoungestWaitsForPagesOfOlderOnes() throws {
        var harness = Harness(smallPlan(pages: 3))
        harness.arrive(
            Harness.request(1, prompt: 60, tokens: 60), Harness.request(2, prompt: 60, tokens: 60))
        try harness.runDry()
        #expect(harness.schedule.totals.preemptionCount == 0 && harness.released == [1, 2])
        #expect(harness.tokens[2] == (160..<220).map { TokenID($0) })
    }

    @Test func aTokenInFlightWhenItsSequenceIsPreemptedIsNotLost() throws {
        var harness = Harness(smallPlan(pages: 3))
        harness.arrive(
            Harness.request(1, prompt: 100, tokens: 60), Harness.request(2, prompt: 30, tokens: 40))
        harness.fill()
        while harness.schedule.totals.preemptionCount == 0 {
            try harness.comeBack()
            harness.fill()
        }
        let drawn = harness.tokens[2]?.count ?? 0
        #expect(harness.ring.contains { $0.spans.contains { $0.sequence == 2 } })
        #expect(harness.released.isEmpty && harness.schedule.audit().isEmpty)
        try harness.comeBack()
        #expect(harness.tokens[2]?.count == drawn + 1 && harness.released == [2])
    }

    @Test func pagesOfACancelledSequenceAreFreeOnlyWhenItsLastMicroBatchIsBack() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 100))
        #expect(harness.fill().count == 4)
        harness.note(harness.schedule.onCancel(1))
        #expect(harness.finished == [1: .cancelled] && harness.fill().isEmpty)
        for _ in 0..<3 {
            try harness.comeBack()
            #expect(harness.schedule.ownedPageCount == 2 && harness.released.isEmpty)
        }
        try harness.comeBack()
        #expect(harness.schedule.ownedPageCount == 0 && harness.released == [1])
        #expect(harness.tokens.isEmpty && harness.schedule.liveCount == 0)
    }

    @Test func cancellingWhatWaitsOrIsUnknownIsHarmless() {
        var harness = Harness(smallPlan(running: 1))
        harness.arrive(Harness.request(1, prompt: 9), Harness.request(2, prompt: 9))
        harness.fill()
        harness.note(harness.schedule.onCancel(2))
        #expect(harness.finished == [2: .cancelled] && harness.released.isEmpty)
        #expect(harness.schedule.onCancel(2).isEmpty && harness.schedule.onCancel(77).isEmpty)
        #expect(harness.schedule.liveCount == 1)
    }

    @Test func afterANewEpochInterruptedStreamsAreReplayedInWholeChunksOneAfterTheOther() throws {
        var harness = Harness(smallPlan(pages: 64))
        for number in 1...3 {
            harness.arrive(Harness.request(UInt64(number), prompt: 90, tokens: 60))
        }
        while harness.tokens[3]?.count ?? 0 < 4 {
            harness.fill()
            try harness.comeBack()
        }
        let chunkRows = harness.schedule.plan.prefillBudget.rowsMax
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2)))
        var resumed: [SequenceID] = []
        let produced = harness.tokens.mapValues(\.count)
        while resumed.count < 3 {
            for microBatch in harness.fill() {
                guard microBatch.spans.last?.demand == nil else { continue }
                #expect(microBatch.rowCount >= chunkRows, "decode rides along and costs no row")
            }
            try harness.comeBack()
            for (id, count) in produced
            where harness.tokens[id]?.count != count && !resumed.contains(id) {
                resumed.append(id)
            }
        }
        #expect(resumed == [1, 2, 3])
    }

    @Test func aNewEpochReplaysPromptAndCompletionAndDropsOldReturns() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 40, tokens: 6))
        harness.fill()
        try harness.comeBack()
        try harness.comeBack()
        harness.fill()
        let stale = harness.ring
        #expect(harness.tokens[1] == [140] && stale.count == 1)
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2)))
        #expect(harness.schedule.inFlightCount == 0 && harness.schedule.ownedPageCount == 0)
        let sent = harness.fill()
        #expect(sent.allSatisfy { $0.epoch == Epoch(rawValue: 2) && $0.phase == .prefill })
        #expect(sent.map(\.rowCount) == [32, 9])
        #expect(sent[1].spans[0].tokens.last == 140)
        #expect(try harness.schedule.onReturn(Harness.answer(stale[0])).isEmpty)
        try harness.runDry()
        #expect(harness.tokens[1] == [140, 141, 142, 143, 144, 145])
        #expect(harness.schedule.totals.staleReturnCount == 1)
    }

    @Test func aNewEpochDoesNotScoreTwice() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 70, tokens: 3, isScored: true))
        harness.fill()
        try harness.comeBack()
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 5)))
        try harness.runDry()
        #expect(harness.scores[1] == (0..<70).map { -Float($0 % 50) })
        #expect(harness.tokens[1] == [170, 171, 172])
    }

    @Test func aSequenceThatTheNewPlanCannotHoldIsRefusedWithNumbers() {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 200), Harness.request(2, prompt: 20))
        harness.fill()
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2), plan: smallPlan(pages: 2)))
        let line = "prompt: needs 201 positions, the latent cache holds 128 (2 pages of 64 rows)"
        #expect(harness.refused.mapValues(\.description) == [1: line])
        #expect(harness.schedule.liveCount == 1)
    }

    @Test(arguments: [
        ("number", "token return of micro-batch 9: answers none in flight"),
        ("epoch", "token return of micro-batch 1: has epoch 3, the ring has 1"),
        ("count", "token return of micro-batch 1: has 0 tokens, 1 were asked for"),
        (
            "position",
            "token return of micro-batch 1: has a token of sequence 1 at position 11, "
                + "expected sequence 1 at position 10"
        ),
        ("scores", "token return of micro-batch 1: has 1 scores, 0 were asked for"),
    ])
    func aReturnThatAnswersNothingIsRefusedAndChangesNothing(
        _ fault: String, _ line: String
    ) throws {
        var harness = Harness(smallPlan())
        harness.arrive(Harness.request(1, prompt: 10))
        let sent = try #require(harness.fill().first)
        var answer = Harness.answer(sent)
        switch fault {
        case "number": answer.microBatch = MicroBatchID(rawValue: 9)
        case "epoch": answer.epoch = Epoch(rawValue: 3)
        case "count": answer.tokens = []
        case "position": answer.tokens[0].position = 11
        default: answer.targetScores = [TargetScore(logprob: 0)]
        }
        #expect {
            _ = try harness.schedule.onReturn(answer)
        } throws: { error in
            (error as? Refusal)?.description == line
        }
        #expect(harness.schedule.inFlightCount == 1 && harness.schedule.audit().isEmpty)
        try harness.comeBack()
        #expect(harness.tokens[1] == [110])
    }
}
