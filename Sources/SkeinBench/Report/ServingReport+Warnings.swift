import SkeinCore

extension ServingReport {
    /// What a reader must know before believing the figures: of the preparation and of the loads.
    ///
    /// A fault that several rates of a sweep have is told once, with the rates.
    public var allWarnings: [String] {
        warnings
            + [
                failureWarning, silenceWarning, countWarning, shortAnswerWarning, cacheWarning,
                lateWarning, slotWarning,
            ].compactMap { $0 }
    }

    /// Later than this, and by more than this share of the median ITL, the client spoils figures.
    private static let lateMsMin = 1.0
    private static let lateShareMin = 0.05
    /// A smaller share of prompt tokens in the cache is what the start of a text has in common.
    private static let cachedShareMin = 0.05
    /// Answers may be so much shorter than wanted before anyone has to be told.
    private static let wantedShareMin = 0.95

    /// The rates of some loads of a sweep, in words; nothing where there is one load.
    private func rates(_ loads: [ServingLoad]) -> String {
        guard !sweep.isEmpty else { return "" }
        let rates = loads.map { FigureText.number($0.shape.requestRate) }
        return " (at \(rates.joined(separator: ", ")) requests/s)"
    }

    private func total(_ count: (ServingFigures) -> Int) -> Int {
        loads.reduce(0) { $0 + count($1.figures) }
    }

    private var failureWarning: String? {
        let failing = loads.filter { $0.figures.failedCount > 0 }
        guard !failing.isEmpty else { return nil }
        return "\(total(\.failedCount)) of \(total(\.requestCount)) requests failed"
            + "\(rates(failing)): \(failuresText(of: failing))"
    }

    private var silenceWarning: String? {
        let count = total(\.silentAnswerCount)
        guard count > 0 else { return nil }
        let isAll = count == total(\.completedCount)
        return "\(isAll ? "all \(count)" : "\(count) of \(total(\.completedCount))") answers "
            + "brought neither text nor token ids as they came: they have no TTFT, TPOT and ITL"
            + (isAll ? ", which are absent here" : "")
    }

    private var countWarning: String? {
        let count = total(\.countedAnswerCount)
        guard count > 0 else { return nil }
        return "the server did not tell the tokens of \(count) answers; events that carried text "
            + "were counted instead"
    }

    private var shortAnswerWarning: String? {
        guard let sums = sums(\.outputTokenCount, \.wantedTokenCount),
            Double(sums.0) < Self.wantedShareMin * Double(sums.1)
        else { return nil }
        let ignoresEnd = options.target.fields["ignore_eos"] == .bool(true)
        return "\(total(\.shortAnswerCount)) of \(total(\.completedCount)) answers ended early: "
            + "\(sums.0) of \(sums.1) wanted output tokens came"
            + (ignoresEnd
                ? ", although ignore_eos was asked for"
                : "; --ignore-eos makes every answer as long as wanted")
    }

    private var cacheWarning: String? {
        guard let sums = sums(\.cachedTokenCount, \.inputTokenCount) else { return nil }
        let share = Double(sums.0) / Double(sums.1)
        var common = 0.0
        if case .random(let lengths) = options.origin {
            let prefix = Double(lengths.prefixTokenCount)
            common = prefix / max(1, prefix + Double(lengths.inputTokenCount))
        }
        guard share > common + Self.cachedShareMin else { return nil }
        return "\(FigureText.percent(share)) of the prompt tokens were found in the server's "
            + "prefix cache, so TTFT and throughput are better than for new prompts; it may have "
            + "seen --seed \(options.shape.seed) before: take another"
    }

    /// Two counts over all loads; `nil` where one is not known or the second is 0.
    private func sums(
        _ part: (ServingFigures) -> Int?, _ whole: (ServingFigures) -> Int?
    ) -> (Int, Int)? {
        let parts = loads.compactMap { part($0.figures) }
        let wholes = loads.compactMap { whole($0.figures) }
        guard parts.count == loads.count, wholes.count == loads.count else { return nil }
        let sum = wholes.reduce(0, +)
        return sum > 0 ? (parts.reduce(0, +), sum) : nil
    }

    /// A client that is late makes a server look slow, or hides that it is.
    private var lateWarning: String? {
        func lateness(_ load: ServingLoad) -> (late: Double, gap: Double)? {
            guard let late = load.lag.percentileMs(99), late > Self.lateMsMin,
                let gap = load.figures.interTokenLatency.percentileMs(50),
                late > gap * Self.lateShareMin
            else { return nil }
            return (late, gap)
        }
        let late = loads.filter { lateness($0) != nil }
        guard let worst = late.compactMap(lateness).max(by: { $0.late < $1.late }) else {
            return nil
        }
        return "the load tester itself was late by \(FigureText.number(worst.late)) ms (p99), more "
            + "than 5 % of the median ITL of \(FigureText.number(worst.gap)) ms\(rates(late)); "
            + "run it on another machine or with less beside it"
    }

    private var slotWarning: String? {
        let held = loads.filter { load in
            guard let rate = load.shape.requestRate,
                let delayMs = load.figures.sendDelay.percentileMs(50)
            else { return false }
            return delayMs > 1_000 / rate
        }
        guard !held.isEmpty else { return nil }
        return "half of all requests waited longer for a slot than requests are apart"
            + "\(rates(held)): --max-concurrency holds the load back, and the wait is in the "
            + "latencies"
    }
}
