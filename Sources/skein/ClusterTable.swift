import SkeinCluster
import SkeinCore
import SkeinText

/// A cluster's head and nodes as rows of text, read from the head's answer.
struct ClusterTable: Sendable {
    private static let titles = [
        "NODE", "ROLE", "SLICE", "STATE", "VERSION", "FINGERPRINT", "RSS", "PAGES", "STEP P50/P99",
        "TOK/S", "ROUND TRIP", "LAST ERROR",
    ]

    /// The cluster's name and what it has to do, in one line.
    let title: String
    private let rows: [[String]]

    /// Reads the answer of `/v1/cluster`.
    ///
    /// - Throws: a `Refusal` where it is not what a head says.
    init(_ answer: JSONValue, from asked: String) throws(Refusal) {
        guard let name = answer["name"]?.string, let nodes = answer["nodes"]?.array,
            (1...Limits.nodesMax).contains(nodes.count), let isReady = answer["ready"]?.bool
        else { throw Refusal(asked, "answered without a list of nodes; is it a Skein head?") }
        let pages = answer["pages"]?["total"]?.integer
        var rows = [Self.headRow(answer["head"], isReady: isReady, pages: answer["pages"])]
        for (place, node) in nodes.enumerated() {
            guard let row = Self.row(node, pageCount: pages) else {
                throw Refusal(asked, "answered with a node \(place) that has no name or state")
            }
            rows.append(row)
        }
        self.rows = rows
        let queue = answer["queue"]
        title =
            "cluster \(PlainText(name, charactersMax: Limits.nameCharactersMax)) at \(asked), "
            + "epoch \(Self.number(answer["epoch"])), "
            + "\(Self.number(queue?["running"])) running, "
            + "\(Self.number(queue?["waiting"])) waiting, "
            + "\(Self.number(answer["micro_batches"]?["in_flight"])) micro-batches in flight"
    }

    /// The rows under their titles; the last column is as long as it is.
    var text: String {
        let lines = [Self.titles] + rows
        let widths = Self.titles.indices.map { column in
            lines.reduce(0) { max($0, $1[column].count) }
        }
        return lines.map { line in
            let cells = line.enumerated().map { column, cell in
                column == line.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            var text = cells.joined(separator: "  ")
            while text.hasSuffix(" ") { text.removeLast() }
            return text
        }.joined(separator: "\n")
    }

    private static func headRow(
        _ head: JSONValue?, isReady: Bool, pages: JSONValue?
    ) -> [String] {
        [
            "coordinator", "head", "-", isReady ? "ready" : "forming", word(head?["version"]),
            fingerprint(head?["fingerprint"]), "-",
            "\(number(pages?["owned"]))/\(number(pages?["total"]))", "-", "-", "-", "-",
        ]
    }

    private static func row(_ node: JSONValue, pageCount: Int?) -> [String]? {
        guard let name = node["name"]?.string, let state = node["state"]?.string,
            let stages = node["stages"]?.array, stages.count <= Limits.stagesMax
        else { return nil }
        let step = node["step_seconds"]
        let error = node["last_error"]?.string.map { text in
            let age = node["last_error_age_seconds"]?.double.map { " (\(seconds($0)) ago)" }
            return PlainText(text).description + (age ?? "")
        }
        let shard = node["experts"]?.array ?? []
        guard shard.count <= Limits.shardPartsMax else { return nil }
        let indexes = stages.map { number($0["index"]) }.joined(separator: ",")
        let roles =
            (stages.isEmpty ? [] : ["stage \(indexes)"]) + (shard.isEmpty ? [] : ["experts"])
            + (node["role"]?.string == "standby" ? ["standby"] : [])
        return [
            PlainText(name, charactersMax: Limits.nameCharactersMax).description,
            roles.joined(separator: " "), slices(stages, shard),
            PlainText(state, charactersMax: 16).description,
            word(node["version"]), fingerprint(node["fingerprint"]), bytes(node["resident_bytes"]),
            "\(number(node["pages_used"]))/\(pageCount.map { "\($0)" } ?? "-")",
            "\(seconds(step?["p50"]?.double))/\(seconds(step?["p99"]?.double))",
            rate(node["rows_per_second"]), seconds(node["round_trip_seconds"]?["smoothed"]?.double),
            error ?? "-",
        ]
    }

    /// For example `0-3+E 8-11+H 3-60x0-63`: layers, the embedding, the head, experts of layers.
    private static func slices(
        _ stages: [JSONValue], _ shard: [JSONValue]
    ) -> String {
        let slices = stages.map { stage in
            "\(number(stage["layers"]?["first"]))-\(number(stage["layers"]?["last"]))"
                + (stage["holds_embedding"]?.bool == true ? "+E" : "")
                + (stage["holds_head"]?.bool == true ? "+H" : "")
        }
        let parts = shard.map { part in
            "\(number(part["first_layer"]))-\(number(part["last_layer"]))x"
                + "\(number(part["first_expert"]))-\(number(part["last_expert"]))"
        }
        return (slices + parts).joined(separator: " ")
    }

    private static func number(_ value: JSONValue?) -> String {
        value?.integer.map { "\($0)" } ?? "-"
    }

    private static func word(_ value: JSONValue?) -> String {
        value?.string.map { PlainText($0, charactersMax: 24).description } ?? "-"
    }

    /// The first twelve characters, by which people compare.
    private static func fingerprint(_ value: JSONValue?) -> String {
        value?.string.map { PlainText($0, charactersMax: 12).description } ?? "-"
    }

    private static func bytes(_ value: JSONValue?) -> String {
        guard let count = value?.integer, count > 0 else { return "-" }
        return ByteText(count).description
    }

    private static func rate(_ value: JSONValue?) -> String {
        guard let rate = value?.double, rate.isFinite, (0..<1e12).contains(rate) else { return "-" }
        let tenths = Int((rate * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// A time with three digits or so: `0.4ms`, `12ms`, `3.1s`.
    static func seconds(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, (0..<1e9).contains(seconds), seconds > 0 else {
            return "-"
        }
        let milliseconds = seconds * 1_000
        if milliseconds < 10 { return tenths(milliseconds) + "ms" }
        if milliseconds < 1_000 { return "\(Int(milliseconds.rounded()))ms" }
        return seconds < 600 ? tenths(seconds) + "s" : "\(Int((seconds / 60).rounded()))min"
    }

    private static func tenths(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
