import Foundation
public import SkeinCore

extension ServingReport {
    /// The report for programs; names as in the field's own tools, times in milliseconds.
    public var json: JSONValue {
        var fields = settings
        if let singleStream {
            fields["single_stream_requests"] = .integer(singleStream.completedCount)
            fields["single_stream_output_throughput"] = .measured(
                singleStream.perSecond(singleStream.outputTokenCount))
            fields["single_stream_ttft_ms"] = .measured(
                singleStream.timeToFirstToken.percentileMs(50))
            fields["single_stream_tpot_ms"] = .measured(
                singleStream.timePerOutputToken.percentileMs(50))
            fields["single_stream_e2el_ms"] = .measured(singleStream.latency.percentileMs(50))
        }
        if let load { fields.merge(json(of: load)) { $1 } }
        if !sweep.isEmpty {
            fields["sweep"] = .array(sweep.map { .object(json(of: $0)) })
            fields["knee_request_rate"] = knee.map { .measured($0) } ?? .null
        }
        fields["warnings"] = .array(allWarnings.map { .string($0) })
        fields["interrupted"] = .bool(wasInterrupted)
        return .object(fields)
    }

    private var settings: [String: JSONValue] {
        [
            "date": .string(date.formatted(.iso8601)),
            "backend": .string(options.target.interface.rawValue),
            "base_url": .string(options.target.baseURL),
            "endpoint": .string(options.target.endpoint), "model_id": .string(card.name),
            "dataset_name": .string(options.origin.name),
            "burstiness": .measured(options.shape.burstiness),
            "max_concurrency": options.shape.concurrencyMax.map { .integer($0) } ?? .null,
            "seed": .string(String(options.shape.seed)),
            "warmup_requests": .integer(options.warmupCount),
        ]
    }

    /// The figures of one load.
    private func json(of load: ServingLoad) -> [String: JSONValue] {
        let figures = load.figures
        let tokens = figures.inputTokenCount + figures.outputTokenCount
        var fields: [String: JSONValue] = [
            "request_rate": load.shape.requestRate.map { .measured($0) } ?? .string("inf"),
            "num_prompts": .integer(figures.requestCount),
            "duration": .measured(figures.duration / .seconds(1)),
            "completed": .integer(figures.completedCount), "failed": .integer(figures.failedCount),
            "interrupted_requests": .integer(figures.interruptedCount),
            "errors": .object(figures.failures.mapValues { .integer($0) }),
            "error_details": .object(figures.failureDetails.mapValues { .string($0) }),
            "retries": .integer(figures.retryCount),
            "total_input_tokens": .integer(figures.inputTokenCount),
            "total_output_tokens": .integer(figures.outputTokenCount),
            "output_tokens_from_usage": .bool(figures.countedAnswerCount == 0),
            "tokens_per_emission": .measured(
                figures.emissionCount > 0
                    ? Double(figures.outputTokenCount) / Double(figures.emissionCount) : 0),
            "request_throughput": .measured(figures.perSecond(figures.completedCount)),
            "output_throughput": .measured(figures.perSecond(figures.outputTokenCount)),
            "total_token_throughput": .measured(figures.perSecond(tokens)),
            "max_output_tokens_per_s": .measured(figures.outputTokenPeak),
            "max_concurrent_requests": .integer(figures.runningCountPeak),
            "offered_request_rate": figures.offeredRate.map { .measured($0) } ?? .null,
            "completion_rate": figures.completionRate.map { .measured($0) } ?? .null,
            "request_goodput": figures.goodCount.map { .measured(figures.perSecond($0)) } ?? .null,
            "good_requests": figures.goodCount.map { .integer($0) } ?? .null,
            "total_cached_tokens": figures.cachedTokenCount.map { .integer($0) } ?? .null,
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
        for (name, latency) in namedLatencies(figures) {
            add(latency, name, to: &fields)
        }
        add(figures.timeToFirstTokenFromSend, "ttft_from_send", to: &fields)
        add(figures.latencyFromSend, "e2el_from_send", to: &fields)
        return fields
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
        _ latency: LatencyFigures, _ name: String, to fields: inout [String: JSONValue]
    ) {
        fields["mean_\(name)_ms"] = .measured(latency.meanMs)
        fields["median_\(name)_ms"] = .measured(latency.percentileMs(50))
        fields["std_\(name)_ms"] = .measured(latency.deviationMs)
        fields["max_\(name)_ms"] = .measured(latency.maxMs)
        for percent in options.percentiles {
            fields["p\(FigureText.number(percent))_\(name)_ms"] = .measured(
                latency.percentileMs(percent))
        }
    }
}

extension PromptOrigin {
    /// Its name on the command line.
    var name: String {
        switch self {
        case .random: "random"
        case .shareGPT: "sharegpt"
        case .lines: "custom"
        }
    }
}
