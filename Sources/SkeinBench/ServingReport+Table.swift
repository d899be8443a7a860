import SkeinCore

extension ServingReport {
    /// The report for people.
    public var table: String {
        var lines: [String] = []
        lines.append("\(options.target.baseURL)\(options.target.endpoint), model \(card.name)")
        if let singleStream { lines += rows(alone: singleStream) }
        if let load { lines += rows(load) }
        if !sweep.isEmpty { lines += sweepRows }
        for warning in allWarnings { lines.append("warning: \(warning)") }
        if wasInterrupted { lines.append("broken off: these are the figures until then") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ title: String, _ value: String) -> String {
        "  " + FigureText.padded(title, 34) + FigureText.rightAligned(value, 14)
    }

    private func row(_ title: String, _ value: Double) -> String {
        row(title, FigureText.number(value))
    }

    private func rows(alone figures: ServingFigures) -> [String] {
        [
            "", "alone (\(figures.completedCount) requests, one after another)",
            row("output tokens/s", figures.perSecond(figures.outputTokenCount)),
            row("median TTFT, ms", figures.timeToFirstToken.percentileMs(50)),
            row("median TPOT, ms", figures.timePerOutputToken.percentileMs(50)),
        ]
    }

    private func rows(_ load: ServingLoad) -> [String] {
        let figures = load.figures
        let tokens = figures.inputTokenCount + figures.outputTokenCount
        var lines = ["", "load (\(load.shape.text))"]
        lines.append(row("duration, s", figures.duration / .seconds(1)))
        lines.append(row("completed", Double(figures.completedCount)))
        for (kind, count) in figures.failures.sorted(by: { $0.key < $1.key }) {
            lines.append(row("failed: \(kind)", Double(count)))
            lines.append("      \(figures.failureDetails[kind] ?? "")")
        }
        if figures.retryCount > 0 { lines.append(row("retries", Double(figures.retryCount))) }
        lines += [
            row("input tokens", Double(figures.inputTokenCount)),
            row("output tokens", Double(figures.outputTokenCount)),
            row("requests/s", figures.perSecond(figures.completedCount)),
            row("output tokens/s", figures.perSecond(figures.outputTokenCount)),
            row("all tokens/s", figures.perSecond(tokens)),
            row("most output tokens in a second", figures.outputTokenPeak),
            row("most requests at once", Double(figures.runningCountPeak)),
        ]
        if let good = figures.goodCount {
            lines.append(row("good requests/s", figures.perSecond(good)))
        }
        lines += latencyRows(figures)
        lines += clientRows(load)
        lines += serverRows(load.server)
        return lines
    }

    private func latencyRows(_ figures: ServingFigures) -> [String] {
        let names = ["mean", "std"] + options.percentiles.map { "p" + FigureText.number($0) }
        func line(_ title: String, _ values: [String]) -> String {
            "  " + FigureText.padded(title, 12)
                + values.map { FigureText.rightAligned($0, 10) }.joined()
        }
        var lines = ["", line("ms", names)]
        for (name, latency) in namedLatencies(figures) {
            let values =
                [latency.meanMs, latency.deviationMs]
                + options.percentiles.map { latency.percentileMs($0) }
            lines.append(line(name.uppercased(), values.map(FigureText.number)))
        }
        return lines
    }

    private func clientRows(_ load: ServingLoad) -> [String] {
        [
            "", "the load tester itself",
            row("processor seconds", load.clientSeconds),
            row("late by, p99, ms", load.lag.percentileMs(99)),
            row("sent after due, p99, ms", load.figures.sendDelay.percentileMs(99)),
        ]
    }

    private func serverRows(_ server: ServerChange?) -> [String] {
        guard let server else { return [] }
        var lines = ["", "the server"]
        for stage in server.after.stages {
            let share = server.busyShare(of: stage).map(FigureText.percent) ?? "–"
            lines.append(row("stage \(stage.index) busy (\(stage.node))", share))
        }
        if let share = server.prefixHitShare {
            lines.append(row("prompt tokens found in its cache", FigureText.percent(share)))
        }
        if let total = server.after.pageCount, let owned = server.after.ownedPageCount {
            lines.append(row("pages owned after the load", "\(owned) of \(total)"))
        }
        return lines
    }

    private var sweepRows: [String] {
        let titles = [
            "requests/s", "done/s", "tokens/s", "TTFT p50", "TTFT p99", "TPOT p50", "failed",
            "kept up",
        ]
        func line(_ values: [String]) -> String {
            "  " + values.map { FigureText.rightAligned($0, 11) }.joined()
        }
        let points = sweep.map(KneeSearch.Point.init)
        let base = points.min { $0.requestRate < $1.requestRate }?.timeToFirstTokenP99Ms ?? 0
        var lines = ["", "sweep", line(titles)]
        for (load, point) in zip(sweep, points).sorted(by: { $0.1.requestRate < $1.1.requestRate })
        {
            let figures = load.figures
            lines.append(
                line(
                    [
                        point.requestRate, point.completionRate,
                        figures.perSecond(figures.outputTokenCount),
                        figures.timeToFirstToken.percentileMs(50), point.timeToFirstTokenP99Ms,
                        figures.timePerOutputToken.percentileMs(50), Double(figures.failedCount),
                    ].map(FigureText.number)
                        + [KneeSearch.isSustained(point, baseMs: base) ? "yes" : "no"]))
        }
        lines.append(row("knee, requests/s", knee.map(FigureText.number) ?? "none kept up"))
        return lines
    }
}

extension LoadShape {
    /// The load in words.
    var text: String {
        let slots = concurrencyMax.map { ", at most \($0) at once" } ?? ""
        guard let requestRate else {
            return isClosedLoop ? "\(concurrencyMax ?? 0) always running" : "all at once"
        }
        let process = burstiness == 1 ? "Poisson" : "burstiness \(FigureText.number(burstiness))"
        return "\(FigureText.number(requestRate)) requests/s, \(process)\(slots)"
    }
}
