import SkeinTelemetry
import Testing

@Suite struct PeerClockTests {
    /// A peer whose clock is ahead and drifts, over ways whose times differ and jump about.
    private struct Peer {
        var lead: Duration
        var driftShare = 0.0
        var random: UInt64

        mutating func noise(_ most: Duration) -> Duration {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return most * (Double(random >> 33) / Double(1 << 31))
        }

        func clock(_ ours: Duration) -> Duration { ours + lead + ours * driftShare }

        /// A question at a moment; the way out and back take their least and noise of their own.
        mutating func answer(
            askedAt asked: Duration, out: Duration, back: Duration, noise: Duration
        ) -> PeerClock.Sample {
            let heard = asked + out + self.noise(noise)
            let answered = heard + self.noise(.microseconds(300))
            let returned = answered + back + self.noise(noise)
            return PeerClock.Sample(
                asked: asked, heard: clock(heard), answered: clock(answered), returned: returned)
        }
    }

    @Test func nothingIsKnownBeforeTheFirstSample() {
        #expect(PeerClock().lead(at: .zero) == nil)
    }

    @Test func equalWaysGiveTheLeadExactly() throws {
        var clock = PeerClock()
        clock.note(
            PeerClock.Sample(
                asked: .milliseconds(100), heard: .milliseconds(5_105),
                answered: .milliseconds(5_107), returned: .milliseconds(112)))
        let known = try #require(clock.lead(at: .milliseconds(112)))
        #expect(known.lead == .milliseconds(5_000) && known.error == .milliseconds(5))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func theTrueLeadLiesWithinTheErrorWhateverTheWaysDo(seed: UInt64) throws {
        var peer = Peer(
            lead: .seconds(seed % 2 == 0 ? -4_000 : 70), driftShare: 0.000_04, random: seed)
        var clock = PeerClock()
        for beat in 1...200 {
            let asked = Duration.milliseconds(500 * beat)
            // The way back is three times as long as the way out, and both have queues.
            clock.note(
                peer.answer(
                    askedAt: asked, out: .milliseconds(1), back: .milliseconds(3),
                    noise: .milliseconds(20)))
            let moment = asked + .milliseconds(100)
            let known = try #require(clock.lead(at: moment))
            let wrong = known.lead - (peer.clock(moment) - moment)
            #expect((wrong >= .zero ? wrong : .zero - wrong) <= known.error, "seed \(seed)")
            // Half of the least ways is two; the rest is what the noise has not let us see yet.
            if beat > 20 { #expect(known.error < .milliseconds(8), "seed \(seed)") }
        }
    }

    @Test func theSampleWithTheShortestWaysWins() throws {
        var clock = PeerClock()
        let asked = Duration.seconds(1)
        clock.note(
            PeerClock.Sample(
                asked: asked, heard: asked + .milliseconds(50), answered: asked + .milliseconds(50),
                returned: asked + .milliseconds(51)))
        clock.note(
            PeerClock.Sample(
                asked: asked, heard: asked + .milliseconds(1), answered: asked + .milliseconds(1),
                returned: asked + .milliseconds(2)))
        clock.note(
            PeerClock.Sample(
                asked: asked, heard: asked + .milliseconds(1), answered: asked + .milliseconds(1),
                returned: asked + .milliseconds(60)))
        let known = try #require(clock.lead(at: asked + .milliseconds(2)))
        #expect(known.lead == .zero && known.error == .milliseconds(1))
    }

    @Test func anOldSampleLosesToAYoungOneThatHasDriftedLess() throws {
        var clock = PeerClock()
        func note(at asked: Duration, ways: Duration, lead: Duration) {
            let middle = asked + ways / 2 + lead
            clock.note(
                PeerClock.Sample(
                    asked: asked, heard: middle, answered: middle, returned: asked + ways))
        }
        note(at: .seconds(1), ways: .milliseconds(2), lead: .seconds(1))
        note(at: .seconds(30), ways: .milliseconds(4), lead: .seconds(2))
        #expect(try #require(clock.lead(at: .seconds(2))).lead == .seconds(1))
        #expect(try #require(clock.lead(at: .seconds(31))).lead == .seconds(2))
    }

    @Test func aSampleThatContradictsItselfIsDropped() {
        var clock = PeerClock()
        clock.note(
            PeerClock.Sample(
                asked: .zero, heard: .seconds(2), answered: .seconds(1), returned: .seconds(9)))
        clock.note(
            PeerClock.Sample(
                asked: .zero, heard: .seconds(1), answered: .seconds(9), returned: .seconds(2)))
        #expect(clock.lead(at: .zero) == nil)
    }
}
