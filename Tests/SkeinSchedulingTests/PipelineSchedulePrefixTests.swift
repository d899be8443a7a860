import SkeinCore
import Testing

@testable import SkeinScheduling

/// Shared beginnings: what is taken from the index, who waits for whom, who owns what meanwhile.
@Suite struct PipelineSchedulePrefixTests {
    typealias Harness = ScheduleHarness

    /// A harness in which a prompt of so many tokens has been run and has ended.
    private static func harness(
        afterPrompt count: Int, pages: Int = 64, tenant: String = ""
    ) throws -> Harness {
        var harness = Harness(smallPlan(pages: pages, rows: 64, reuses: true))
        harness.arrive(Harness.request(1, prompt: count, tokens: 1, tenant: tenant))
        try harness.runDry()
        return harness
    }

    @Test func anEqualPromptOfTheSameTenantRunsItsLastTokenOnly() throws {
        var harness = try Self.harness(afterPrompt: 150, tenant: "a")
        #expect(harness.schedule.idlePageCount == 3 && harness.schedule.ownedPageCount == 0)
        harness.arrive(
            Harness.request(2, prompt: 150, tokens: 1, tenant: "a"),
            Harness.request(3, prompt: 150, tokens: 1, tenant: "b"))
        let spans = harness.fill().flatMap(\.spans)
        let second = try #require(spans.first { $0.sequence == 2 })
        #expect(second.firstPosition == 149 && second.tokens.count == 1)
        #expect(second.pageTable == [0, 1, 3].map { PageIndex($0) })
        let copy = PageCopy(source: PageIndex(2), target: PageIndex(3), rowCount: 21)
        #expect(second.pageCopy == copy && second.pageCopyFault == nil)
        #expect(spans.first { $0.sequence == 3 }?.firstPosition == 0)
        #expect(harness.schedule.audit().isEmpty)
        try harness.runDry()
        #expect(harness.tokens[2] == [250] && harness.tokens[3] == [250])
        #expect(harness.cached == [1: 0, 2: 149, 3: 0])
        #expect(harness.schedule.totals.reusedRowCount == 149)
        #expect(harness.schedule.totals.cachedTokenCount == 149)
        #expect(harness.schedule.totals.promptTokenCount == 450)
        #expect(harness.schedule.audit().isEmpty)
    }

    @Test func theLastTokenIsRunThoughItsPageIsKnown() throws {
        var harness = try Self.harness(afterPrompt: 128)
        harness.arrive(Harness.request(2, prompt: 128, tokens: 1))
        let span = try #require(harness.fill().first?.spans.first)
        #expect(span.firstPosition == 127)
        #expect(
            span.pageCopy
                == PageCopy(source: PageIndex(1), target: PageIndex(2), rowCount: 63))
    }

    @Test func theNextTurnFindsTheAnswerBeforeIt() throws {
        var harness = Harness(smallPlan(reuses: true))
        harness.arrive(Harness.request(1, prompt: 100, tokens: 60))
        try harness.runDry()
        var next = Harness.request(2, prompt: 100, tokens: 1)
        next.promptTokens += (harness.tokens[1] ?? []) + [7, 8, 9]
        harness.arrive(next)
        // The answer's last token was never run.
        #expect(harness.fill().first?.spans.first?.firstPosition == 159)
        #expect(harness.cached[2] == 159)
    }

    @Test func aCopiedPageIsOwnedUntilTheCopyIsBack() throws {
        var harness = try Self.harness(afterPrompt: 150)
        harness.arrive(Harness.request(2, prompt: 150, tokens: 9))
        harness.fill()
        #expect(harness.schedule.ownedPageCount == 4 && harness.schedule.idlePageCount == 0)
        harness.note(harness.schedule.onCancel(2))
        #expect(harness.schedule.ownedPageCount == 4 && harness.schedule.audit().isEmpty)
        try harness.comeBack()
        #expect(harness.schedule.ownedPageCount == 0 && harness.schedule.audit().isEmpty)
    }

    /// Every page is free, owned or idle, and every sequence waits or has begun.
    @Test func theCountsTellWhatIsHeldAndWhatWasDone() throws {
        var harness = try Self.harness(afterPrompt: 150)
        var counts = harness.schedule.counts
        #expect(counts.ownedPageCount == 0 && counts.idlePageCount > 0 && counts.liveCount == 0)
        #expect(counts.totals.arrivalCount == 1 && counts.totals.finishCount == 1)
        harness.arrive(Harness.request(2, prompt: 150, tokens: 9))
        harness.arrive(Harness.request(3, prompt: 20, tokens: 2))
        counts = harness.schedule.counts
        #expect(counts.liveCount == 2 && counts.waitingCount == 2 && counts.runningCount == 0)
        harness.fill()
        counts = harness.schedule.counts
        #expect(counts.liveCount == 2 && counts.waitingCount == 0 && counts.runningCount == 2)
        #expect(counts.inFlightCount == harness.ring.count && counts.inFlightCount > 0)
        #expect(counts.ownedPageCount > 0)
        #expect(counts.totals.cachedTokenCount == harness.cached.values.reduce(0, +))
        #expect(counts.totals.cachedTokenCount >= 149)
        #expect(counts.pageCount == harness.schedule.plan.pageCount)
        #expect(counts.waitingMax == harness.schedule.plan.waitingSequencesMax)
        #expect(counts.inFlightMax == harness.schedule.plan.microBatchesInFlightMax)
        #expect(counts.totals == harness.schedule.totals)
    }

    @Test func aNewEpochKnowsNothing() throws {
        var harness = try Self.harness(afterPrompt: 150)
        harness.arrive(Harness.request(2, prompt: 150, tokens: 2))
        harness.fill()
        harness.ring = []
        harness.note(harness.schedule.onEpoch(Epoch(rawValue: 2)))
        #expect(harness.schedule.idlePageCount == 0 && harness.schedule.knownPageCount == 0)
        #expect(harness.schedule.audit().isEmpty)
        #expect(harness.fill().first?.spans.first?.firstPosition == 0)
        try harness.runDry()
        #expect(harness.tokens[2] == [250, 251] && harness.cached[2] == 149)
    }

    @Test func whoAsksForInnerValuesOrScoresRunsEveryRow() throws {
        var harness = try Self.harness(afterPrompt: 150)
        harness.arrive(
            Harness.request(2, prompt: 150, tokens: 1, isScored: true),
            Harness.request(3, prompt: 150, tokens: 1, capture: .logits))
        try harness.runDry()
        #expect(harness.cached == [1: 0, 2: 0, 3: 0])
    }

    @Test func equalPromptsThatArriveTogetherRunOnce() throws {
        var harness = Harness(smallPlan(rows: 256, reuses: true))
        for number in 1...8 {
            harness.arrive(Harness.request(UInt64(number), prompt: 150, tokens: 3))
        }
        #expect(harness.fill().flatMap(\.spans).map(\.sequence) == [1])
        #expect(harness.fill().isEmpty && harness.schedule.audit().isEmpty)
        try harness.comeBack()
        let spans = harness.fill().flatMap(\.spans).filter { $0.sequence != 1 }
        #expect(spans.map(\.sequence) == [2, 3, 4, 5, 6, 7, 8])
        #expect(spans.allSatisfy { $0.firstPosition == 149 })
        try harness.runDry()
        #expect((1...8).allSatisfy { harness.tokens[SequenceID(rawValue: $0)] == [250, 251, 252] })
        #expect(harness.schedule.totals.prefillRowCount == 157)
    }

    @Test func whoSharesNothingPassesThoseWhoWait() {
        var harness = Harness(smallPlan(rows: 512, reuses: true))
        var other = Harness.request(3, prompt: 150)
        other.promptTokens[0] = 49
        harness.arrive(
            Harness.request(1, prompt: 150), Harness.request(2, prompt: 150), other,
            Harness.request(4, prompt: 150, tenant: "another"))
        #expect(harness.fill().flatMap(\.spans).map(\.sequence) == [1, 3, 4])
    }

    @Test func lessThanAPageIsNotWorthAWait() {
        var harness = Harness(smallPlan(rows: 256, reuses: true))
        harness.arrive(Harness.request(1, prompt: 64), Harness.request(2, prompt: 64))
        #expect(harness.fill().flatMap(\.spans).map(\.sequence) == [1, 2])
    }

    @Test func aPrefixWaiterTakesOverWhereItsOwnerIsCancelled() throws {
        var harness = Harness(smallPlan(inFlight: 2, rows: 64, reuses: true))
        harness.arrive(
            Harness.request(1, prompt: 400, tokens: 1), Harness.request(2, prompt: 400, tokens: 1),
            Harness.request(3, prompt: 400, tokens: 1))
        harness.fill()
        try harness.comeBack()
        harness.note(harness.schedule.onCancel(1))
        // The second goes on from what the first has run; the third now waits for the second.
        let span = try #require(harness.fill().first?.spans.first)
        #expect(span.sequence == 2 && span.firstPosition == 64)
        try harness.runDry()
        #expect(harness.tokens == [2: [500], 3: [500]])
        #expect(harness.cached[3] == 399 && harness.schedule.audit().isEmpty)
    }

    @Test func aPrefixWaiterTakesOverWhereItsOwnerIsPreempted() throws {
        // The first grows into the page that the second needs; the third follows the second.
        var harness = Harness(smallPlan(pages: 6, rows: 64, reuses: true))
        harness.arrive(Harness.request(1, prompt: 60, tokens: 200, tenant: "other"))
        harness.fill()
        try harness.comeBack()
        harness.arrive(
            Harness.request(2, prompt: 250, tokens: 40), Harness.request(3, prompt: 250, tokens: 40)
        )
        try harness.runDry()
        #expect(harness.tokens[2] == (350..<390).map { TokenID($0) })
        #expect(harness.tokens[3] == harness.tokens[2])
        #expect(harness.finished == [1: .length, 2: .length, 3: .length])
        #expect(harness.schedule.ownedPageCount == 0 && harness.schedule.audit().isEmpty)
    }

    @Test func aSequenceThatNeedsEveryPageGivesUpItsCopy() throws {
        var harness = try Self.harness(afterPrompt: 50, pages: 2)
        #expect(harness.schedule.idlePageCount == 1)
        // Two pages are all there are, and one of them holds what could be copied.
        harness.arrive(Harness.request(2, prompt: 110, tokens: 10))
        try harness.runDry()
        #expect(harness.finished[2] == .length && harness.tokens[2]?.count == 10)
        #expect(harness.schedule.totals.evictionCount >= 1)
        #expect(harness.schedule.audit().isEmpty)
    }

    @Test func idlePagesMakeRoomBeforeAnyoneIsPreempted() throws {
        var harness = try Self.harness(afterPrompt: 130, pages: 3)
        #expect(harness.schedule.idlePageCount == 3)
        harness.arrive(Harness.request(2, prompt: 180, tokens: 1, tenant: "other"))
        try harness.runDry()
        #expect(harness.finished[2] == .length)
        #expect(harness.schedule.totals.preemptionCount == 0)
        #expect(harness.schedule.totals.evictionCount == 3)
        #expect(harness.schedule.audit().isEmpty)
    }

    @Test func theBeginningUsedLeastLatelyGoesFirst() throws {
        var harness = Harness(smallPlan(pages: 8, rows: 256, reuses: true))
        // Three beginnings of two pages each; the first is used again.
        for (number, tenant) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
            harness.arrive(
                Harness.request(UInt64(number), prompt: 120, tokens: 1, tenant: tenant))
            try harness.runDry()
        }
        harness.arrive(Harness.request(5, prompt: 250, tokens: 1, tenant: "d"))
        try harness.runDry()
        for (number, tenant) in [(6, "a"), (7, "b")] {
            harness.arrive(
                Harness.request(UInt64(number), prompt: 120, tokens: 1, tenant: tenant))
            try harness.runDry()
        }
        #expect(harness.cached[6] == 119 && harness.cached[7] ?? 0 < 119)
    }

    /// The oldest grows until two younger ones own nothing but pages that they share: neither alone
    /// would free one, so both must go.
    @Test(arguments: 56...72)
    func pagesThatOnlyYoungerOnesShareAreReclaimed(_ prompt: Int) throws {
        var harness = Harness(smallPlan(pages: 8, inFlight: 1, rows: 1, reuses: true))
        harness.arrive(
            Harness.request(1, prompt: prompt, tokens: 350, tenant: "other"),
            Harness.request(2, prompt: 192, tokens: 9), Harness.request(3, prompt: 194, tokens: 9))
        try harness.runDry()
        #expect(harness.finished == [1: .length, 2: .length, 3: .length])
        #expect(harness.schedule.audit().isEmpty)
    }

    @Test func theEndOfAChainIsEvictedBeforeItsBeginning() throws {
        var harness = try Self.harness(afterPrompt: 150, pages: 4)
        harness.arrive(Harness.request(2, prompt: 100, tokens: 1, tenant: "other"))
        try harness.runDry()
        #expect(harness.schedule.totals.evictionCount == 1)
        harness.arrive(Harness.request(3, prompt: 150, tokens: 1))
        try harness.runDry()
        #expect(harness.cached[3] == 128)
    }

    /// A return may come before the news that a chunk before it has failed.
    @Test func rowsBehindAMissingChunkAreNotKnown() throws {
        var harness = Harness(smallPlan(inFlight: 4, rows: 64, reuses: true))
        harness.arrive(Harness.request(1, prompt: 200, tokens: 1))
        harness.fill()
        let failed = harness.ring.removeFirst()
        try harness.comeBack()
        #expect(harness.schedule.knownPageCount == 0)
        harness.note(harness.schedule.onFault(failed.id))
        try harness.runDry()
        #expect(harness.schedule.knownPageCount == 0 && harness.schedule.audit().isEmpty)
    }

    @Test func rowsOfAFailedStepAreNeverShared() throws {
        var harness = Harness(smallPlan(inFlight: 4, rows: 64, reuses: true))
        harness.arrive(Harness.request(1, prompt: 200, tokens: 1))
        harness.fill()
        try harness.comeBack()
        harness.note(harness.schedule.onFault(harness.ring.removeFirst().id))
        #expect(harness.finished == [1: .cancelled])
        try harness.runDry()
        #expect(harness.schedule.knownPageCount == 1)
        harness.arrive(Harness.request(2, prompt: 200, tokens: 1))
        #expect(harness.fill().first?.spans.first?.firstPosition == 64)
        #expect(harness.schedule.audit().isEmpty)
    }
}
