import SkeinTelemetry
import Testing

@Suite struct HiddenTimeTests {
    @Test func computeUnderAllOfACommunicationHidesAllOfIt() {
        let (all, hidden) = HiddenTime.measure([10..<20], under: [0..<30])
        #expect(all == 10 && hidden == 10)
    }

    @Test func onlyTheTimeUnderComputeIsHidden() {
        let (all, hidden) = HiddenTime.measure([10..<20], under: [0..<12, 15..<16, 19..<40])
        #expect(all == 10 && hidden == 2 + 1 + 1)
    }

    @Test func communicationsThatOverlapCountEachByThemselves() {
        let (all, hidden) = HiddenTime.measure([0..<10, 5..<15, 5..<15], under: [5..<10])
        #expect(all == 30 && hidden == 15)
    }

    @Test func computeCountsOnceHoweverManyIntervalsCoverAMoment() {
        let (all, hidden) = HiddenTime.measure([0..<10], under: [2..<8, 3..<5, 4..<9, 4..<4])
        #expect(all == 10 && hidden == 7)
    }

    @Test func whereNothingIsComputedNothingIsHidden() {
        #expect(HiddenTime.measure([0..<10], under: []) == (10, 0))
        #expect(HiddenTime.measure([], under: [0..<10]) == (0, 0))
    }

    @Test func aUnionIsOrderedAndItsSpansDoNotTouch() {
        #expect(HiddenTime.union([5..<7, 1..<3, 3..<4, 6..<9, 8..<8]) == [1..<4, 5..<9])
    }
}
