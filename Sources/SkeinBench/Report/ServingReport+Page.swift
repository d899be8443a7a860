import Foundation
import SkeinCore

extension ServingReport {
    /// The report as one page of HTML with its plots in it; it loads nothing from anywhere.
    public var page: String {
        let title = "Load test of \(card.name)".markupEscaped
        var body = "<h1>\(title)</h1>\n"
        body += "<p>\((options.target.baseURL + options.target.endpoint).markupEscaped), "
        body += "\(date.formatted(.iso8601).markupEscaped)</p>\n"
        for warning in allWarnings {
            body += "<p class=\"warning\">\(warning.markupEscaped)</p>\n"
        }
        if wasInterrupted {
            body += "<p class=\"warning\">broken off: these are the figures until then</p>\n"
        }
        body += sweepSection
        if let alone = singleStreamTable {
            body += "<div class=\"tables\">\n\(alone.markup)</div>\n"
        }
        for load in loads { body += section(of: load) }
        body += "<h2>How it was measured</h2>\n" + settingsTable.untitled.markup
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" \
            content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width">
            <title>\(title)</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    // MARK: - Private

    private static let style = """
        :root { color-scheme: light dark; }
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1340px; \
        padding: 0 1em; }
        .plots { display: grid; gap: 1em; \
        grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); }
        .tables { display: flex; flex-wrap: wrap; gap: 1em 3em; align-items: flex-start; }
        .table { overflow-x: auto; max-width: 100%; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.5em 0; }
        caption { text-align: left; font-weight: 600; padding-bottom: 0.3em; }
        th { text-align: left; font-weight: 400; }
        thead th { font-weight: 600; }
        thead th + th, td { text-align: right; }
        th, td { padding: 0.15em 1em 0.15em 0; border-bottom: 1px solid rgb(128 128 128 / 0.25); }
        .words td { text-align: left; overflow-wrap: anywhere; }
        .track { min-width: 160px; background: rgb(128 128 128 / 0.15); padding: 0; }
        .bar { background: #0072b2; height: 0.9em; }
        svg { font: 11px system-ui, sans-serif; width: 100%; height: auto; }
        svg text { fill: currentColor; }
        svg .title { font-weight: 600; font-size: 13px; }
        svg path { fill: none; stroke-width: 1.6; }
        svg .grid { stroke: currentColor; opacity: 0.18; }
        svg .mark { stroke: currentColor; stroke-dasharray: 4 3; }
        svg .spot { fill: transparent; }
        svg .spot:hover { fill: currentColor; fill-opacity: 0.35; }
        .warning { border-left: 4px solid #d55e00; padding-left: 0.7em; \
        overflow-wrap: anywhere; }
        """

    private func section(of load: ServingLoad) -> String {
        "<h2>\(load.shape.text.markupEscaped)</h2>\n"
            + "<div class=\"tables\">\n" + tables(load).map(\.markup).joined()
            + busyBars(load) + "</div>\n"
            + "<div class=\"plots\">\n" + plots(load).map(\.svg).joined() + "</div>\n"
    }

    /// A bar for each stage, as long as the share of the time in which it computed.
    private func busyBars(_ load: ServingLoad) -> String {
        let bars = (load.server?.after.stages ?? []).compactMap { stage -> String? in
            guard let share = load.server?.busyShare(of: stage.index) else { return nil }
            let title = "stage \(stage.index) (\(stage.node))".markupEscaped
            let width = String(format: "%.1f", 100 * min(max(share, 0), 1))
            return "<tr><th>\(title)</th><td class=\"track\" title=\"\(title): \(width) %\">"
                + "<div class=\"bar\" style=\"width: \(width)%\"></div></td></tr>\n"
        }
        guard !bars.isEmpty else { return "" }
        return "<div class=\"table\"><table><caption>busy share of stages</caption>\n<tbody>"
            + bars.joined() + "</tbody></table></div>\n"
    }

    private func plots(_ load: ServingLoad) -> [LinePlot] {
        let figures = load.figures
        func seconds(_ name: String, _ value: (ServingFigures.Second) -> Double) -> LinePlot.Line {
            .init(
                name: name,
                points: figures.seconds.enumerated().map { (Double($0.offset), value($0.element)) },
                isStepped: true)
        }
        var plots = [
            distribution("Time to the first token", [("TTFT", figures.timeToFirstToken)]),
            distribution(
                "Between tokens",
                [("ITL", figures.interTokenLatency), ("TPOT", figures.timePerOutputToken)],
                isLogarithmic: true),
            distribution("Time to the end", [("E2EL", figures.latency)]),
        ].compactMap { $0 }
        if figures.emissionCount > 0 {
            plots.append(
                LinePlot(
                    title: "Tokens", xTitle: "seconds from the start",
                    yTitle: "output tokens a second",
                    lines: [seconds("tokens", \.outputTokenCount)]))
        }
        plots.append(
            LinePlot(
                title: "Requests", xTitle: "seconds from the start", yTitle: "requests",
                lines: [
                    seconds("running", \.runningCount),
                    seconds("completed", { Double($0.completedCount) }),
                ]))
        return plots
    }

    /// Which share of latencies is at or below a time, with marks of the first one's percentiles.
    ///
    /// - Returns: `nil` where nothing was measured.
    private func distribution(
        _ title: String, _ latencies: [(String, LatencyFigures)], isLogarithmic: Bool = false
    ) -> LinePlot? {
        let lines = latencies.filter { $0.1.count > 0 }.map { name, latency in
            let steps = latency.distribution.map { (x: $0.ms, y: $0.share * 100) }
            let start = steps.prefix(1).map { (x: $0.x, y: 0.0) }
            return LinePlot.Line(name: name, points: start + steps, isStepped: true)
        }
        guard let first = latencies.first(where: { $0.1.count > 0 })?.1 else { return nil }
        return LinePlot(
            title: title, xTitle: "milliseconds", yTitle: "% at or below", lines: lines,
            isLogarithmic: isLogarithmic,
            marks: [50.0, 95, 99].compactMap { percent in
                first.percentileMs(percent).map {
                    (x: $0, name: "p\(FigureText.number(percent)) \(FigureText.number($0))")
                }
            })
    }

    private var sweepSection: String {
        guard !sweep.isEmpty else { return "" }
        var section = "<h2>Sweep</h2>\n" + sweepTable.untitled.markup
        if sweep.count > 1 {
            section += "<div class=\"plots\">\n" + sweepPlots.map(\.svg).joined() + "</div>\n"
        }
        return section
    }

    private var sweepPlots: [LinePlot] {
        let rate: (ServingLoad) -> Double? = { $0.shape.requestRate }
        let throughput: (ServingLoad) -> Double? = { $0.figures.outputThroughput }
        func percentiles(
            of latency: @escaping (ServingLoad) -> LatencyFigures,
            against x: (ServingLoad) -> Double?
        ) -> [LinePlot.Line] {
            [50.0, 95, 99].map { percent in
                line("p\(FigureText.number(percent))", x) { latency($0).percentileMs(percent) }
            }
        }
        func plot(
            _ title: String, _ xTitle: String, _ yTitle: String, _ lines: [LinePlot.Line],
            marks: [(x: Double, name: String)] = []
        ) -> LinePlot? {
            let drawn = lines.filter { !$0.points.isEmpty }
            guard !drawn.isEmpty else { return nil }
            return LinePlot(
                title: title, xTitle: xTitle, yTitle: yTitle, lines: drawn, marks: marks)
        }
        let asked = "requests a second asked for"
        let marks = saturationRate.map { [(x: $0, name: "saturation")] } ?? []
        return [
            plot(
                "Throughput by rate", asked, "requests a second",
                [line("completed", rate) { $0.figures.completionRate }, line("asked", rate, rate)],
                marks: marks),
            plot(
                "Time to the first token by rate", asked, "milliseconds",
                percentiles(of: \.figures.timeToFirstToken, against: rate), marks: marks),
            plot(
                "Time per output token by rate", asked, "milliseconds",
                percentiles(of: \.figures.timePerOutputToken, against: rate), marks: marks),
            plot(
                "Time to the end against throughput", "output tokens a second", "milliseconds",
                percentiles(of: \.figures.latency, against: throughput)),
            plot("Busy share of stages by rate", asked, "% of the time", busyLines, marks: marks),
        ].compactMap { $0 }
    }

    private var busyLines: [LinePlot.Line] {
        let stages = sweepByRate.compactMap(\.server).first?.after.stages ?? []
        return stages.map { stage in
            line("stage \(stage.index)", { $0.shape.requestRate }) { load in
                load.server?.busyShare(of: stage.index).map { $0 * 100 }
            }
        }
    }

    /// A line through the loads of the sweep that have both values.
    private func line(
        _ name: String, _ x: (ServingLoad) -> Double?, _ y: (ServingLoad) -> Double?
    ) -> LinePlot.Line {
        LinePlot.Line(
            name: name,
            points: sweepByRate.compactMap { load in
                x(load).flatMap { x in y(load).map { (x: x, y: $0) } }
            })
    }
}
