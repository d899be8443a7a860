import Testing

@testable import SkeinBench

@Suite struct LoadShapeTests {
    private static func gaps(rate: Double, burstiness: Double, seed: UInt64 = 7) -> [Double] {
        let shape = LoadShape(
            requestRate: rate, burstiness: burstiness, end: .requestCount(20_000), seed: seed)
        let times = shape.arrivals.prefix(20_000).map { $0 / .seconds(1) }
        return zip(times, [0] + times).map { $0 - $1 }
    }

    @Test(arguments: [(0.5, 0.2), (4, 1), (100, 0.5), (10, 8), (3, 50)])
    func gapsHaveTheMeanAndTheVarianceOfTheirShape(_ rate: Double, _ burstiness: Double) {
        let gaps = Self.gaps(rate: rate, burstiness: burstiness)
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let squares = gaps.map { ($0 - mean) * ($0 - mean) }
        let variance = squares.reduce(0, +) / Double(gaps.count)
        // Five deviations of a mean of 20,000 numbers whose own relative variance is 1 / B.
        let bound = 5 / (burstiness * 20_000).squareRoot()
        #expect(abs(mean * rate - 1) < bound)
        // A gamma number's kurtosis is 3 + 6 / B, which gives the deviation of its variance.
        let spread = ((2 + 6 / burstiness) / 20_000).squareRoot()
        #expect(abs(variance * rate * rate * burstiness - 1) < 5 * spread)
        #expect(gaps.allSatisfy { $0 >= 0 })
    }

    @Test func aPoissonProcessHasTheTailOfAnExponential() {
        let gaps = Self.gaps(rate: 1, burstiness: 1)
        for (bound, share) in [(0.5, 0.6065), (1, 0.3679), (2, 0.1353), (4, 0.0183)] {
            let found = Double(gaps.count { $0 > bound }) / Double(gaps.count)
            #expect(abs(found - share) < 0.018)
        }
    }

    @Test func theSameSeedMakesTheSameArrivals() {
        #expect(Self.gaps(rate: 3, burstiness: 1) == Self.gaps(rate: 3, burstiness: 1))
        #expect(Self.gaps(rate: 3, burstiness: 1) != Self.gaps(rate: 3, burstiness: 1, seed: 8))
    }

    @Test func withoutARateEverythingIsDueAtOnce() {
        let shape = LoadShape(end: .requestCount(3))
        #expect(Array(shape.arrivals.prefix(3)) == [.zero, .zero, .zero])
        #expect(!shape.isClosedLoop)
        #expect(LoadShape(concurrencyMax: 2, end: .requestCount(3)).isClosedLoop)
    }
}
