import SkeinCore
import SkeinScheduling
import Testing

/// Sequences that are told after each token what may follow.
@Suite struct ConstrainedSequenceTests {
    typealias Harness = ScheduleHarness

    private static func constrained(_ number: UInt64, prompt: Int = 10) -> SequenceRequest {
        var request = Harness.request(number, prompt: prompt)
        request.isConstrained = true
        return request
    }

    @Test func aConstrainedSequenceWaitsUntilItIsToldWhatMayFollow() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Self.constrained(1))
        harness.fill()
        try harness.comeBack()
        #expect(harness.tokens[1]?.count == 1 && harness.fill().isEmpty)
        #expect(harness.schedule.audit().isEmpty)
        harness.schedule.onAllowed(1)
        // Told twice is told once.
        harness.schedule.onAllowed(1)
        #expect(harness.fill().count == 1 && harness.schedule.audit().isEmpty)
    }

    @Test func nobodyWaitsWithIt() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Self.constrained(1), Harness.request(2, prompt: 10, tokens: 6))
        harness.fill()
        while harness.finished[2] == nil {
            try harness.comeBack()
            harness.fill()
        }
        #expect(harness.tokens[2]?.count == 6 && harness.tokens[1]?.count == 1)
    }

    @Test func aReplayWaitsAsWell() throws {
        var harness = Harness(smallPlan())
        harness.arrive(Self.constrained(1))
        harness.fill()
        try harness.comeBack()
        harness.ring = []
        _ = harness.schedule.onEpoch(Epoch(rawValue: 2))
        #expect(harness.fill().isEmpty && harness.schedule.audit().isEmpty)
        harness.schedule.onAllowed(1)
        let replay = try #require(harness.fill().last)
        #expect(replay.spans[0].demand != nil && replay.spans[0].tokens.count == 11)
    }

    @Test func anEndIsAnEndWithoutBeingTold() throws {
        var harness = Harness(smallPlan())
        var request = Self.constrained(1)
        request.stopRule.completionTokensMax = 1
        harness.arrive(request)
        harness.fill()
        try harness.comeBack()
        #expect(harness.finished == [1: .length] && harness.schedule.ownedPageCount == 0)
        harness.schedule.onAllowed(1)
        #expect(harness.fill().isEmpty)
    }
}
