import SkeinCore
import SkeinScheduling
import SkeinTelemetry
import Testing

@testable import SkeinBench

/// What is predicted of a ring whose experts are remote: waits are no compute.
@Suite struct PipelinePredictionTests {
    /// Two stages of 10 ms; the first waits 35 ms for experts and computes 5 of them itself.
    private static func round(expertSeconds: Double = 0.035) -> TracedRound {
        TracedRound(
            stages: [
                .init(
                    index: StageIndex(0), computeSeconds: 0.01, expertSeconds: expertSeconds,
                    ownSeconds: min(0.005, expertSeconds), usualAwaySeconds: expertSeconds,
                    hopSeconds: 0.002),
                .init(index: StageIndex(1), computeSeconds: 0.01, hopSeconds: 0.001),
            ], expertHostSeconds: [0: 0.008, 1: 0.02])
    }

    private static func prediction(
        _ traced: TracedRound = Self.round(), owners: [Int] = [0, 1], expertOwners: [Int] = [2, 3],
        stepsAtOnce: Int = 2, microBatchCount: Int
    ) -> PipelinePrediction {
        PipelinePrediction(
            traced, owners: owners, expertOwners: expertOwners, stepsAtOnce: stepsAtOnce,
            microBatchCount: microBatchCount)
    }

    @Test func aMicroBatchAloneIsBusyForItsComputeOnly() {
        let found = Self.prediction(microBatchCount: 1)
        // 20 ms of compute, 30 of waiting, 3 on the way.
        #expect(abs(found.forecast.roundSeconds - 0.053) < 1e-12)
        #expect(abs(found.forecast.busyShares[0] - 10.0 / 53) < 1e-9)
        #expect(abs(found.forecast.bubbleShares[1] - 43.0 / 53) < 1e-9)
        #expect(found.stageSeconds == [0.01, 0.01])
        #expect(found.usualAwaySeconds == [0.035, 0])
        // What the first stage computes under its own dispatch is hidden, and nothing else.
        #expect(abs(found.hiddenShares[0] - 5.0 / 37) < 1e-9)
        #expect(found.hiddenShares[1] == 0)
    }

    @Test func theBusiestExpertHostCanSetThePace() {
        let found = Self.prediction(stepsAtOnce: 8, microBatchCount: 4)
        // 4 times 20 ms on the second host.
        #expect(abs(found.forecast.roundSeconds - 0.08) < 1e-12)
        #expect(abs(found.forecast.busyShares[0] - 0.5) < 1e-9)
    }

    @Test func aStageThatMayBeginNoMoreSetsThePace() {
        let found = Self.prediction(stepsAtOnce: 1, microBatchCount: 4)
        // Each stays 40 ms at the first stage.
        #expect(abs(found.forecast.roundSeconds - 0.16) < 1e-12)
    }

    @Test func stagesAndExpertsOnTheSameThreadsTakeTurns() {
        let found = Self.prediction(
            owners: [0, 0], expertOwners: [0, 0], stepsAtOnce: 8, microBatchCount: 4)
        // 20 ms of stages and 28 of experts for each.
        #expect(abs(found.forecast.roundSeconds - 0.192) < 1e-12)
        #expect(abs(found.forecast.bubbleShares[0] - (1 - 80.0 / 192)) < 1e-9)
    }

    @Test func withLocalExpertsItIsThePlainArithmetic() {
        let plain = PipelinePrediction(
            stageSeconds: [0.01, 0.01], owners: [0, 1], waySeconds: 0.003, microBatchCount: 2)
        let found = Self.prediction(
            Self.round(expertSeconds: 0), expertOwners: [], microBatchCount: 2)
        #expect(found.forecast.roundSeconds == plain.forecast.roundSeconds)
        #expect(found.forecast.busyShares == plain.forecast.busyShares)
        #expect(plain.hiddenShares == plain.forecast.hiddenShares)
        #expect(plain.usualAwaySeconds == [0, 0])
    }
}
