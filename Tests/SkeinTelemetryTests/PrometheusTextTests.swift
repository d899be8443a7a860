import SkeinTelemetry
import Testing

@Suite struct PrometheusTextTests {
    @Test func aFamilyHasItsHelpAndKindOnce() {
        var page = PrometheusText()
        page.add(
            .counter, "skein_requests_total", "Requests.",
            [.init(3, ["path": "/v1/models", "status": "200"]), .init(0.5)])
        page.add(.gauge, "skein_nothing", "Never written.", [])
        #expect(
            page.text == """
                # HELP skein_requests_total Requests.
                # TYPE skein_requests_total counter
                skein_requests_total{path="/v1/models",status="200"} 3
                skein_requests_total 0.5

                """)
    }

    @Test func whatTheFormatReservesIsEscaped() {
        var page = PrometheusText()
        page.add(
            .gauge, "g", "a\\b\n\"c\"", [.init(1, ["node": "a\\b\n\"c\""]), .init(.infinity)])
        #expect(
            page.text == """
                # HELP g a\\\\b\\n"c"
                # TYPE g gauge
                g{node="a\\\\b\\n\\"c\\""} 1
                g +Inf

                """)
    }

    @Test func bucketsAddUpAndEndWithAllValues() {
        var histogram = Histogram(bounds: [0.1, 1, 10])
        for value in [0.05, 0.5, 0.75, 100] { histogram.record(value) }
        var page = PrometheusText()
        page.add("h_seconds", "Times.", [(["model": "m"], histogram)])
        #expect(
            page.text == """
                # HELP h_seconds Times.
                # TYPE h_seconds histogram
                h_seconds_bucket{model="m",le="0.1"} 1
                h_seconds_bucket{model="m",le="1"} 3
                h_seconds_bucket{model="m",le="10"} 3
                h_seconds_bucket{model="m",le="+Inf"} 4
                h_seconds_sum{model="m"} 101.3
                h_seconds_count{model="m"} 4

                """)
    }
}
