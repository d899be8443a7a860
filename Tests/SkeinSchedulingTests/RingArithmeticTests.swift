import SkeinCore
import SkeinScheduling
import Testing

@Suite struct RingArithmeticTests {
    /// `linear` has a node for each stage and a return; in a V the turn and the return stay on a
    /// node.
    private static func ring(
        _ stageCount: Int, compute: Double, latency: Double, payload: Double = 0,
        _ placement: PlacementKind = .linear
    ) -> RingArithmetic {
        let isFold = placement == .vfold
        let hopCount = isFold ? stageCount - 2 : stageCount - 1
        return RingArithmetic(
            stageSeconds: [Double](repeating: compute, count: stageCount),
            owners: (0..<stageCount).map { isFold ? min($0, stageCount - 1 - $0) : $0 },
            waySeconds: Double(hopCount) * (latency + payload)
                + (isFold || stageCount == 1 ? 0 : latency))
    }

    @Test(arguments: [
        // Without latency one micro-batch for each node.
        (4, 10.0, 0.0, 0.0, PlacementKind.linear, 4),
        (8, 10, 0, 0, .vfold, 4),
        (1, 10, 5, 5, .linear, 1),
        // A = 4 * 10 + 3 * (5 + 1) + 5 = 63, so 7 of 10 each.
        (4, 10, 5, 1, .linear, 7),
        // A = 8 * 10 + 6 * (5 + 1) = 116, so 6 of 20 each.
        (8, 10, 5, 1, .vfold, 6),
        // A slow link is time between stages: A = 40 + 3 * 25 + 5 = 120, so 12 of 10 each.
        (4, 10, 5, 20, .linear, 12),
        // A tenth of a node's work between stages asks for no more.
        (4, 10, 0.25, 0, .linear, 4),
        // Not measured yet.
        (4, 0, 5, 1, .linear, 4),
        (8, 0, 0, 0, .vfold, 4),
        (0, 0, 0, 0, .linear, 1),
    ])
    func theCountIsTheRoundOverTheBusiestNodesWork(
        _ stages: Int, _ compute: Double, _ latency: Double, _ payload: Double,
        _ placement: PlacementKind, _ expected: Int
    ) {
        let ring =
            stages == 0
            ? RingArithmetic(stageSeconds: [], owners: [], waySeconds: 0)
            : Self.ring(stages, compute: compute, latency: latency, payload: payload, placement)
        #expect(ring.microBatchCount == expected)
    }

    @Test func theBubbleShareVanishesAtTheCountAndNotBefore() {
        let ring = Self.ring(4, compute: 10, latency: 5, payload: 1)
        func share(_ count: Int) -> Double {
            ring.forecast(microBatchCount: count).bubbleShares.max() ?? -1
        }
        #expect(abs(share(1) - (1 - 10.0 / 63)) < 1e-9)
        #expect(share(6) > 0 && share(7) == 0 && share(20) == 0)
    }

    @Test func vastLatencyStaysWithinTheLimit() {
        for latency in [100, 1e300, .infinity] {
            let ring = Self.ring(4, compute: 1e-9, latency: latency)
            #expect(ring.microBatchCount == Limits.microBatchesInFlightMax)
        }
    }

    @Test func theSlowestNodeDecidesWhereStagesAreUneven() {
        let ring = RingArithmetic(
            stageSeconds: [10, 20, 20, 30], owners: [0, 1, 1, 0], waySeconds: 0)
        #expect(ring.work == [0: 40, 1: 40] && ring.aloneSeconds == 80)
        #expect(ring.microBatchCount == 2)
    }

    @Test func expertsOfOtherStagesLoadTheirOwnerButNotTheCount() {
        let ring = RingArithmetic(
            stageSeconds: [10, 10], owners: [0, 1], waySeconds: 0, expertSeconds: [1: 15, 2: 5])
        #expect(ring.microBatchCount == 2)
        #expect(ring.bottleneckSeconds == 25)
        let forecast = ring.forecast(microBatchCount: 2)
        #expect(forecast.roundSeconds == 50)
        #expect(forecast.ownerBusyShares == [0: 0.4, 1: 1, 2: 0.2])
        #expect(forecast.busyShares == [0.4, 0.4] && forecast.bubbleShares == [0.6, 0.6])
    }
}

@Suite struct StepTimeTests {
    @Test(arguments: [
        (10, 10, 1, 10),
        // It waited 30 of 40: with two places the stage ends one every 20.
        (10, 40, 2, 20),
        (10, 40, 8, 10),
    ])
    func aStepOccupiesItsShareOfThePlaceThatItKeeps(
        _ computed: Int, _ stay: Int, _ concurrency: Int, _ expected: Int
    ) {
        #expect(
            StepTime.occupied(
                computed: .milliseconds(computed), stay: .milliseconds(stay),
                concurrency: concurrency) == .milliseconds(expected))
        #expect(
            StepTime.occupiedSeconds(
                computed: Double(computed), stay: Double(stay), concurrency: concurrency)
                == Double(expected))
    }
}
