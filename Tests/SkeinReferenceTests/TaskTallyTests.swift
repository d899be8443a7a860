import SkeinReference
import Testing

@Suite struct TaskTallyTests {
    @Test func sharesAndTheirErrorsAreThoseOfASample() throws {
        var tally = TaskTally()
        #expect(tally.accuracy == nil)
        for isRight in [true, true, true, false] { tally.take(isRight) }
        #expect(tally.accuracy == 0.75 && tally.normalizedAccuracy == nil && tally.count == 4)
        // sqrt(0.75 * 0.25 / 3)
        #expect(tally.standardError(of: 0.75) == 0.25)
    }

    @Test func choicesCountInTwoWays() {
        var tally = TaskTally()
        tally.take(true, normalized: false)
        tally.take(false, normalized: false)
        #expect(tally.accuracy == 0.5 && tally.normalizedAccuracy == 0)
        var one = TaskTally()
        one.take(true, normalized: true)
        #expect(one.standardError(of: 1) == nil)
    }
}
