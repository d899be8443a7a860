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
            (0, 1), (0.03, 0.04), (1, 1), (1.2, 2), (37, 40), (81, 100), (100, 100), (.nan, 1),
        ] as [(Double, Double)])
    func anAxisEndsAtARoundNumber(_ value: Double, _ expected: Double) {
        #expect(LinePlot.nice(value).isClose(to: expected, share: 1e-9))
    }
}
