import Testing

@testable import SkeinTelemetry

@Suite struct PrometheusSamplesTests {
    @Test func whatIsWrittenIsReadBack() {
        var page = PrometheusText()
        page.add(
            .gauge, "skein_a", "A.",
            [.init(1.5, ["node": "a\"b\\c\nd", "x": "1"]), .init(2, ["node": "e", "x": "1"])])
        page.add(.counter, "skein_b_total", "B.", [.init(7)])
        let samples = PrometheusSamples(parsing: page.text)
        #expect(samples.sum("skein_a") == 3.5)
        #expect(samples.sum("skein_a", where: ("node", "a\"b\\c\nd")) == 1.5)
        #expect(samples.sum("skein_b_total") == 7)
        #expect(samples.sum("skein_c") == nil)
        #expect(samples.sum("skein_a", where: ("node", "f")) == nil)
    }

    @Test(arguments: [
        "", "x", "{", "a{", "a{b", "a{b=", "a{b=\"", "a{b=\"\\", "a{b=\"c\"", "a{b=\"c\"} x",
        "a{}", " 1", "{b=\"c\"} 1",
    ])
    func aLineThatIsNoneOfTheFormatIsLeftOut(_ line: String) {
        #expect(PrometheusSamples(parsing: line + "\nb 1\n").samples.keys.sorted() == ["b"])
    }
}
