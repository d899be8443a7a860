import SkeinPlanning
import Testing

@testable import SkeinBench

@Suite(.timeLimit(.minutes(2))) struct MessageBenchTests {
    @Test func everyMessageTakesTimeOfTheCoresAtBothEnds() async throws {
        let rate = try await MessageBench.run()
        #expect(rate.seconds > 0)
        #expect(rate.bytesPerSecond > 0 && rate.bytesPerSecond.isFinite)
    }
}
