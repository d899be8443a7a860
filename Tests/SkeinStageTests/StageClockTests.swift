import SkeinCore
import SkeinWire
import Testing

@testable import SkeinStage

@Suite struct StageClockTests {
    private static let step = MicroBatchID(rawValue: 3)

    @Test func theStepThatRunsIsToldWithItsTime() {
        var clock = StageClock(stage: StageIndex(1))
        #expect(clock.times(now: .seconds(1)).currentMicroBatch == nil)
        clock.onBegin(Self.step, start: .seconds(2))
        let running = clock.times(now: .seconds(5))
        #expect(running.currentMicroBatch == Self.step && running.lastMicroBatch == nil)
        #expect(running.currentStepMicroseconds == 3_000_000)
        clock.onStep(idleSince: .zero, start: .seconds(2), end: .seconds(6), rowCount: 4)
        let after = clock.times(now: .seconds(7))
        #expect(after.currentMicroBatch == nil && after.lastMicroBatch == Self.step)
        #expect(after.currentStepMicroseconds == 0 && after.busyMicroseconds == 4_000_000)
    }

    @Test func waitsForExpertsAreToldApartFromWaitsForMicroBatches() {
        let other = MicroBatchID(rawValue: 4)
        var clock = StageClock(stage: StageIndex(0))
        clock.onBegin(Self.step, start: .seconds(1))
        clock.onCompute(start: .seconds(1), end: .seconds(3))
        clock.onBegin(other, start: .seconds(3))
        clock.onCompute(start: .seconds(3), end: .seconds(4), isAwaitingExperts: true)
        clock.onCompute(start: .seconds(9), end: .seconds(10), isAwaitingExperts: true)
        #expect(clock.times(now: .seconds(10)).currentMicroBatch == Self.step)
        clock.onEnd(Self.step, computed: .seconds(3), end: .seconds(10), rowCount: 1)
        let times = clock.times(now: .seconds(10))
        #expect(times.currentMicroBatch == other && times.lastMicroBatch == Self.step)
        #expect(times.waitingInMicroseconds == 1_000_000)
        #expect(times.busyMicroseconds == 4_000_000)
        #expect(times.waitingCombineMicroseconds == 5_000_000)
        #expect(clock.stepPercentileMicroseconds(0.5) == 3_000_000)
    }

    @Test func theRateIsThatOfTheLastTenSeconds() {
        var clock = StageClock(stage: StageIndex(0))
        clock.onStep(idleSince: .zero, start: .seconds(1), end: .seconds(2), rowCount: 1_000)
        clock.onStep(idleSince: .zero, start: .seconds(50), end: .seconds(51), rowCount: 40)
        #expect(clock.rowsPerSecond(now: .seconds(52)) == 4)
        #expect(clock.rowsPerSecond(now: .seconds(90)) == 0)
    }

    /// The rate of a fast stage was too low by what the clock had forgotten: 512 steps of a
    /// millisecond are half a second of work, and were counted as the work of ten.
    @Test func theRateOfAFastStageIsNotCutByWhatIsRemembered() {
        var clock = StageClock(stage: StageIndex(0))
        for number in 1...5_000 {
            clock.onStep(
                idleSince: .zero, start: .milliseconds(number - 1), end: .milliseconds(number),
                rowCount: 8)
        }
        #expect(abs(clock.rowsPerSecond(now: .seconds(5)) - 8_000) < 40)
    }
}
