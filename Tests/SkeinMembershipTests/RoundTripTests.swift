import SkeinMembership
import Testing

@Suite struct RoundTripTests {
    @Test func theEchoOfOurOwnClockMeasuresTheTrip() {
        #expect(
            RoundTrip.measured(echoedMicroseconds: 1_000_000, now: .milliseconds(1_012))
                == .milliseconds(12))
    }

    @Test(arguments: [0, 2_000_001, .max, UInt64(Int64.max)])
    func anEchoThatWeNeverSentMeasuresNothing(echo: UInt64) {
        #expect(RoundTrip.measured(echoedMicroseconds: echo, now: .seconds(2)) == nil)
    }

    @Test func oneSlowAnswerMovesTheMeanALittle() {
        var trip = RoundTrip(.milliseconds(8))
        trip.note(.milliseconds(88))
        #expect(trip.last == .milliseconds(88) && trip.smoothed == .milliseconds(18))
        for _ in 0..<100 { trip.note(.milliseconds(8)) }
        #expect(trip.smoothed < .milliseconds(9))
    }
}
