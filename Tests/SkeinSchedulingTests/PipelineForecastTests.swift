import SkeinScheduling
import Testing

@Suite struct PipelineForecastTests {
    private func forecast(
        _ stageSeconds: [Double], owners: [Int], waySeconds: Double, microBatchCount: Int,
        othersSeconds: Double = 0
    ) -> PipelineForecast {
        RingArithmetic(
            stageSeconds: stageSeconds, owners: owners, waySeconds: waySeconds,
            othersSeconds: othersSeconds
        ).forecast(microBatchCount: microBatchCount)
    }

    @Test func aFullRingHasNoBubble() {
        let forecast = forecast(
            [0.01, 0.01, 0.01, 0.01], owners: [0, 1, 2, 3], waySeconds: 0,
            microBatchCount: 4)
        #expect(forecast.busyShares == [1, 1, 1, 1] && forecast.bubbleShares == [0, 0, 0, 0])
    }

    @Test func oneMicroBatchLeavesEveryOtherStageWaiting() {
        let forecast = forecast(
            [0.01, 0.03], owners: [0, 1], waySeconds: 0.01, microBatchCount: 1)
        #expect(abs(forecast.roundSeconds - 0.05) < 1e-12)
        #expect(abs(forecast.bubbleShares[0] - 0.8) < 1e-12)
        #expect(abs(forecast.bubbleShares[1] - 0.4) < 1e-12)
    }

    @Test func aFullRingHidesEveryHop() {
        let forecast = forecast(
            [0.01, 0.01], owners: [0, 1], waySeconds: 0.015, microBatchCount: 8)
        #expect(forecast.hiddenShares.allSatisfy { abs($0 - 1) < 1e-9 })
    }

    @Test func oneMicroBatchHidesNothing() {
        let forecast = forecast(
            [0.01, 0.01], owners: [0, 1], waySeconds: 0.015, microBatchCount: 1)
        #expect(forecast.hiddenShares.allSatisfy { abs($0) < 1e-9 })
    }

    @Test func aHopLongerThanAWaitIsHiddenForTheRest() {
        let forecast = forecast(
            [0.01, 0.01], owners: [0, 1], waySeconds: 0.06, microBatchCount: 4)
        // The round takes 80 ms: one every 20 ms, so the hop of 20 ms has 10 of compute.
        #expect(forecast.hiddenShares.allSatisfy { abs($0 - 0.5) < 1e-9 })
    }

    @Test func theSlowestNodeSetsThePace() {
        let forecast = forecast(
            [0.01, 0.02, 0.02, 0.03], owners: [0, 1, 1, 0], waySeconds: 0,
            microBatchCount: 2)
        #expect(abs(forecast.roundSeconds - 0.08) < 1e-12)
        #expect(abs(forecast.busyShares[3] - 0.75) < 1e-12)
        #expect(forecast.bubbleShares.allSatisfy { abs($0) < 1e-12 })
    }

    @Test func aWireThatIsBusierThanEveryNodeSetsThePace() {
        let forecast = forecast(
            [0.01, 0.01], owners: [0, 1], waySeconds: 0, microBatchCount: 2,
            othersSeconds: 0.04)
        #expect(abs(forecast.roundSeconds - 0.08) < 1e-12)
        #expect(abs(forecast.bubbleShares[1] - 0.75) < 1e-12)
    }

    /// A node computes 10 ms of a round of 50, and for each other micro-batch 10 of the other 40.
    @Test func waitsForExpertsAreHiddenUnderTheOthersAndTheStagesOwn() {
        let communication = PipelineForecast.Communication(
            stage: 0, hopSeconds: 0.004, expertSeconds: 0.02, ownSeconds: 0.006)
        func hidden(_ count: Int) -> Double {
            0.024
                * forecast([0.01], owners: [0], waySeconds: 0.04, microBatchCount: count)
                .hiddenShare(of: [communication])
        }
        #expect(abs(communication.seconds - 0.024) < 1e-12)
        #expect(abs(hidden(1) - 0.006) < 1e-12)
        #expect(abs(hidden(3) - (0.006 + 0.018 / 2)) < 1e-12)
        #expect(abs(hidden(5) - 0.024) < 1e-12 && abs(hidden(9) - 0.024) < 1e-12)
    }

    @Test func communicationOfAllStagesIsWeighedByItsLength() {
        let found = forecast([0.01, 0.01], owners: [0, 1], waySeconds: 0.03, microBatchCount: 1)
        #expect(found.hiddenShare(of: []) == 1)
        let both = found.hiddenShare(of: [
            .init(stage: 0, hopSeconds: 0.01, expertSeconds: 0.03, ownSeconds: 0.02),
            .init(stage: 1, hopSeconds: 0.04),
        ])
        #expect(abs(both - 0.02 / 0.08) < 1e-12)
    }

    /// Experts that a node serves for others are compute under which its waits are hidden.
    @Test func communicationIsHiddenUnderExpertsOfOtherStagesToo() {
        let ring = RingArithmetic(
            stageSeconds: [0.01], owners: [0], waySeconds: 0.07, expertSeconds: [0: 0.01])
        let share = ring.forecast(microBatchCount: 2)
            .hiddenShare(of: [.init(stage: 0, hopSeconds: 0.01)])
        // 20 ms for the other one in the 60 in which it does not compute for this.
        #expect(abs(share - 1.0 / 3) < 1e-9)
    }
}
