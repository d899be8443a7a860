/// Finds the saturation point: the highest rate that a server still keeps up with (LoadTesting.md).
///
/// A value: it is told what was measured at a rate and says which rate to measure next. It doubles
/// until the server falls behind, then halves the gap between the best and the worst rate.
struct SaturationSearch {
    /// What one rate has given.
    struct Point: Equatable, Sendable {
        /// Requests a second that were asked for.
        let requestRate: Double
        /// Requests a second that were due, from the first to the last.
        let offeredRate: Double
        /// Requests a second that ended well, from the first end to the last, where two did.
        let completionRate: Double?
        /// The 99th percentile of the time to the first token, in milliseconds, where measured.
        let timeToFirstTokenP99Ms: Double?
        /// The share of answers that kept the service level, where there is one.
        let goodShare: Double?
        /// The share of requests that failed.
        let failedShare: Double
    }

    /// What is to be done.
    enum Directive: Equatable {
        case measure(Double)
        case end
    }

    /// Ends must come at this share of the rate of arrivals.
    static let completionShareMin = 0.95
    /// So many answers must keep the service level, where there is one.
    static let goodShareMin = 0.95
    /// Without a service level, the 99th percentile may grow so much over that of the lowest rate.
    static let timeToFirstTokenGrowthMax = 5.0
    /// More failures than this share, and the server does not keep up.
    static let failedShareMax = 0.01
    /// The search ends where the worst rate is at most so much above the best.
    static let gapMax = 1.1
    /// Rates measured at most: doublings and halvings together.
    static let pointsMax = 16

    private(set) var points: [Point] = []
    private let firstRate: Double

    init(firstRate: Double) { self.firstRate = firstRate }

    /// The highest rate that the server kept up with, and no lower one that it did not.
    var saturationRate: Double? { Self.saturationRate(of: points) }

    /// The saturation point among rates that were measured.
    static func saturationRate(of points: [Point]) -> Double? {
        let sorted = points.sorted { $0.requestRate < $1.requestRate }
        let base = baseMs(of: points)
        return sorted.prefix { isSustained($0, baseMs: base) }.last?.requestRate
    }

    /// The 99th percentile of the time to the first token at the lowest rate, in milliseconds.
    static func baseMs(of points: [Point]) -> Double? {
        points.min { $0.requestRate < $1.requestRate }?.timeToFirstTokenP99Ms
    }

    /// Whether the server kept up at a point.
    ///
    /// Where no time to the first token was measured, only ends and failures can tell.
    ///
    /// - Parameter baseMs: the 99th percentile of the time to the first token at the lowest rate.
    static func isSustained(_ point: Point, baseMs: Double?) -> Bool {
        guard point.failedShare <= failedShareMax, let completionRate = point.completionRate,
            completionRate >= completionShareMin * point.offeredRate
        else { return false }
        if let goodShare = point.goodShare { return goodShare >= goodShareMin }
        guard let found = point.timeToFirstTokenP99Ms, let baseMs else { return true }
        return found <= timeToFirstTokenGrowthMax * baseMs
    }

    /// The first rate to measure.
    var start: Directive { .measure(firstRate) }

    /// A rate has been measured.
    mutating func onPoint(_ point: Point) -> Directive {
        points.append(point)
        guard points.count < Self.pointsMax else { return .end }
        let rates = points.map(\.requestRate)
        guard let best = saturationRate else {
            // Even the lowest rate was too much.
            let lowest = rates.min() ?? firstRate
            return lowest > firstRate / 64 ? .measure(lowest / 2) : .end
        }
        guard let worst = rates.filter({ $0 > best }).min() else { return .measure(best * 2) }
        return worst / best <= Self.gapMax ? .end : .measure((worst * best).squareRoot())
    }
}
