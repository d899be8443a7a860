/// Counts of values by size, as Prometheus keeps them (a pure value).
public struct Histogram: Equatable, Sendable {
    /// The largest value of each bucket but the last, which has no bound; in rising order.
    public let bounds: [Double]

    /// Values in each bucket alone, the unbounded one last.
    public private(set) var counts: [Int]

    /// The sum of all values.
    public private(set) var sum = 0.0

    /// Opens an empty histogram.
    ///
    /// - Precondition: the bounds rise.
    public init(bounds: [Double]) {
        precondition(
            zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "the bounds must rise")
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Number of values.
    public var count: Int { counts.reduce(0, +) }

    /// Values at most as large as each bound, and at last all of them.
    public var cumulativeCounts: [Int] {
        var sum = 0
        return counts.map { count in
            sum += count
            return sum
        }
    }

    /// Takes a value; one that is not a number is left out.
    public mutating func record(_ value: Double) {
        guard !value.isNaN else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}
