import SkeinCore
import SkeinTelemetry
import Testing

@Suite struct TracedRoundTests {
    private static let first = TraceLane.stage(StageIndex(0))
    private static let second = TraceLane.stage(StageIndex(1))
    private static let host = TraceLane.expertHost(0)

    private static func interval(
        _ lane: TraceLane, _ kind: IntervalKind, _ span: Range<Int64>, of microBatch: UInt64,
        layer: Int? = nil, from start: Int64
    ) -> TracedInterval {
        TracedInterval(
            lane: lane, kind: kind, microBatch: MicroBatchID(rawValue: microBatch),
            layer: layer.map { LayerIndex($0) }, startMicroseconds: start + span.lowerBound,
            endMicroseconds: start + span.upperBound)
    }

    /// One round: the first stage computes 10 and 6, and waits 20 for experts, of which it computes
    /// 5 itself and `queued` more for its turn there; the second computes 30.
    private static func round(
        _ number: UInt64, from start: Int64, queued: Int64 = 0, phase: IntervalKind = .decode
    ) -> [[TracedInterval]] {
        func interval(
            _ lane: TraceLane, _ kind: IntervalKind, _ span: Range<Int64>, layer: Int? = nil
        ) -> TracedInterval {
            Self.interval(lane, kind, span, of: number, layer: layer, from: start)
        }
        let back = 30 + queued
        return [
            [
                interval(.coordinator, .sending, -2..<(-2)),
                interval(.coordinator, .receiving, (back + 55)..<(back + 55)),
            ],
            [
                interval(first, .receiving, -1..<0),
                interval(first, .attention, 0..<10, layer: 1),
                interval(first, .sending, 8..<10, layer: 1),
                interval(first, .experts, 10..<15, layer: 1),
                interval(first, .waitingCombine, 10..<back, layer: 1),
                interval(first, .experts, back..<(back + 2), layer: 1),
                interval(first, phase, (back + 2)..<(back + 6)),
                interval(first, .sending, (back + 6)..<(back + 7)),
            ],
            [
                interval(second, .receiving, (back + 9)..<(back + 10)),
                interval(second, phase, (back + 12)..<(back + 42)),
                interval(second, .sending, (back + 42)..<(back + 43)),
            ],
            [interval(host, .shard, 12..<20, layer: 1)],
        ]
    }

    /// Three rounds, of which the second waits for nobody's turn.
    private static let queuedRounds = [
        round(1, from: 100, queued: 40), round(2, from: 300), round(3, from: 500, queued: 9),
    ]

    private static func trace(_ rounds: [[[TracedInterval]]]) -> ClusterTrace {
        func lane(_ place: Int) -> [TracedInterval] { rounds.flatMap { $0[place] } }
        return ClusterTrace(
            startMicroseconds: 0, endMicroseconds: 10_000,
            nodes: [
                .init(name: "coordinator", intervals: lane(0)),
                .init(name: "a", intervals: lane(1)), .init(name: "b", intervals: lane(2)),
                .init(name: "x", intervals: lane(3)),
            ],
            stages: [
                .init(index: StageIndex(0), node: 1, owner: 0),
                .init(index: StageIndex(1), node: 2, owner: 1),
            ])
    }

    @Test func computeAndWaitsForExpertsAreToldApart() throws {
        let round = try #require(TracedRound(Self.trace([Self.round(1, from: 100)])))
        #expect(round.hasRemoteExperts)
        let stage = round.stages[0]
        #expect(stage.computeSeconds == 21e-6)
        #expect(stage.expertSeconds == 20e-6 && stage.ownSeconds == 5e-6)
        #expect(abs(stage.awaySeconds - 15e-6) < 1e-12)
        #expect(round.stages[1].computeSeconds == 30e-6 && round.stages[1].awaySeconds == 0)
        #expect(round.expertHostSeconds == [0: 8e-6])
    }

    @Test func theHopsOfStage0AreTheReturnAndTheStep() throws {
        let round = try #require(TracedRound(Self.trace([Self.round(1, from: 100)])))
        // There 2; from 36 to 40; from 72 to 85.
        #expect(abs(round.stages[0].hopSeconds - 15e-6) < 1e-12)
        #expect(abs(round.stages[1].hopSeconds - 4e-6) < 1e-12)
        #expect(abs(round.waySeconds - 19e-6) < 1e-12)
    }

    @Test func aWaitThatQueuedDoesNotCountForTheArithmetic() throws {
        let round = try #require(TracedRound(Self.trace(Self.queuedRounds)))
        #expect(round.stages[0].expertSeconds == 20e-6)
        #expect(round.stages[0].computeSeconds == 21e-6)
    }

    @Test func whatAMicroBatchUsuallyWaitsHasTheQueues() throws {
        let round = try #require(TracedRound(Self.trace(Self.queuedRounds)))
        #expect(abs(round.stages[0].usualAwaySeconds - 24e-6) < 1e-12)
        #expect(round.stages[1].usualAwaySeconds == 0)
    }

    /// Those that a trace cuts lack layers, and those of prompts take longer.
    @Test func onlyWholeRoundsOfDecodeCount() throws {
        var cut = Self.round(2, from: 300)
        cut[1].removeFirst(4)
        let prompt = Self.round(3, from: 500, phase: .prefill)
        let round = try #require(TracedRound(Self.trace([Self.round(1, from: 100), cut, prompt])))
        #expect(round.stages[0].computeSeconds == 21e-6)
        #expect(TracedRound(Self.trace([cut, prompt])) == nil)
        #expect(TracedRound(Self.trace([])) == nil)
    }
}
