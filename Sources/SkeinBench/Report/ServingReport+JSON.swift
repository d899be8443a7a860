import Foundation
public import SkeinCore

extension ServingReport {
    /// The report for programs; names as in the field's own tools, times in milliseconds.
    ///
    /// What was not measured is `null`.
    public var json: JSONValue {
        var fields = Dictionary(uniqueKeysWithValues: settings.map { ($0.name, $0.value) })
        if let singleStream {
            fields["single_stream_requests"] = .integer(singleStream.completedCount)
            fields["single_stream_output_throughput"] = .measured(singleStream.outputThroughput)
            let medians = [
                "ttft": singleStream.timeToFirstToken, "tpot": singleStream.timePerOutputToken,
                "e2el": singleStream.latency,
            ]
            for (name, latency) in medians {
                fields["single_stream_\(name)_ms"] = .measured(latency.percentileMs(50))
            }
        }
        if let rows {
            fields["dataset_skip_reasons"] = .array(rows.skipReasons.map { .string($0) })
        }
        if let load { fields.merge(json(of: load)) { $1 } }
        if !sweep.isEmpty {
            fields["sweep"] = .array(sweepByRate.map { .object(json(of: $0)) })
            fields["knee_request_rate"] = .measured(saturationRate)
        }
        fields["warnings"] = .array(allWarnings.map { .string($0) })
        fields["interrupted"] = .bool(wasInterrupted)
        return .object(fields)
    }

    /// The figures of one load.
    private func json(of load: ServingLoad) -> [String: JSONValue] {
        let figures = load.figures
        var fields: [String: JSONValue] = [
            "request_rate": load.shape.requestRate.map { .measured($0) } ?? .string("inf"),
            "num_prompts": .integer(figures.requestCount),
            "duration": .measured(figures.duration / .seconds(1)),
            "completed": .integer(figures.completedCount), "failed": .integer(figures.failedCount),
            "interrupted_requests": .integer(figures.interruptedCount),
            "errors": .object(figures.failures.mapValues { .integer($0) }),
            "error_details": .object(figures.failureDetails.mapValues { .string($0) }),
            "retries": .integer(figures.retryCount),
            "max_concurrent_requests": .integer(figures.runningCountPeak),
            "mean_send_delay_ms": .measured(figures.sendDelay.meanMs),
            "p99_send_delay_ms": .measured(figures.sendDelay.percentileMs(99)),
            "client": .object([
                "cpu_seconds": .measured(load.clientSeconds),
                "mean_lag_ms": .measured(load.lag.meanMs),
                "p99_lag_ms": .measured(load.lag.percentileMs(99)),
                "max_lag_ms": .measured(load.lag.maxMs),
            ]),
            "server": load.server?.json ?? .null,
        ]
        fields.merge(throughputs(figures)) { $1 }
        var intervals: [String: JSONValue] = [:]
        for (name, latency) in namedLatencies(figures) {
            add(latency, name, to: &fields, &intervals)
        }
        fields["intervals"] = .object(intervals)
        var unused: [String: JSONValue] = [:]
        add(figures.timeToFirstTokenFromSend, "ttft_from_send", to: &fields, &unused)
        add(figures.latencyFromSend, "e2el_from_send", to: &fields, &unused)
        return fields
    }

    private func throughputs(_ figures: ServingFigures) -> [String: JSONValue] {
        [
            "total_input_tokens": .counted(figures.inputTokenCount),
            "total_output_tokens": .counted(figures.outputTokenCount),
            "total_wanted_output_tokens": .counted(figures.wantedTokenCount),
            "total_cached_tokens": .counted(figures.cachedTokenCount),
            "total_accepted_prediction_tokens": .counted(figures.drafts?.acceptedCount),
            "total_rejected_prediction_tokens": .counted(figures.drafts?.rejectedCount),
            "mean_input_tokens": .measured(figures.perAnswer(figures.inputTokenCount)),
            "mean_output_tokens": .measured(figures.perAnswer(figures.outputTokenCount)),
            "mean_wanted_output_tokens": .measured(figures.perAnswer(figures.wantedTokenCount)),
            "short_answers": .integer(figures.shortAnswerCount),
            "output_tokens_from_usage": .bool(figures.countedAnswerCount == 0),
            "tokens_per_emission": .measured(figures.tokensPerEmission),
            "request_throughput": .measured(figures.perSecond(figures.completedCount)),
            "output_throughput": .measured(figures.outputThroughput),
            "total_token_throughput": .measured(figures.perSecond(figures.tokenCount)),
            "max_output_tokens_per_s": .measured(figures.outputTokenPeak),
            "offered_request_rate": .measured(figures.offeredRate),
            "completion_rate": .measured(figures.completionRate),
            "request_goodput": .measured(figures.perSecond(figures.goodCount)),
            "good_requests": .counted(figures.goodCount),
        ]
    }

    /// The latencies that were asked for, with the names that the field gives them.
    func namedLatencies(_ figures: ServingFigures) -> [(String, LatencyFigures)] {
        let all = [
            ("ttft", figures.timeToFirstToken), ("tpot", figures.timePerOutputToken),
            ("itl", figures.interTokenLatency), ("e2el", figures.latency),
        ]
        return all.filter { options.metrics.contains($0.0) }
    }

    private func add(
        _ latency: LatencyFigures, _ name: String, to fields: inout [String: JSONValue],
        _ intervals: inout [String: JSONValue]
    ) {
        func interval(_ range: ClosedRange<Double>?) -> JSONValue? {
            range.map { .array([.measured($0.lowerBound), .measured($0.upperBound)]) }
        }
        fields["mean_\(name)_ms"] = .measured(latency.meanMs)
        intervals["mean_\(name)_ms"] = interval(latency.meanIntervalMs)
        fields["median_\(name)_ms"] = .measured(latency.percentileMs(50))
        intervals["median_\(name)_ms"] = interval(latency.percentileIntervalMs(50))
        fields["std_\(name)_ms"] = .measured(latency.deviationMs)
        fields["max_\(name)_ms"] = .measured(latency.maxMs)
        for percent in options.percentiles {
            let figure = "p\(FigureText.number(percent))_\(name)_ms"
            fields[figure] = .measured(latency.percentileMs(percent))
            intervals[figure] = interval(latency.percentileIntervalMs(percent))
        }
    }
}
