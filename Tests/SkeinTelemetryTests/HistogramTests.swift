import SkeinTelemetry
import Testing

@Suite struct HistogramTests {
    @Test func aValueOnABoundBelongsBelowIt() {
        var histogram = Histogram(bounds: [1, 2])
        for value in [0.5, 1, 1.5, 2, 2.5, -1] { histogram.record(value) }
        #expect(histogram.counts == [3, 2, 1])
        #expect(histogram.cumulativeCounts == [3, 5, 6])
        #expect(histogram.count == 6)
        #expect(histogram.sum == 6.5)
    }

    @Test func whatIsNoNumberIsLeftOut() {
        var histogram = Histogram(bounds: [1])
        histogram.record(.nan)
        #expect(histogram.count == 0)
        histogram.record(.infinity)
        #expect(histogram.counts == [0, 1])
    }
}
