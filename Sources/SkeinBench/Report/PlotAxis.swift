import Foundation

/// An axis of a plot: from where to where, and which values are written beside it.
struct PlotAxis: Equatable {
    let low: Double
    let high: Double
    let ticks: [Double]
    private let isLogarithmic: Bool

    /// An axis from 0, or from the least value, to the first round step behind the greatest.
    ///
    /// - Parameter isLogarithmic: whether equal distances are equal ratios; only values above 0 can
    ///   then be drawn.
    init(_ values: [Double], isLogarithmic: Bool = false) {
        let drawn = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
        self.isLogarithmic = isLogarithmic && !drawn.isEmpty
        if self.isLogarithmic {
            let (least, most) = (drawn.min() ?? 1, drawn.max() ?? 1)
            let steps = Self.logarithmicSteps(from: least, to: most)
            low = steps.first ?? 1
            high = steps.last ?? 10
            ticks = steps
        } else {
            let step = Self.step(max(0, drawn.max() ?? 1))
            let count = max(1, ((drawn.max() ?? 1) / step - 1e-9).rounded(.up))
            low = 0
            high = step * count
            ticks = (0...Int(count)).map { Double($0) * step }
        }
    }

    /// Where a value lies between the ends, from 0 to 1.
    func share(of value: Double) -> Double {
        guard isLogarithmic else { return value / high }
        return log(max(value, low) / low) / log(high / low)
    }

    /// The distance of ticks that makes at most six steps of a length: 1, 2 or 5 times a power of
    /// ten.
    private static func step(_ length: Double) -> Double {
        guard length > 0, length.isFinite else { return 1 }
        let power = pow(10, floor(log10(length / 6)))
        return ([1, 2, 5, 10].first { $0 * power * 6 >= length * 0.999_999 } ?? 10) * power
    }

    /// Round values that enclose others: powers of ten with 2 and 5 between them, or powers alone
    /// where these are many.
    private static func logarithmicSteps(from least: Double, to most: Double) -> [Double] {
        let (first, last) = (Int(floor(log10(least))), Int(ceil(log10(most))))
        let factors: [Double] = last - first <= 2 ? [1, 2, 5] : [1]
        var steps = (first...max(last, first + 1)).flatMap { power in
            factors.map { $0 * pow(10, Double(power)) }
        }
        while steps.count > 2, steps[1] <= least * 1.000_001 { steps.removeFirst() }
        while steps.count > 2, steps[steps.count - 2] >= most * 0.999_999 { steps.removeLast() }
        return steps
    }
}
