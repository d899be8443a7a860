import Foundation
import SkeinCluster
import SkeinCore
import SkeinTelemetry

/// What of a plan is kept beside the cluster file that was written from it.
struct KeptForecast: Decodable {
    /// One node's part.
    struct Node: Decodable {
        let name: String
        let totalBytes: Int
        let predictedBusyShare: Double
    }

    let concurrency: Int
    let predictedOutputTokensPerSecond: Double
    let predictedTtftMs: Double
    let predictedTpotMs: Double
    let nodes: [Node]

    /// The file beside a cluster file: the whole report of `skein plan --json`.
    static func path(beside clusterFile: String) -> String { clusterFile + ".forecast.json" }

    /// Reads the forecast beside a cluster file.
    init(beside clusterFile: String) throws(Refusal) {
        let path = Self.path(beside: clusterFile)
        let bytes = try TextFile.bytes(path)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(Self.self, from: Data(bytes))
        } catch {
            throw Refusal(path, "is no forecast, expected what 'skein plan --out' has written")
        }
    }
}

/// A forecast beside what a running head has measured between two moments.
struct ForecastComparison: Encodable {
    /// One quantity.
    struct Row: Encodable {
        let quantity: String
        let node: String?
        let forecast: Double
        /// Absent where nothing was measured.
        let measured: Double?
        /// Measured in forecasts.
        let ratio: Double?
    }

    let url: String
    let seconds: Double
    let concurrency: Int
    let answers: Double
    let rows: [Row]

    /// Compares; counters count what was between the two pages.
    init(
        _ forecast: KeptForecast, from before: PrometheusSamples, to after: PrometheusSamples,
        seconds: Double, url: String
    ) {
        func growth(_ name: String, _ label: (name: String, value: String)? = nil) -> Double? {
            guard let end = after.sum(name, where: label) else { return nil }
            return max(0, end - (before.sum(name, where: label) ?? 0))
        }
        func mean(_ family: String) -> Double? {
            guard let count = growth(family + "_count"), count > 0,
                let sum = growth(family + "_sum")
            else { return nil }
            return sum / count * 1_000
        }
        self.url = url
        self.seconds = seconds
        concurrency = forecast.concurrency
        let answers = growth("skein_answers_total") ?? 0
        self.answers = answers
        let tokens = growth("skein_completion_tokens_total")
        var rows = [
            Self.row(
                "output_tokens_per_second", forecast.predictedOutputTokensPerSecond,
                answers > 0 ? tokens.map { $0 / seconds } : nil),
            Self.row(
                "mean_ttft_ms", forecast.predictedTtftMs,
                mean("gen_ai_server_time_to_first_token_seconds")),
            Self.row(
                "mean_tpot_ms", forecast.predictedTpotMs,
                mean("gen_ai_server_time_per_output_token_seconds")),
        ]
        for node in forecast.nodes {
            let label = (name: "node", value: node.name)
            let memory = after.sum("skein_node_resident_bytes", where: label)
            rows.append(
                Self.row("memory_bytes", Double(node.totalBytes), memory, node: node.name))
            let times = ["busy", "waiting", "sending", "waiting_combine"].map {
                growth("skein_stage_\($0)_seconds_total", label) ?? 0
            }
            let known = times.reduce(0, +)
            rows.append(
                Self.row(
                    "busy_share", node.predictedBusyShare, known > 0 ? times[0] / known : nil,
                    node: node.name))
        }
        self.rows = rows
    }

    private static func row(
        _ quantity: String, _ forecast: Double, _ measured: Double?, node: String? = nil
    ) -> Row {
        Row(
            quantity: quantity, node: node, forecast: forecast, measured: measured,
            ratio: forecast > 0 ? measured.map { $0 / forecast } : nil)
    }

    /// The table for people.
    var text: String {
        func number(_ row: Row, _ value: Double?) -> String {
            guard let value else { return "–" }
            switch row.quantity {
            case "memory_bytes": return "\(ByteText(Int(value)))"
            case "busy_share": return String(format: "%.0f %%", value * 100)
            default: return String(format: "%.1f", value)
            }
        }
        let table =
            [["quantity", "forecast", "measured", "ratio"]]
            + rows.map { row in
                [
                    (row.node.map { "node \($0): " } ?? "") + Self.words(row.quantity),
                    number(row, row.forecast), number(row, row.measured),
                    row.ratio.map { String(format: "%.2f", $0) } ?? "–",
                ]
            }
        let load =
            answers > 0
            ? String(format: "%.0f answers ended in %.0f s", answers, seconds)
            : String(format: "no answer ended in %.0f s, so nothing is said of speed", seconds)
        return PlainTable(table).text
            + "\(load); the forecast is for \(concurrency) sequences at once\n"
    }

    private static func words(_ quantity: String) -> String {
        switch quantity {
        case "output_tokens_per_second": "output tokens/s"
        case "mean_ttft_ms": "TTFT, mean, ms"
        case "mean_tpot_ms": "TPOT, mean, ms"
        case "memory_bytes": "memory"
        default: "busy share of its stages"
        }
    }
}
