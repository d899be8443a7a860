import Foundation
import SkeinCore

/// One fact about how a measurement was made: with its name in JSON and its title for people.
struct ServingSetting: Equatable, Sendable {
    let name: String
    let title: String
    let value: JSONValue

    /// The value as people read it; `nil` where there is none to show.
    var text: String? {
        switch value {
        case .null: nil
        case .string(let text): text
        case .number(let spelling): value.integer == nil ? number(spelling) : spelling
        case .bool(let isSo): isSo ? "yes" : "no"
        case .array, .object: value.line
        }
    }

    private func number(_ spelling: String) -> String {
        Double(spelling).map { FigureText.number($0) } ?? spelling
    }
}

extension ServingReport {
    /// How the measurement was made: one row for each fact, from which JSON, text and page come.
    ///
    /// Names are those of vLLM's serving benchmark where it has one.
    var settings: [ServingSetting] {
        let target = options.target
        var settings: [ServingSetting] = [
            row("date", "date", .string(date.formatted(.iso8601))),
            row("backend", "form of requests", .string(target.interface.rawValue)),
            row("base_url", "server", .string(target.baseURL)),
            row("endpoint", "path", .string(target.endpoint)),
            row("model_id", "model", .string(card.name)),
            row("max_model_len", "context, tokens", .counted(card.positionCountMax)),
            row("server_name", "served by", .text(card.ownedBy)),
            row("server_version", "server's version", .text(card.serverVersion)),
        ]
        settings += promptSettings
        settings += [
            row("burstiness", "burstiness", .measured(options.shape.burstiness)),
            row("max_concurrency", "at most at once", .counted(options.shape.concurrencyMax)),
            row("goodput", "service level, ms", options.serviceLevel.map(\.json) ?? .null),
            row("temperature", "temperature", target.fields["temperature"] ?? .null),
            row("ignore_eos", "ignore_eos", target.fields["ignore_eos"] ?? .bool(false)),
            row("extra_fields", "other fields of requests", otherFields),
            row("seed", "seed", .integer(Int(clamping: options.shape.seed))),
            row("warmup_requests", "warm-up requests", .integer(options.warmupCount)),
            row("request_timeout", "timeout, s", .measured(target.timeout / .seconds(1))),
            row("tool_version", "measured by", .string(options.tool)),
            row("client_host", "on host", .string(host.name)),
            row("client_cpu", "processor", .text(host.processor)),
            row("client_cores", "cores", .integer(host.coreCount)),
            row("command", "command", .text(options.commandLine)),
        ]
        return settings
    }

    private var promptSettings: [ServingSetting] {
        var settings: [ServingSetting] = [
            row("dataset_name", "prompts", .string(options.origin.name))
        ]
        let outputTitle = "output tokens wanted"
        switch options.origin {
        case .random(let lengths):
            settings += [
                row("random_input_len", "input tokens wanted", .integer(lengths.inputTokenCount)),
                row("random_output_len", outputTitle, .integer(lengths.outputTokenCount)),
                row("random_range_ratio", "spread of lengths", .measured(lengths.rangeRatio)),
                row("random_prefix_len", "common prefix", .integer(lengths.prefixTokenCount)),
            ]
        case .shareGPT(let path, let count):
            settings += [
                row("dataset_path", "file", .string(path)),
                row("sharegpt_output_len", outputTitle, .counted(count)),
            ]
        case .lines(let path, let count):
            settings += [
                row("dataset_path", "file", .string(path)),
                row("custom_output_len", outputTitle, .integer(count)),
            ]
        }
        guard let rows else { return settings }
        settings.append(row("dataset_rows_used", "rows used", .integer(rows.usedCount)))
        settings.append(row("dataset_rows_skipped", "rows skipped", .integer(rows.skippedCount)))
        return settings
    }

    private func row(_ name: String, _ title: String, _ value: JSONValue) -> ServingSetting {
        ServingSetting(name: name, title: title, value: value)
    }

    /// Fields of requests that have no row of their own.
    private var otherFields: JSONValue {
        var fields = options.target.fields
        fields["temperature"] = nil
        fields["ignore_eos"] = nil
        return fields.isEmpty ? .null : .object(fields)
    }
}
