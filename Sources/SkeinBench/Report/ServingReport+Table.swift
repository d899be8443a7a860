import SkeinCore

extension ServingReport {
    /// The report for people.
    public var table: String {
        var lines = settingsTable.lines
        for table in figureTables { lines += [""] + table.lines }
        if !allWarnings.isEmpty { lines.append("") }
        for warning in allWarnings { lines.append("warning: \(warning)") }
        if wasInterrupted { lines.append("broken off: these are the figures until then") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// How the measurement was made.
    var settingsTable: FigureTable {
        let rows = settings.compactMap { setting in setting.text.map { [setting.title, $0] } }
        return FigureTable(title: "measured", rows: rows, isFigures: false)
    }

    private var figureTables: [FigureTable] {
        let alone = singleStreamTable.map { [$0] } ?? []
        guard sweep.isEmpty else { return alone + [sweepTable] }
        return alone + (load.map(tables) ?? [])
    }

    /// Requests that had the server for themselves.
    var singleStreamTable: FigureTable? {
        guard let figures = singleStream else { return nil }
        return FigureTable(
            title: "alone (\(figures.completedCount) requests, one after another)",
            rows: [
                ["output tokens/s", FigureText.number(figures.outputThroughput)],
                [
                    "median TTFT, ms",
                    FigureText.number(figures.timeToFirstToken.percentileMs(50)),
                ],
                [
                    "median TPOT, ms",
                    FigureText.number(figures.timePerOutputToken.percentileMs(50)),
                ],
            ])
    }

    /// Everything about one load.
    func tables(_ load: ServingLoad) -> [FigureTable] {
        [loadTable(load), latencyTable(load.figures), clientTable(load)]
            + (serverTable(load.server).map { [$0] } ?? [])
    }

    private func loadTable(_ load: ServingLoad) -> FigureTable {
        let figures = load.figures
        var rows = [
            ["duration, s", FigureText.number(figures.duration / .seconds(1))],
            ["completed", FigureText.count(figures.completedCount)],
        ]
        for (kind, count) in figures.failures.sorted(by: { $0.key < $1.key }) {
            rows.append(["failed: \(kind)", FigureText.count(count)])
        }
        if figures.retryCount > 0 {
            rows.append(["retries", FigureText.count(figures.retryCount)])
        }
        rows += [
            ["input tokens", FigureText.count(figures.inputTokenCount)],
            ["output tokens", FigureText.count(figures.outputTokenCount)],
            ["output tokens wanted", FigureText.count(figures.wantedTokenCount)],
            ["requests/s", FigureText.number(figures.perSecond(figures.completedCount))],
            ["output tokens/s", FigureText.number(figures.outputThroughput)],
            ["all tokens/s", FigureText.number(figures.perSecond(figures.tokenCount))],
            ["most output tokens in a second", FigureText.number(figures.outputTokenPeak)],
            ["most requests at once", FigureText.count(figures.runningCountPeak)],
        ]
        if options.serviceLevel != nil {
            rows.append(
                ["good requests/s", FigureText.number(figures.perSecond(figures.goodCount))])
        }
        return FigureTable(title: "load (\(load.shape.text))", rows: rows)
    }

    private func latencyTable(_ figures: ServingFigures) -> FigureTable {
        let percentiles = options.percentiles
        let rows = namedLatencies(figures).map { name, latency in
            [name.uppercased()]
                + ([latency.meanMs, latency.deviationMs] + percentiles.map(latency.percentileMs))
                .map(FigureText.number)
        }
        return FigureTable(
            title: "latencies, ms",
            header: ["", "mean", "std"] + percentiles.map { "p" + FigureText.number($0) },
            rows: rows)
    }

    private func clientTable(_ load: ServingLoad) -> FigureTable {
        FigureTable(
            title: "the load tester itself",
            rows: [
                ["processor seconds", FigureText.number(load.clientSeconds)],
                ["late by, p99, ms", FigureText.number(load.lag.percentileMs(99))],
                [
                    "sent after due, p99, ms",
                    FigureText.number(load.figures.sendDelay.percentileMs(99)),
                ],
            ])
    }

    private func serverTable(_ server: ServerChange?) -> FigureTable? {
        guard let server else { return nil }
        var rows = server.after.stages.map { stage in
            [
                "stage \(stage.index) busy (\(stage.node))",
                FigureText.percent(server.busyShare(of: stage.index)),
            ]
        }
        if let share = server.prefixHitShare {
            rows.append(["prompt tokens found in its cache", FigureText.percent(share)])
        }
        if let total = server.after.pageCount, let owned = server.after.ownedPageCount {
            rows.append(["pages owned after the load", "\(owned) of \(total)"])
        }
        return rows.isEmpty ? nil : FigureTable(title: "the server", rows: rows)
    }

    /// A row for each rate of the sweep.
    var sweepTable: FigureTable {
        let points = sweepByRate.map(SaturationSearch.Point.init)
        let base = SaturationSearch.baseMs(of: points)
        var rows = zip(sweepByRate, points).map { load, point in
            let figures = load.figures
            let measured: [Double?] = [
                point.requestRate, point.completionRate, figures.outputThroughput,
                figures.timeToFirstToken.percentileMs(50), point.timeToFirstTokenP99Ms,
                figures.timePerOutputToken.percentileMs(50), Double(figures.failedCount),
            ]
            return measured.map(FigureText.number)
                + [SaturationSearch.isSustained(point, baseMs: base) ? "yes" : "no"]
        }
        rows.append(["saturation", saturationRate.map(FigureText.number) ?? "none kept up"])
        return FigureTable(
            title: "sweep",
            header: [
                "requests/s", "done/s", "tokens/s", "TTFT p50", "TTFT p99", "TPOT p50", "failed",
                "kept up",
            ], rows: rows)
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
