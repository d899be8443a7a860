import Histogram
import SkeinCore

/// Latencies in an HdrHistogram: microseconds, three significant digits.
///
/// Every figure is `nil` where there is no latency to make it of.
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
    var meanMs: Double? { count > 0 ? histogram.mean / 1_000 : nil }

    /// Their standard deviation, in milliseconds; one latency has none.
    var deviationMs: Double? { count > 1 ? histogram.stdDeviation / 1_000 : nil }

    /// The longest, in milliseconds.
    var maxMs: Double? { count > 0 ? Double(histogram.max) / 1_000 : nil }

    /// The latency that this share of all, in percent, does not exceed, in milliseconds.
    func percentileMs(_ percent: Double) -> Double? {
        count > 0 ? Double(histogram.valueAtPercentile(percent)) / 1_000 : nil
    }

    /// The interval that holds the true mean in 95 of 100 runs, in milliseconds.
    var meanIntervalMs: ClosedRange<Double>? {
        guard let meanMs, let deviationMs else { return nil }
        let half = Self.deviations * deviationMs / Double(count).squareRoot()
        return (meanMs - half)...(meanMs + half)
    }

    /// The interval that holds a true percentile in 95 of 100 runs, in milliseconds.
    ///
    /// It is made of the latencies at the ranks beside the percentile's (a binomial's deviation),
    /// so it says nothing about how latencies are distributed.
    func percentileIntervalMs(_ percent: Double) -> ClosedRange<Double>? {
        guard count > 1 else { return nil }
        let share = percent / 100
        let half = Self.deviations * (share * (1 - share) / Double(count)).squareRoot() * 100
        guard let low = percentileMs(max(percent - half, 0)),
            let high = percentileMs(min(percent + half, 100))
        else { return nil }
        return low...max(low, high)
    }

    /// A normal number lies within so many deviations in 95 of 100 cases.
    private static let deviations = 1.96

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
