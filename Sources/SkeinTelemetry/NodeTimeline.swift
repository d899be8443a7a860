public import SkeinCore

/// The last intervals of a node's lanes (a pure value; the caller reads the clock).
///
/// Always on: noting an interval is a store into a ring, and the ring never grows beyond its
/// bound. Intervals are numbered from 1, so that a reader learns what it
/// missed.
public struct NodeTimeline: Sendable {
    /// What a reader is given.
    public struct Excerpt: Equatable, Sendable {
        /// The number of the first interval; of the next one to come where there is none.
        public var firstNumber: UInt64
        /// The intervals, in the order in which they ended.
        public var intervals: [TracedInterval]

        /// The number of the last one; one less than `firstNumber` where there is none.
        public var lastNumber: UInt64 { firstNumber + UInt64(intervals.count) - 1 }
    }

    private let capacity: Int
    private var ring: [TracedInterval] = []

    /// The number of the interval noted last; 0 before the first.
    public private(set) var lastNumber: UInt64 = 0

    /// Opens an empty timeline.
    public init(capacity: Int = Limits.timelineIntervalsMax) {
        precondition(capacity > 0, "a timeline holds at least one interval")
        self.capacity = capacity
    }

    /// Notes an interval that has ended; the oldest one gives way.
    public mutating func note(_ interval: TracedInterval) {
        let place = Int(lastNumber % UInt64(capacity))
        if ring.count < capacity { ring.append(interval) } else { ring[place] = interval }
        lastNumber += 1
    }

    /// The intervals after a number, as far as they are still here, oldest first.
    public func excerpt(after number: UInt64, countMax: Int) -> Excerpt {
        let oldest = lastNumber - UInt64(ring.count) + 1
        let first = max(oldest, min(number, lastNumber) + 1)
        let last = min(lastNumber, first + UInt64(countMax) - 1)
        guard first <= last else { return Excerpt(firstNumber: first, intervals: []) }
        let intervals = (first...last).map { ring[Int(($0 - 1) % UInt64(capacity))] }
        return Excerpt(firstNumber: first, intervals: intervals)
    }
}
