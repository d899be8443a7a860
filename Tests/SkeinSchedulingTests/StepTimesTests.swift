import SkeinCore
import Testing

@testable import SkeinScheduling

@Suite struct StepTimesTests {
    /// 100 ms for eight rows, rising slowly.
    private static func known(upTo rowsMax: Int) -> StepTimes {
        var times = StepTimes()
        for count in StepTimes.rowCounts where count >= 8 && count <= rowsMax {
            times.onStep(rowCount: count, time: .milliseconds(92 + count))
        }
        return times
    }

    @Test func rowsAreFilledUpToTheLargestKnownNumberWithinTheBound() {
        let times = Self.known(upTo: 128)
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(160)) == 64)
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(156)) == 64)
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(155)) == 48)
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(99)) == 8)
    }

    @Test func whatIsNotKnownIsTriedOneSizeAtATime() {
        #expect(Self.known(upTo: 24).rowsMax(ownRows: 8, within: .seconds(9)) == 32)
        #expect(StepTimes().rowsMax(ownRows: 8, within: .seconds(9)) == 12)
    }

    @Test func oneDisturbedStepDecidesNothing() {
        var times = StepTimes()
        for milliseconds in [10, 11, 900, 10, 12] {
            times.onStep(rowCount: 8, time: .milliseconds(milliseconds))
        }
        #expect(times.time(ofRows: 8) == .milliseconds(11))
    }

    @Test func anOldTimeIsLookedAtAgain() {
        var times = Self.known(upTo: 16)
        times.onStep(rowCount: 24, time: .seconds(5))
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(300)) == 16)
        for _ in 0..<256 {
            times.onStep(rowCount: 12, time: .milliseconds(104))
            times.onStep(rowCount: 16, time: .milliseconds(108))
        }
        #expect(times.rowsMax(ownRows: 8, within: .milliseconds(300)) == 24)
        #expect(!times.isKnown(rowCount: 8) && times.time(ofRows: 8) == .milliseconds(100))
    }

    @Test func aFullMicroBatchIsTheEnd() {
        let rowsMax = Limits.microBatchRowsMax
        #expect(StepTimes().rowsMax(ownRows: rowsMax, within: .seconds(9)) == rowsMax)
    }
}

@Suite struct RingTimesTests {
    private static func count(
        stages: [Int], owners: [Int], round: Int, rounds: Int = 20
    ) -> Int? {
        var times = RingTimes()
        var count: Int?
        for _ in 0..<rounds {
            times.onRound(
                stageTimes: stages.map { .milliseconds($0) }, roundTime: .milliseconds(round))
            count = times.microBatchCount(owners: owners)
        }
        return count
    }

    @Test(arguments: [
        // One for each node where nothing is on the way.
        ([10, 10, 10, 10], [0, 1, 2, 3], 40, 4),
        // vfold: each node has two of them.
        ([10, 10, 10, 10], [0, 1, 1, 0], 40, 2),
        // Stages that share their threads take turns.
        ([10, 10, 10, 10], [0, 0, 0, 0], 41, 1),
        // What is on the way asks for more.
        ([10, 10, 10, 10], [0, 1, 2, 3], 63, 7),
        // The slowest node sets the pace.
        ([10, 10, 20, 10], [0, 1, 2, 3], 50, 3),
    ])
    func theCountFollowsComputeAndWay(
        _ stages: [Int], _ owners: [Int], _ round: Int, _ expected: Int
    ) {
        #expect(Self.count(stages: stages, owners: owners, round: round) == expected)
    }

    @Test func aFewRoundsDecideNothing() {
        #expect(Self.count(stages: [10], owners: [0], round: 10, rounds: 7) == nil)
    }

    @Test func queueingIsNoWay() {
        var times = RingTimes()
        for round in [47, 80, 95, 120] + [Int](repeating: 200, count: 30) {
            times.onRound(
                stageTimes: [.milliseconds(20), .milliseconds(20)],
                roundTime: .milliseconds(round))
            _ = times.microBatchCount(owners: [0, 1])
        }
        #expect(times.microBatchCount(owners: [0, 1]) == 3)
    }
}
