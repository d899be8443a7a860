import Testing

@testable import SkeinStage

@Suite struct StepTurnsTests {
    @Test func noStepComesToALayerBeforeAnEarlierOne() {
        var turns = StepTurns()
        #expect(turns.mayRun(0, block: 0) && !turns.mayRun(1, block: 0))
        turns.onBlock(0, of: 0)
        #expect(turns.mayRun(1, block: 0) && !turns.mayRun(1, block: 1))
        turns.onBlock(0, of: 1)
        turns.onBlock(1, of: 0)
        #expect(turns.mayRun(1, block: 1) && turns.mayRun(2, block: 0))
        #expect(!turns.mayRun(2, block: 1))
    }

    @Test func anEndedStepIsInNobodysWay() {
        var turns = StepTurns()
        turns.onBlock(0, of: 0)
        turns.onBlock(0, of: 1)
        turns.onEnd(1)
        #expect(turns.mayRun(2, block: 0) && !turns.mayRun(2, block: 1))
        #expect(!turns.isFirst(2))
        turns.onEnd(0)
        #expect(turns.mayRun(2, block: 5) && turns.isFirst(2))
    }
}
