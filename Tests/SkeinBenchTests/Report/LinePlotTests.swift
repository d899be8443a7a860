import Foundation
import Testing

@testable import SkeinBench

@Suite struct LinePlotTests {
    @Test func foreignTextIsEscaped() {
        let plot = LinePlot(
            title: "<script>", xTitle: "a & b", yTitle: "\"c'",
            lines: [.init(name: "<d>", points: [(0, 0), (1, 2)]), .init(name: "e", points: [])])
        #expect(plot.svg.contains("&lt;script&gt;") && !plot.svg.contains("<script>"))
        #expect(plot.svg.contains("a &amp; b") && plot.svg.contains("&quot;c&#39;"))
        #expect(plot.svg.contains("&lt;d&gt;"))
    }

    @Test func aLongLineIsThinnedAndAnEmptyOneLeftOut() {
        let points = (0..<50_000).map { (x: Double($0), y: Double($0 % 7)) }
        let plot = LinePlot(
            title: "", xTitle: "", yTitle: "", lines: [.init(name: "", points: points)])
        #expect(plot.svg.utf8.count < 40_000)
        let empty = LinePlot(title: "", xTitle: "", yTitle: "", lines: [])
        #expect(!empty.svg.contains("<path") && !empty.svg.contains("nan"))
    }

    @Test(
        arguments: [
            ([], 1), ([0], 1), ([0.03], 0.03), ([1], 1), ([1.2], 1.2), ([106], 120), ([81], 100),
            ([.nan, 3], 3), ([100], 100), ([7.5, 2], 8),
        ] as [([Double], Double)])
    func anAxisEndsAtTheFirstStepBehindTheData(_ values: [Double], _ expected: Double) {
        let axis = PlotAxis(values)
        #expect(axis.high.isClose(to: expected, share: 1e-9), "\(axis.high)")
        #expect(axis.low == 0 && (2...8).contains(axis.ticks.count))
        #expect(axis.share(of: axis.high) == 1)
    }

    @Test func aLogarithmicAxisGivesEachDecadeTheSameSpace() {
        let axis = PlotAxis([0.5, 3, 800, 0, .nan], isLogarithmic: true)
        #expect(axis.low <= 0.5 && axis.low > 0 && axis.high >= 800 && axis.high <= 1_000)
        let decade = axis.share(of: 10) - axis.share(of: 1)
        #expect((axis.share(of: 100) - axis.share(of: 10)).isClose(to: decade, share: 1e-9))
        #expect(axis.share(of: 0) == 0)
        let narrow = PlotAxis([3, 3.1], isLogarithmic: true)
        #expect(narrow.low == 2 && narrow.high == 5)
        #expect(PlotAxis([], isLogarithmic: true).share(of: 1).isFinite)
    }

    @Test func pointsSayTheirValuesAndMarksTheirNames() {
        var plot = LinePlot(
            title: "t", xTitle: "ms", yTitle: "%",
            lines: [.init(name: "ITL", points: (1...500).map { (Double($0), Double($0)) })])
        plot.marks = [(10, "p50 10"), (490, "p99 490")]
        #expect(plot.svg.contains("<title>ITL: 1 (%) at 1 (ms)</title>"))
        #expect(plot.svg.components(separatedBy: "<title>").count == 61)
        #expect(plot.svg.contains("p50 10") && plot.svg.contains("p99 490"))
    }
}
