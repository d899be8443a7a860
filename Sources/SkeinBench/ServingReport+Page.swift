import Foundation
import SkeinCore

extension ServingReport {
    /// The report as one page of HTML with its plots in it; it loads nothing from anywhere.
    public var page: String {
        var body = "<h1>Load test of \(card.name.markupEscaped)</h1>\n"
        body += "<p>\((options.target.baseURL + options.target.endpoint).markupEscaped), "
        body += "\(date.formatted(.iso8601).markupEscaped)</p>\n"
        for warning in allWarnings {
            body += "<p class=\"warning\">\(warning.markupEscaped)</p>\n"
        }
        body += sweepPlots
        for load in loads {
            body += "<h2>\(load.shape.text.markupEscaped)</h2>\n" + plots(load)
        }
        body += "<h2>Figures</h2>\n<pre>\(table.markupEscaped)</pre>\n"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" \
            content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width">
            <title>Load test of \(card.name.markupEscaped)</title>
            <style>
            :root { color-scheme: light dark; }
            body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1340px; \
            padding: 0 1em; }
            .plots { display: grid; gap: 1em; \
            grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); }
            svg { font: 11px system-ui, sans-serif; }
            svg text { fill: currentColor; }
            svg .title { font-weight: 600; font-size: 13px; }
            svg path { fill: none; stroke-width: 1.6; }
            svg .grid { stroke: currentColor; opacity: 0.18; }
            svg .mark { stroke: currentColor; stroke-dasharray: 4 3; }
            pre { overflow-x: auto; }
            .warning { border-left: 4px solid #d55e00; padding-left: 0.7em; }
            </style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    private func plots(_ load: ServingLoad) -> String {
        let figures = load.figures
        func line(_ name: String, _ latency: LatencyFigures) -> LinePlot.Line {
            let steps = latency.distribution.map { (x: $0.ms, y: $0.share * 100) }
            let start = steps.prefix(1).map { (x: $0.x, y: 0.0) }
            return .init(name: name, points: start + steps, isStepped: true)
        }
        func seconds(_ name: String, _ value: (ServingFigures.Second) -> Double) -> LinePlot.Line {
            .init(
                name: name,
                points: figures.seconds.enumerated().map { (Double($0.offset), value($0.element)) },
                isStepped: true)
        }
        let plots = [
            LinePlot(
                title: "Time to the first token", xTitle: "milliseconds",
                yTitle: "% of requests at or below",
                lines: [line("TTFT", figures.timeToFirstToken)]),
            LinePlot(
                title: "Between tokens", xTitle: "milliseconds", yTitle: "% at or below",
                lines: [
                    line("ITL", figures.interTokenLatency),
                    line("TPOT", figures.timePerOutputToken),
                ]),
            LinePlot(
                title: "Time to the end", xTitle: "milliseconds",
                yTitle: "% of requests at or below", lines: [line("E2EL", figures.latency)]),
            LinePlot(
                title: "Tokens", xTitle: "seconds from the start", yTitle: "output tokens a second",
                lines: [seconds("tokens", \.outputTokenCount)]),
            LinePlot(
                title: "Requests", xTitle: "seconds from the start", yTitle: "requests",
                lines: [
                    seconds("running", \.runningCount),
                    seconds("completed", { Double($0.completedCount) }),
                ]),
        ]
        return "<div class=\"plots\">\n" + plots.map(\.svg).joined() + "</div>\n"
    }

    private var sweepPlots: String {
        guard sweep.count > 1 else { return "" }
        let loads = sweep.sorted { ($0.shape.requestRate ?? 0) < ($1.shape.requestRate ?? 0) }
        func line(_ name: String, _ value: (ServingLoad) -> Double) -> LinePlot.Line {
            .init(name: name, points: loads.map { ($0.shape.requestRate ?? 0, value($0)) })
        }
        var throughput = LinePlot(
            title: "Throughput by rate", xTitle: "requests a second asked for",
            yTitle: "requests a second",
            lines: [
                line("completed", { $0.figures.completionRate ?? 0 }),
                line("asked for", { $0.shape.requestRate ?? 0 }),
            ])
        var latency = LinePlot(
            title: "Time to the first token by rate", xTitle: "requests a second asked for",
            yTitle: "milliseconds",
            lines: [
                line("p50", { $0.figures.timeToFirstToken.percentileMs(50) }),
                line("p99", { $0.figures.timeToFirstToken.percentileMs(99) }),
            ])
        let mark = knee.map { (x: $0, name: "knee") }
        throughput.mark = mark
        latency.mark = mark
        return "<h2>Sweep</h2>\n<div class=\"plots\">\n\(throughput.svg)\(latency.svg)</div>\n"
    }
}
