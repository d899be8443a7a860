/// How much of the communication is hidden under compute: the one place that says what that means.
///
/// **Hidden share** = communication time under which the same node computed ÷ all communication
/// time. Each communication counts by itself: two that overlap are two. Compute counts once,
/// however many of a node's intervals cover a moment.
public enum HiddenTime {
    /// From one moment to another, in microseconds.
    public typealias Span = Range<Int64>

    /// Overlapping and touching spans made one, in order of time; empty ones are dropped.
    public static func union(_ spans: [Span]) -> [Span] {
        var union: [Span] = []
        for span in spans.filter({ !$0.isEmpty }).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = union.last, span.lowerBound <= last.upperBound {
                union[union.count - 1] =
                    last.lowerBound..<max(last.upperBound, span.upperBound)
            } else {
                union.append(span)
            }
        }
        return union
    }

    /// The time of a span that a union covers.
    ///
    /// - Parameter union: as ``union(_:)`` gives it.
    public static func covered(_ span: Span, by union: [Span]) -> Int64 {
        var low = 0
        var high = union.count
        // The first span that ends after ours begins.
        while low < high {
            let middle = (low + high) / 2
            if union[middle].upperBound <= span.lowerBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var sum: Int64 = 0
        for other in union[low...] {
            guard other.lowerBound < span.upperBound else { break }
            sum += other.clamped(to: span).length
        }
        return sum
    }

    /// All time of communications, and how much of it is under compute of the same node.
    public static func measure(
        _ communications: [Span], under compute: [Span]
    ) -> (all: Int64, hidden: Int64) {
        let union = union(compute)
        return communications.reduce((0, 0)) { sum, span in
            (sum.0 + span.length, sum.1 + covered(span, by: union))
        }
    }
}

extension Range<Int64> {
    /// The time from the one end to the other.
    var length: Int64 { upperBound - lowerBound }
}
