import SkeinCore
import SkeinMembership
import Testing

@Suite struct RingProgressTests {
    typealias Work = RingProgress.StageWork

    private static func id(_ number: UInt64) -> MicroBatchID { MicroBatchID(rawValue: number) }

    @Test func anEmptyRingDoesNotStandStill() {
        var ring = RingProgress()
        #expect(ring.standstill(now: .seconds(100)) == nil && ring.whereabouts == nil)
        ring.onSend(Self.id(1), now: .seconds(100))
        #expect(ring.standstill(now: .seconds(103)) == .seconds(3))
        ring.onReturn(Self.id(1), now: .seconds(104))
        #expect(ring.standstill(now: .seconds(200)) == nil)
    }

    @Test func aReturnOrAFinishedStepIsProgress() {
        var ring = RingProgress()
        for number in 1...3 { ring.onSend(Self.id(UInt64(number)), now: .zero) }
        ring.onReturn(Self.id(1), now: .seconds(5))
        #expect(ring.standstill(now: .seconds(8)) == .seconds(3))
        ring.onWork(Work(stage: StageIndex(0), node: "a", last: Self.id(2)), now: .seconds(9))
        #expect(ring.standstill(now: .seconds(10)) == .seconds(1))
        // The same news again is no progress, and neither is a return that answers nothing.
        ring.onWork(Work(stage: StageIndex(0), node: "a", last: Self.id(2)), now: .seconds(12))
        ring.onReturn(Self.id(1), now: .seconds(12))
        #expect(ring.standstill(now: .seconds(13)) == .seconds(4))
    }

    @Test func theOldestMicroBatchIsNamedWithTheStageThatSawItLast() {
        var ring = RingProgress()
        ring.onSend(Self.id(7), now: .zero)
        ring.onSend(Self.id(8), now: .zero)
        #expect(ring.whereabouts?.text == "micro-batch 7 was not seen by any stage")
        ring.onWork(Work(stage: StageIndex(0), node: "a", last: Self.id(8)), now: .zero)
        #expect(ring.whereabouts?.text == "micro-batch 7 has left stage 0 on a")
        ring.onWork(
            Work(stage: StageIndex(1), node: "b", current: Self.id(7), last: Self.id(6)),
            now: .zero)
        #expect(ring.whereabouts?.text == "micro-batch 7 is in stage 1 on b")
        #expect(ring.whereabouts?.node == "b")
    }

    /// Whether micro-batch 1, sent at 0, counts as lost at a moment in a ring of two stages.
    private static func isLost(_ ring: RingProgress, at second: Int) -> Bool {
        ring.lost(
            after: .seconds(2), orStalledFor: .seconds(100), stageCount: 2, now: .seconds(second))
            == id(1)
    }

    @Test func aMicroBatchThatALaterOneHasOvertakenIsLost() {
        var ring = RingProgress()
        for number in 1...2 { ring.onSend(Self.id(UInt64(number)), now: .zero) }
        ring.onReturn(Self.id(2), now: .seconds(1))
        #expect(!Self.isLost(ring, at: 1) && Self.isLost(ring, at: 2))
        ring.onWork(Work(stage: StageIndex(1), node: "b", current: Self.id(1)), now: .seconds(3))
        #expect(!Self.isLost(ring, at: 60), "a stage computes it")
    }

    @Test func aMicroBatchIsLostWhereEveryStageIsIdle() {
        var ring = RingProgress()
        ring.onSend(Self.id(1), now: .zero)
        #expect(!Self.isLost(ring, at: 60), "no stage has said what it does")
        for second in [0, 2] {
            for stage in 0...1 {
                ring.onWork(Work(stage: StageIndex(stage), node: "n"), now: .seconds(second))
            }
            #expect(Self.isLost(ring, at: 3) == (second == 2), "it was idle before as well")
        }
        ring.onWork(Work(stage: StageIndex(0), node: "n", current: Self.id(1)), now: .seconds(3))
        #expect(!Self.isLost(ring, at: 60))
    }

    /// Rows on a slow link are with no stage.
    @Test func aSlowRingIsGivenTheTimeThatItTakes() {
        var slow = RingProgress()
        slow.onSend(Self.id(9), now: .zero)
        slow.onReturn(Self.id(9), now: .seconds(5))
        var doubtful = RingProgress()
        doubtful.onLoss()
        doubtful.onLoss()
        for var ring in [slow, doubtful] {
            ring.onSend(Self.id(10), now: .seconds(10))
            for stage in 0...1 {
                ring.onWork(Work(stage: StageIndex(stage), node: "n"), now: .seconds(18))
            }
            let moments = [16, 17, 18, 20].map {
                ring.lost(
                    after: .seconds(2), orStalledFor: .seconds(100), stageCount: 2,
                    now: .seconds($0)) != nil
            }
            #expect(moments[0] == false && moments[3])
        }
    }

    /// A pause of nine seconds made every loss after it wait for eighteen, for as long as the head
    /// lived.
    @Test func aLongRoundIsForgottenAfterAHundredOthersOrWithALostNode() {
        var paused = RingProgress()
        paused.onSend(Self.id(1), now: .zero)
        paused.onReturn(Self.id(1), now: .seconds(9))
        var busy = paused
        for number in 2...101 {
            busy.onSend(Self.id(UInt64(number)), now: .seconds(9))
            busy.onReturn(Self.id(UInt64(number)), now: .seconds(9))
        }
        var another = paused
        another.onNodeLost()
        for (ring, isPatient) in [(paused, true), (busy, false), (another, false)] {
            var ring = ring
            for number in 200...201 { ring.onSend(Self.id(UInt64(number)), now: .seconds(10)) }
            ring.onReturn(Self.id(201), now: .seconds(10))
            let found = ring.lost(
                after: .seconds(2), orStalledFor: .seconds(100), stageCount: 2, now: .seconds(13))
            #expect((found == nil) == isPatient)
        }
    }

    /// Rows for remote experts may be lost on their way: their stage says that it computes, for
    /// ever.
    @Test func aRingThatStandsStillForLongIsBegunAgainAndEachTimeLater() {
        var ring = RingProgress()
        for round in 0...1 {
            let sent = round * 1_000
            ring.onSend(Self.id(UInt64(round + 1)), now: .seconds(sent))
            let work = Work(
                stage: StageIndex(0), node: "n", current: Self.id(UInt64(round + 1)))
            ring.onWork(work, now: .seconds(sent))
            let moments = [29, 31, 59, 61].map {
                ring.lost(
                    after: .seconds(2), orStalledFor: .seconds(30), stageCount: 1,
                    now: .seconds(sent + $0)) != nil
            }
            #expect(moments == [false, round == 0, round == 0, true])
            ring.onLoss()
            ring.onEpoch()
        }
    }

    @Test func aNewPlacementEmptiesTheRing() {
        var ring = RingProgress()
        ring.onSend(Self.id(7), now: .zero)
        ring.onEpoch()
        #expect(ring.inFlightCount == 0 && ring.standstill(now: .seconds(60)) == nil)
    }
}
