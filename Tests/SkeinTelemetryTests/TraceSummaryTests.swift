import SkeinCore
import SkeinTelemetry
import Testing

@Suite struct TraceSummaryTests {
    private static let first = TraceLane.stage(StageIndex(0))
    private static let second = TraceLane.stage(StageIndex(1))

    private static func interval(
        _ lane: TraceLane, _ kind: IntervalKind, _ span: Range<Int64>, of microBatch: UInt64? = nil,
        layer: Int? = nil
    ) -> TracedInterval {
        TracedInterval(
            lane: lane, kind: kind, microBatch: microBatch.map { MicroBatchID(rawValue: $0) },
            layer: layer.map { LayerIndex($0) }, startMicroseconds: span.lowerBound,
            endMicroseconds: span.upperBound)
    }

    /// Two nodes; micro-batch 1 goes round, while micro-batch 2 is on the second stage.
    private static func trace(owners: [Int] = [0, 1]) -> ClusterTrace {
        ClusterTrace(
            startMicroseconds: 0, endMicroseconds: 100,
            nodes: [
                .init(
                    name: "coordinator",
                    intervals: [
                        interval(.coordinator, .sending, 0..<0, of: 1),
                        interval(.coordinator, .receiving, 90..<90, of: 1),
                    ]),
                .init(
                    name: "a", clockErrorMicroseconds: 3,
                    intervals: [
                        interval(first, .waitingIn, -20..<10),
                        interval(first, .receiving, 8..<10, of: 1),
                        interval(first, .decode, 10..<30, of: 1),
                        interval(first, .sending, 30..<34, of: 1),
                        interval(first, .waitingIn, 34..<120),
                    ]),
                .init(
                    name: "b", clockErrorMicroseconds: 2,
                    intervals: [
                        interval(second, .decode, 20..<45, of: 2),
                        interval(second, .receiving, 48..<50, of: 1),
                        interval(second, .decode, 50..<70, of: 1),
                        interval(second, .sending, 70..<72, of: 1),
                    ]),
            ],
            stages: [
                .init(index: StageIndex(0), node: 1, owner: owners[0]),
                .init(index: StageIndex(1), node: 2, owner: owners[1]),
            ])
    }

    @Test func hopsAreFoundFromBothOfTheirEnds() {
        let hops = Self.trace().hops
        #expect(hops.map(\.to) == [Self.first, Self.second, .coordinator])
        #expect(hops.map(\.startMicroseconds) == [0, 30, 70])
        #expect(hops.map(\.endMicroseconds) == [10, 50, 90])
        #expect(Self.trace().clockErrorMicroseconds == 5)
    }

    @Test func sharesAreOfTheWindow() {
        let summary = TraceSummary(Self.trace())
        #expect(summary.stages.map(\.busyShare) == [0.2, 0.45])
        #expect(summary.stages[0].waitingInSeconds == 76e-6)
        #expect(summary.stages[0].sendingSeconds == 4e-6)
        #expect(summary.stages.map(\.stepCount) == [1, 2])
        #expect(abs(summary.stages[1].bubbleShare - 0.55) < 1e-9)
    }

    @Test func aHopBelongsToTheNodeThatItReaches() {
        let summary = TraceSummary(Self.trace())
        // The hop of 20 to the second stage lies under 15 of its compute; the first stage computes
        // under none of the return and the step.
        #expect(summary.stages[1].communicationSeconds == 20e-6)
        #expect(summary.stages[1].hiddenSeconds == 15e-6)
        #expect(summary.stages[0].communicationSeconds == 30e-6)
        #expect(summary.stages[0].hiddenSeconds == 0)
        #expect(abs((summary.hiddenShare ?? 0) - 0.3) < 1e-9)
        #expect(summary.stages[0].hopSeconds == 15e-6)
    }

    @Test func stagesOnTheSameThreadsHideForEachOther() {
        let summary = TraceSummary(Self.trace(owners: [7, 7]))
        // From 10 to 45 and from 50 to 70 the threads work.
        #expect(summary.stages.map { ($0.bubbleShare * 100).rounded() } == [45, 45])
        #expect(summary.stages[1].hiddenSeconds == 15e-6)
        #expect(summary.stages[0].hiddenSeconds == 0)
    }

    @Test func waitsForExpertsAreCommunicationOfTheirStage() {
        var trace = Self.trace()
        trace.nodes[1].intervals += [
            Self.interval(Self.first, .waitingCombine, 20..<40, of: 3, layer: 4)
        ]
        let stage = TraceSummary(trace).stages[0]
        #expect(stage.waitingCombineSeconds == 20e-6)
        #expect(stage.communicationSeconds == 50e-6 && stage.hiddenSeconds == 10e-6)
    }

    @Test func withoutCommunicationThereIsNoShare() {
        var trace = Self.trace()
        trace.nodes[0].intervals = []
        trace.nodes[2].intervals = []
        #expect(TraceSummary(trace).hiddenShare == nil)
    }
}
