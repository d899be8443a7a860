import Foundation
public import SkeinCore

/// Everything that one measurement has found.
public struct ServingReport: Sendable {
    /// Whether the user broke the measurement off.
    public var wasInterrupted: Bool {
        load?.wasInterrupted == true || sweep.contains(where: \.wasInterrupted)
    }

    let options: ServingOptions
    let card: ModelCard
    /// The rows of the file of prompts; `nil` where prompts are random.
    let rows: PromptRows?
    let host = HostFacts.read()
    let date = Date()
    /// What the preparation has found that a reader must know.
    var warnings: [String] = []
    var singleStream: ServingFigures?
    var load: ServingLoad?
    var sweep: [ServingLoad] = []

    init(_ options: ServingOptions, card: ModelCard, rows: PromptRows? = nil) {
        self.options = options
        self.card = card
        self.rows = rows
    }

    /// The loads of this measurement, those of a sweep in order of their rates.
    var loads: [ServingLoad] { load.map { [$0] } ?? sweepByRate }

    /// The loads of the sweep in order of their rates.
    var sweepByRate: [ServingLoad] {
        sweep.sorted { ($0.shape.requestRate ?? 0) < ($1.shape.requestRate ?? 0) }
    }

    /// The highest rate of the sweep that the server kept up with.
    var saturationRate: Double? {
        SaturationSearch.saturationRate(of: sweep.map(SaturationSearch.Point.init))
    }

    /// Why the measurement says nothing of the server; `nil` where some answer came to its end.
    public var failure: Refusal? {
        guard loads.allSatisfy({ $0.figures.completedCount == 0 }) else { return nil }
        let failedCount = loads.reduce(0) { $0 + $1.figures.failedCount }
        let place = options.target.baseURL + options.target.endpoint
        guard failedCount > 0 else {
            return Refusal(
                place, "no request came to its end before the measurement was broken off")
        }
        return Refusal(place, "all \(failedCount) requests failed: \(failuresText(of: loads))")
    }

    /// The failures of loads by their kinds, the most frequent first, each with one detail.
    func failuresText(of loads: [ServingLoad]) -> String {
        var counts: [String: Int] = [:]
        var details: [String: String] = [:]
        for figures in loads.map(\.figures) {
            counts.merge(figures.failures, uniquingKeysWith: +)
            details.merge(figures.failureDetails) { first, _ in first }
        }
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return sorted.map { kind, count in
            let detail = details[kind] ?? ""
            return "\(count) \(kind)" + (detail.isEmpty ? "" : " (\(detail.prefix(200)))")
        }.joined(separator: ", ")
    }

    /// One line for every request of all loads, each a JSON object.
    public var timeline: String {
        var lines = ""
        for load in loads {
            for record in load.records {
                lines += record.json(requestRate: load.shape.requestRate).line + "\n"
            }
        }
        return lines
    }
}

extension ServingRecord {
    /// The request for programs; times in milliseconds from the start of its load.
    func json(requestRate: Double?) -> JSONValue {
        func ms(_ time: Duration) -> JSONValue { .measured(time / .milliseconds(1)) }
        var fields: [String: JSONValue] = [
            "index": .integer(index), "due_ms": ms(due), "sent_ms": ms(sent),
            "ended_ms": ms(ended), "emissions_ms": .array(emissions.map(ms)),
            "output_tokens": .counted(outputTokenCount),
            "wanted_output_tokens": .counted(wantedTokenCount), "retries": .integer(retryCount),
        ]
        fields["request_rate"] = requestRate.map { .measured($0) }
        fields["prompt_tokens"] = promptTokenCount.map { .integer($0) }
        fields["cached_tokens"] = cachedTokenCount.map { .integer($0) }
        fields["accepted_prediction_tokens"] = drafts.map { .integer($0.acceptedCount) }
        fields["rejected_prediction_tokens"] = drafts.map { .integer($0.rejectedCount) }
        if let failure {
            fields["error"] = .string(failure.kind)
            fields["error_detail"] = .string(failure.detail)
        }
        return .object(fields)
    }
}
