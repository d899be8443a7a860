import SkeinCore
import SkeinTelemetry
import Testing

@Suite struct NodeTimelineTests {
    private func interval(_ number: Int64) -> TracedInterval {
        TracedInterval(
            lane: .stage(StageIndex(0)), kind: .decode, startMicroseconds: number,
            endMicroseconds: number + 1)
    }

    @Test func aReaderGetsWhatCameSinceItLastRead() {
        var timeline = NodeTimeline(capacity: 8)
        for number in 1...3 { timeline.note(interval(Int64(number))) }
        let first = timeline.excerpt(after: 0, countMax: 100)
        #expect(first.firstNumber == 1 && first.intervals == (1...3).map { interval($0) })
        timeline.note(interval(4))
        let second = timeline.excerpt(after: first.lastNumber, countMax: 100)
        #expect(second.firstNumber == 4 && second.intervals == [interval(4)])
        let third = timeline.excerpt(after: second.lastNumber, countMax: 100)
        #expect(third.firstNumber == 5 && third.intervals.isEmpty && third.lastNumber == 4)
    }

    @Test func aLateReaderLearnsWhatItMissed() {
        var timeline = NodeTimeline(capacity: 4)
        for number in 1...10 { timeline.note(interval(Int64(number))) }
        let excerpt = timeline.excerpt(after: 2, countMax: 100)
        #expect(excerpt.firstNumber == 7 && excerpt.intervals == (7...10).map { interval($0) })
    }

    @Test func whoAsksFromNowOnGetsNothingButTheNumber() {
        var timeline = NodeTimeline(capacity: 4)
        #expect(timeline.excerpt(after: .max, countMax: 9).firstNumber == 1)
        for number in 1...6 { timeline.note(interval(Int64(number))) }
        let excerpt = timeline.excerpt(after: .max, countMax: 9)
        #expect(excerpt.firstNumber == 7 && excerpt.intervals.isEmpty)
    }

    @Test func anExcerptIsNoLongerThanAskedFor() {
        var timeline = NodeTimeline(capacity: 8)
        for number in 1...6 { timeline.note(interval(Int64(number))) }
        let excerpt = timeline.excerpt(after: 1, countMax: 2)
        #expect(excerpt.intervals == [interval(2), interval(3)])
        #expect(timeline.excerpt(after: 1, countMax: 0).intervals.isEmpty)
    }
}
