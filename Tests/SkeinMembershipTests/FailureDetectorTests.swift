import SkeinMembership
import Testing

@Suite struct FailureDetectorTests {
    static let patience = FailureDetector.Patience(heartbeat: .milliseconds(100))

    @Test func silenceIsSuspiciousThenDeath() {
        let detector = FailureDetector(patience: Self.patience, now: .zero)
        #expect(detector.verdict(now: .milliseconds(299)) == .alive)
        #expect(detector.verdict(now: .milliseconds(300)) == .suspect)
        #expect(detector.verdict(now: .milliseconds(999)) == .suspect)
        #expect(detector.verdict(now: .milliseconds(1_000)) == .dead)
    }

    @Test func aSignOfLifeEndsTheSuspicion() {
        var detector = FailureDetector(patience: Self.patience, now: .zero)
        detector.onSign(now: .milliseconds(900))
        #expect(detector.verdict(now: .milliseconds(1_100)) == .alive)
        // An older sign that arrives late turns nothing back.
        detector.onSign(now: .milliseconds(500))
        #expect(detector.silence(now: .milliseconds(1_000)) == .milliseconds(100))
    }

    @Test func anIrregularPeerIsGivenMoreTimeButNotForEver() {
        var detector = FailureDetector(patience: Self.patience, now: .zero)
        var now = Duration.zero
        for step in 0..<100 {
            now += .milliseconds(step % 2 == 0 ? 20 : 220)
            detector.onSign(now: now)
        }
        #expect(detector.suspectAfter == .milliseconds(500))
        #expect(detector.verdict(now: now + .milliseconds(450)) == .alive)
        #expect(detector.verdict(now: now + .milliseconds(1_000)) == .dead)
    }

    @Test func aRegularPeerIsSuspectedEarlyAndSoonerDead() {
        var detector = FailureDetector(patience: Self.patience, now: .zero)
        for step in 1...100 { detector.onSign(now: .milliseconds(100 * step)) }
        #expect(detector.suspectAfter == .milliseconds(300))
        #expect(detector.deadAfter == .milliseconds(500))
        // A step of ten seconds during which the node answers is no silence.
        for step in 101...200 { detector.onSign(now: .milliseconds(100 * step)) }
        #expect(detector.verdict(now: .milliseconds(20_100)) == .alive)
    }

    @Test func aPeerOnASlowWayIsGivenTheTimeOfItsAnswers() {
        var detector = FailureDetector(patience: Self.patience, now: .zero)
        #expect(detector.brokenAfter == .milliseconds(400))
        for _ in 1...200 { detector.onRoundTrip(.milliseconds(200)) }
        #expect(detector.brokenAfter > .milliseconds(590))
        #expect(detector.verdict(now: .milliseconds(1_150)) == .suspect)
        #expect(detector.verdict(now: .milliseconds(1_300)) == .dead)
        // Not for ever.
        for _ in 1...200 { detector.onRoundTrip(.seconds(60)) }
        #expect(detector.deadAfter == .seconds(2))
    }
}
