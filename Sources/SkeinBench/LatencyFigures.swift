import Histogram
import SkeinCore

/// Latencies in an HdrHistogram: microseconds, three significant digits.
struct LatencyFigures: Sendable {
    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1,
        highestTrackableValue: UInt64(Limits.loadDuration.wholeMicroseconds),
        numberOfSignificantValueDigits: .three)

    init() {}

    init(_ latencies: some Sequence<Duration>) {
        for latency in latencies { record(latency) }
    }

    /// Takes a latency; one that is longer than the longest run counts as that.
    mutating func record(_ latency: Duration) {
        let wanted = min(max(latency, .zero), Limits.loadDuration)
        // Half a microsecond more rounds to the nearest one.
        _ = histogram.record((wanted + .nanoseconds(500)).wholeMicroseconds)
    }

    /// How many there are.
    var count: Int { Int(histogram.totalCount) }

    /// Their mean, in milliseconds.
    var meanMs: Double { histogram.mean / 1_000 }

    /// Their standard deviation, in milliseconds.
    var deviationMs: Double { histogram.stdDeviation / 1_000 }

    /// The longest, in milliseconds.
    var maxMs: Double { Double(histogram.max) / 1_000 }

    /// The latency that this share of all, in percent, does not exceed, in milliseconds.
    func percentileMs(_ percent: Double) -> Double {
        count == 0 ? 0 : Double(histogram.valueAtPercentile(percent)) / 1_000
    }

    /// Points of the cumulative distribution: milliseconds and the share at or below.
    var distribution: [(ms: Double, share: Double)] {
        guard count > 0 else { return [] }
        var points: [(ms: Double, share: Double)] = []
        var seen: UInt64 = 0
        for step in histogram.recordedValues() {
            seen += step.count
            points.append((Double(step.value) / 1_000, Double(seen) / Double(count)))
        }
        return points
    }
}
