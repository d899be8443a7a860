import SkeinTelemetry
import Testing

@Suite struct RequestTimelineTests {
    @Test func everyMeasureFollowsItsDefinition() {
        var timeline = RequestTimeline(receivedAt: .seconds(10))
        timeline.onBegan(at: .seconds(11))
        // A sequence that was preempted begins again; it has waited only once.
        timeline.onBegan(at: .seconds(12))
        #expect(timeline.onEmission(tokenCount: 1, at: .seconds(13)) == nil)
        #expect(timeline.onEmission(tokenCount: 3, at: .seconds(15)) == .seconds(2))
        #expect(timeline.onEmission(tokenCount: 1, at: .seconds(21)) == .seconds(6))
        #expect(timeline.queueTime == .seconds(1))
        #expect(timeline.timeToFirstToken == .seconds(3))
        #expect(timeline.endToEnd == .seconds(11))
        #expect(timeline.timePerOutputToken == .seconds(2))
        #expect(timeline.tokenCount == 5)
    }

    @Test func whatHasNotHappenedHasNoTime() {
        var timeline = RequestTimeline(receivedAt: .seconds(1))
        #expect(timeline.queueTime == nil && timeline.timeToFirstToken == nil)
        #expect(timeline.endToEnd == nil && timeline.timePerOutputToken == nil)
        timeline.onEmission(tokenCount: 1, at: .seconds(2))
        #expect(timeline.timeToFirstToken == .seconds(1))
        #expect(timeline.timePerOutputToken == nil)
    }
}
