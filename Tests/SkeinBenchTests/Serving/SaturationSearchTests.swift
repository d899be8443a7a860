import Testing

@testable import SkeinBench

@Suite struct SaturationSearchTests {
    /// A server that answers so many requests a second, and slower the nearer it is to them.
    private static func point(rate: Double, capacity: Double) -> SaturationSearch.Point {
        let load = min(rate / capacity, 0.999)
        return SaturationSearch.Point(
            requestRate: rate, offeredRate: rate, completionRate: min(rate, capacity),
            timeToFirstTokenP99Ms: rate > capacity ? 60_000 : 50 / (1 - 0.7 * load),
            goodShare: nil, failedShare: 0)
    }

    @Test(arguments: [0.03, 0.4, 1.0, 7.3, 55, 900])
    func theSaturationPointIsFoundWithinTheGap(_ capacity: Double) throws {
        var search = SaturationSearch(firstRate: 0.5)
        var directive = search.start
        while case .measure(let rate) = directive {
            directive = search.onPoint(Self.point(rate: rate, capacity: capacity))
        }
        let saturationRate = try #require(search.saturationRate)
        #expect(saturationRate <= capacity / SaturationSearch.completionShareMin)
        #expect(saturationRate >= capacity / SaturationSearch.gapMax / 1.001)
        #expect(search.points.count <= SaturationSearch.pointsMax)
    }

    @Test func aServerThatNeverKeepsUpHasNoSaturationPoint() {
        var search = SaturationSearch(firstRate: 1)
        var directive = search.start
        while case .measure(let rate) = directive {
            directive = search.onPoint(
                SaturationSearch.Point(
                    requestRate: rate, offeredRate: rate, completionRate: 0,
                    timeToFirstTokenP99Ms: 1, goodShare: nil, failedShare: 1))
        }
        #expect(search.saturationRate == nil)
        #expect(search.points.count == 7)
    }

    @Test func aServiceLevelStandsInForTheGrowthOfTheFirstToken() {
        let good = SaturationSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 900,
            goodShare: 0.96, failedShare: 0)
        #expect(SaturationSearch.isSustained(good, baseMs: 10))
        let bad = SaturationSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 10,
            goodShare: 0.9, failedShare: 0)
        #expect(!SaturationSearch.isSustained(bad, baseMs: 10))
        let slow = SaturationSearch.Point(
            requestRate: 4, offeredRate: 4, completionRate: 4, timeToFirstTokenP99Ms: 51,
            goodShare: nil, failedShare: 0)
        #expect(!SaturationSearch.isSustained(slow, baseMs: 10))
    }

    @Test func aRateAboveOneThatFailedIsNoSaturationPoint() {
        let points = [1.0, 2, 4, 8].map { rate in
            SaturationSearch.Point(
                requestRate: rate, offeredRate: rate, completionRate: rate == 4 ? 3 : rate,
                timeToFirstTokenP99Ms: 10, goodShare: nil, failedShare: 0)
        }
        #expect(SaturationSearch.saturationRate(of: points.shuffled()) == 2)
    }

    @Test func theRateOfEventsIsThatBetweenFirstAndLast() {
        #expect(ServingFigures.rate([.seconds(10), .seconds(11), .seconds(14)]) == 0.5)
        #expect(ServingFigures.rate([.seconds(10)]) == nil)
        #expect(ServingFigures.rate([]) == nil)
    }
}
