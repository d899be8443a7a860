import Foundation
import SkeinCore

/// Everything that one measurement has found.
public struct ServingReport: Sendable {
    /// What a reader must know before believing the figures.
    public internal(set) var warnings: [String]

    /// Whether the user broke the measurement off.
    public var wasInterrupted: Bool {
        load?.wasInterrupted == true || sweep.contains(where: \.wasInterrupted)
    }

    let options: ServingOptions
    let card: ModelCard
    let date = Date()
    var singleStream: ServingFigures?
    var load: ServingLoad?
    var sweep: [ServingLoad] = []

    init(_ options: ServingOptions, card: ModelCard, warnings: [String]) {
        self.options = options
        self.card = card
        self.warnings = warnings
    }

    /// The loads of this measurement.
    var loads: [ServingLoad] { load.map { [$0] } ?? sweep }

    /// The highest rate of the sweep that the server kept up with.
    var knee: Double? { KneeSearch.knee(of: sweep.map(KneeSearch.Point.init)) }

    /// Warnings of before the load, and those that its figures give.
    public var allWarnings: [String] {
        warnings + loads.flatMap(Self.warnings)
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

    /// A client that is late makes a server look slow, or hides that it is.
    static func warnings(_ load: ServingLoad) -> [String] {
        var warnings: [String] = []
        let figures = load.figures
        let lateMs = load.lag.percentileMs(99)
        let gapMs = figures.interTokenLatency.percentileMs(50)
        if gapMs > 0, lateMs > gapMs * 0.05 {
            warnings.append(
                "the load tester itself was late by \(FigureText.number(lateMs)) ms (p99), more "
                    + "than 5 % of the median ITL of \(FigureText.number(gapMs)) ms; run it on "
                    + "another machine or with less beside it")
        }
        if figures.countedAnswerCount > 0 {
            warnings.append(
                "the server did not tell the tokens of \(figures.countedAnswerCount) answers; "
                    + "events that carried text were counted instead")
        }
        if let rate = load.shape.requestRate, figures.sendDelay.percentileMs(50) > 1_000 / rate {
            warnings.append(
                "half of all requests waited longer for a slot than requests are apart: "
                    + "--max-concurrency holds the load back, and the wait is in the latencies")
        }
        return warnings
    }
}

extension ServingRecord {
    /// The request for programs; times in milliseconds from the start of its load.
    func json(requestRate: Double?) -> JSONValue {
        func ms(_ time: Duration) -> JSONValue { .measured(time / .milliseconds(1)) }
        var fields: [String: JSONValue] = [
            "index": .integer(index), "due_ms": ms(due), "sent_ms": ms(sent),
            "ended_ms": ms(ended), "emissions_ms": .array(emissions.map(ms)),
            "output_tokens": .integer(outputTokenCount), "retries": .integer(retryCount),
        ]
        fields["request_rate"] = requestRate.map { .measured($0) }
        fields["prompt_tokens"] = promptTokenCount.map { .integer($0) }
        fields["cached_tokens"] = cachedTokenCount.map { .integer($0) }
        if let failure {
            fields["error"] = .string(failure.kind)
            fields["error_detail"] = .string(failure.detail)
        }
        return .object(fields)
    }
}
