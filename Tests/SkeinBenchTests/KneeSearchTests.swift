import Testing

@testable import SkeinBench

@Suite struct KneeSearchTests {
    /// A server that answers so many requests a second, and slower the nearer it is to them.
    private static func point(rate: Double, capacity: Double) -> KneeSearch.Point {
        let load = min(rate / capacity, 0.999)
        return KneeSearch.Point(
            requestRate: rate, offeredRate: rate, completionRate: min(rate, capacity),
            timeToFirstTokenP99Ms: rate > capacity ? 60_000 : 50 / (1 - 0.7 * load),
            goodShare: nil, failedShare: 0)
    }

    @Test(arguments: [0.03, 0.4, 1.0, 7.3, 55, 900])
    func theKneeIsFoundWithinTheGap(_ capacity: Double) throws {
        var search = KneeSearch(firstRate: 0.5)
        var directive = search.start
        while case .measure(let rate) = directive {
            directive = search.onPoint(Self.point(rate: rate, capacity: capacity))
        }
        let knee = try #require(search.knee)
        #expect(knee <= capacity / KneeSearch.completionShareMin)
        #expect(knee >= capacity / KneeSearch.gapMax / 1.001)
        #expect(search.points.count <= KneeSearch.pointsMax)
    }

    @Test func aServerThatNeverKeepsUpHasNoKnee() {
        var search = KneeSearch(firstRate: 1)
        var directive = search.start
        while case .measure(let rate) = directive {
            directive = search.onPoint(
                KneeSearch.Point(
                    requestRate: rate, offeredRate: rate, completionRate: 0,
                    timeToFirstTokenP99Ms: 1, goodShare: nil, failedShare: 1))
        }
        #expect(search.knee == nil)
        #expect(search.points.count == 7)
    }

    @Test func aServiceLevelStandsInForTheGrowthOfTheFirstToken() {
        let good = KneeSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 900,
            goodShare: 0.96, failedShare: 0)
        #expect(KneeSearch.isSustained(good, baseMs: 10))
        let bad = KneeSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 10,
            goodShare: 0.9, failedShare: 0)
        #expect(!KneeSearch.isSustained(bad, baseMs: 10))
        let slow = KneeSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 51,
            goodShare: nil, failedShare: 0)
        #expect(!KneeSearch.isSustained(slow, baseMs: 10))
    }

    @Test func aRateAboveOneThatFailedIsNoKnee() {
        let points = [1.0, 2, 4, 8].map { rate in
            KneeSearch.Point(
                requestRate: rate, offeredRate: rate, completionRate: rate == 4 ? 3 : rate,
                timeToFirstTokenP99Ms: 10, goodShare: nil, failedShare: 0)
        }
        #expect(KneeSearch.knee(of: points.shuffled()) == 2)
    }

    @Test func theRateOfEventsIsThatBetweenFirstAndLast() {
        #expect(ServingFigures.rate([.seconds(10), .seconds(11), .seconds(14)]) == 0.5)
        #expect(ServingFigures.rate([.seconds(10)]) == nil)
        #expect(ServingFigures.rate([]) == nil)
    }
}
