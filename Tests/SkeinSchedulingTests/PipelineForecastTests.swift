import SkeinScheduling
import Testing

@Suite struct PipelineForecastTests {
    @Test func aFullRingHasNoBubble() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.01, 0.01, 0.01], owners: [0, 1, 2, 3], waySeconds: 0,
            microBatchCount: 4)
        #expect(forecast.busyShares == [1, 1, 1, 1] && forecast.bubbleShares == [0, 0, 0, 0])
    }

    @Test func oneMicroBatchLeavesEveryOtherStageWaiting() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.03], owners: [0, 1], waySeconds: 0.01, microBatchCount: 1)
        #expect(abs(forecast.roundSeconds - 0.05) < 1e-12)
        #expect(abs(forecast.bubbleShares[0] - 0.8) < 1e-12)
        #expect(abs(forecast.bubbleShares[1] - 0.4) < 1e-12)
    }

    @Test func aFullRingHidesEveryHop() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.01], owners: [0, 1], waySeconds: 0.015, microBatchCount: 8)
        #expect(forecast.hiddenShares.allSatisfy { abs($0 - 1) < 1e-9 })
    }

    @Test func oneMicroBatchHidesNothing() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.01], owners: [0, 1], waySeconds: 0.015, microBatchCount: 1)
        #expect(forecast.hiddenShares.allSatisfy { abs($0) < 1e-9 })
    }

    @Test func aHopLongerThanAWaitIsHiddenForTheRest() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.01], owners: [0, 1], waySeconds: 0.06, microBatchCount: 4)
        // The round takes 80 ms: one every 20 ms, so the hop of 20 ms has 10 of compute.
        #expect(forecast.hiddenShares.allSatisfy { abs($0 - 0.5) < 1e-9 })
    }

    @Test func theSlowestNodeSetsThePace() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.02, 0.02, 0.03], owners: [0, 1, 1, 0], waySeconds: 0,
            microBatchCount: 2)
        #expect(abs(forecast.roundSeconds - 0.08) < 1e-12)
        #expect(abs(forecast.busyShares[3] - 0.75) < 1e-12)
        #expect(forecast.bubbleShares.allSatisfy { abs($0) < 1e-12 })
    }

    @Test func aWireThatIsBusierThanEveryNodeSetsThePace() {
        let forecast = PipelineForecast(
            stageSeconds: [0.01, 0.01], owners: [0, 1], waySeconds: 0, microBatchCount: 2,
            othersSeconds: 0.04)
        #expect(abs(forecast.roundSeconds - 0.08) < 1e-12)
        #expect(abs(forecast.bubbleShares[1] - 0.75) < 1e-12)
    }

    /// A node computes 10 ms of a round of 50, and for each other micro-batch 10 of the other 40.
    @Test func waitsForExpertsAreHiddenUnderTheOthersAndTheStagesOwn() {
        let communication = PipelineForecast.Communication(
            hopSeconds: 0.004, expertSeconds: 0.02, ownSeconds: 0.006)
        func hidden(_ count: Int) -> Double {
            communication.hiddenSeconds(
                workSeconds: 0.01, roundSeconds: 0.05, microBatchCount: count)
        }
        #expect(abs(communication.seconds - 0.024) < 1e-12)
        #expect(abs(hidden(1) - 0.006) < 1e-12)
        #expect(abs(hidden(3) - (0.006 + 0.018 / 2)) < 1e-12)
        #expect(abs(hidden(5) - 0.024) < 1e-12 && abs(hidden(9) - 0.024) < 1e-12)
    }
}
