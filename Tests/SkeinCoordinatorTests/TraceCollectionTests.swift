import SkeinCore
import SkeinTelemetry
import SkeinWire
import Testing

@testable import SkeinCoordinator

/// A window from 10 to 20 seconds of a node whose clock is 5 seconds ahead, give or take 100 µs.
@Suite struct TraceCollectionTests {
    private static let ahead: Int64 = 5_000_000

    private static func intervals(_ spans: [(Int64, Int64)]) -> [TracedInterval] {
        var collection = TraceCollection(of: ["a"], since: .seconds(10))
        _ = collection.ask()
        collection.onAnswer(
            TraceAnswer(
                firstNumber: 1,
                intervals: spans.map {
                    TracedInterval(
                        lane: .stage(StageIndex(0)), kind: .decode,
                        startMicroseconds: $0.0 + ahead, endMicroseconds: $0.1 + ahead)
                }), of: "a")
        let trace = collection.trace(
            nodes: ["a"], stages: [],
            clocks: ["a": (.microseconds(ahead), .microseconds(100))], until: .seconds(20))
        return trace.nodes[1].intervals
    }

    @Test func intervalsAreMovedToTheCoordinatorsClockAndCutToTheWindow() {
        let found = Self.intervals([(9_000_000, 11_000_000), (19_500_000, 23_000_000)])
        #expect(found.map(\.startMicroseconds) == [10_000_000, 19_500_000])
        #expect(found.map(\.endMicroseconds) == [11_000_000, 20_000_000])
    }

    @Test func whatEndedBeforeOrBeganAfterIsLeftOut() {
        #expect(Self.intervals([(9_000_000, 9_999_899), (20_000_101, 20_000_200)]).isEmpty)
    }

    /// A step right behind the beginning may seem to lie before it.
    @Test func whatMayHaveBeenInsideForTheClocksErrorStays() {
        let found = Self.intervals([(9_999_000, 9_999_900), (20_000_100, 20_000_200)])
        #expect(found.map(\.startMicroseconds) == [10_000_000, 20_000_000])
        #expect(found.map(\.endMicroseconds) == [10_000_000, 20_000_000])
    }
}
