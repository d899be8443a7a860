import Foundation
import SkeinReference
import Testing

@Suite struct LogitComparisonTests {
    @Test func aLossIsThatOfTheSoftmax() throws {
        var comparison = LogitComparison()
        comparison.take([0, 0, 0, 0], yardstick: nil, next: 2)
        #expect(abs(try #require(comparison.lossPerToken) - log(4)) < 1e-12)
        #expect(abs(try #require(comparison.perplexity) - 4) < 1e-12)
        comparison.take(logprob: -log(16))
        #expect(abs(try #require(comparison.perplexity) - 8) < 1e-12)
        #expect(comparison.tokenCount == 2)
    }

    @Test func whatWasNotComparedIsAbsent() {
        let nothing = LogitComparison()
        #expect(nothing.perplexity == nil && nothing.lossPerToken == nil)
        #expect(nothing.meanDivergence == nil && nothing.agreement == nil)
        var alone = LogitComparison()
        alone.take([1, 2], yardstick: nil, next: 0)
        #expect(alone.meanDivergence == nil && alone.agreement == nil)
    }

    @Test func equalLogitsDivergeByNothingAndOthersByWhatTheyCost() throws {
        var comparison = LogitComparison()
        comparison.take([1, 2, 3], yardstick: [1, 2, 3], next: 0)
        #expect(comparison.meanDivergence == 0 && comparison.agreement == 1)
        // p = (1/2, 1/2), q = (1/4, 3/4): KL = ln(2/sqrt 3).
        comparison.take([0, Float(log(3.0))], yardstick: [5, 5], next: 0)
        let mean = try #require(comparison.meanDivergence)
        #expect(abs(2 * mean - log(2 / 3.0.squareRoot())) < 1e-6)
        // Of equals the lower token is the best.
        #expect(comparison.agreement == 0.5)
    }

    @Test func aTokenThatCannotComeCostsNothing() throws {
        var comparison = LogitComparison()
        comparison.take([0, -1, -.infinity], yardstick: [0, -1, -.infinity], next: 0)
        #expect(try #require(comparison.meanDivergence) == 0)
    }
}
