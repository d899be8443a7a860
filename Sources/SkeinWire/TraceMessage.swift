// What the coordinator and a node say about what the node's lanes did.

public import SkeinCore

/// The coordinator asks a node what its lanes did.
public struct TraceRequest: Equatable, Sendable {
    /// Asks for no interval, only for the number of the last one.
    public static let fromNow = UInt64.max

    /// The number of the last interval that is known already.
    public var afterNumber: UInt64
    /// Whether intervals that have not ended are wanted too.
    public var wantsOpenIntervals: Bool

    /// Asks for the intervals after a number.
    public init(afterNumber: UInt64, wantsOpenIntervals: Bool = false) {
        self.afterNumber = afterNumber
        self.wantsOpenIntervals = wantsOpenIntervals
    }
}

/// What a node's lanes did, on the node's own clock.
public struct TraceAnswer: Equatable, Sendable {
    /// The number of the first interval; of the next one to come where there is none.
    public var firstNumber: UInt64
    /// Intervals that have ended, numbered one after the other.
    public var intervals: [TracedInterval]
    /// Intervals that have not, as far as they have come.
    public var openIntervals: [TracedInterval]

    /// Answers a request.
    ///
    /// - Precondition: all intervals are of stages or expert hosts; a node knows no others.
    public init(
        firstNumber: UInt64, intervals: [TracedInterval], openIntervals: [TracedInterval] = []
    ) {
        self.firstNumber = firstNumber
        self.intervals = intervals
        self.openIntervals = openIntervals
    }
}
