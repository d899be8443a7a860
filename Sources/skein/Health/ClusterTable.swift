import SkeinCluster
import SkeinCore

/// A cluster's head and nodes as rows of text, read from the head's answer.
struct ClusterTable: Sendable {
    /// A column and what it is worth: where the width does not hold all, those with the highest
    /// number go first; those with 0 stay, cut where need be.
    private static let columns: [(title: String, rank: Int)] = [
        ("NODE", 0), ("ROLE", 0), ("SLICE", 2), ("STATE", 0), ("ADDRESS", 0), ("VERSION", 8),
        ("FINGERPRINT", 7), ("RSS", 1), ("PAGES", 4), ("STEP P50/P99", 5), ("TOK/S", 3),
        ("ROUND TRIP", 6),
    ]

    /// A row and the trouble that is told below it.
    private struct Row: Sendable {
        var cells: [String]
        var error: String?
    }

    /// The cluster and who was asked, then what it has to do.
    private let heading: [String]
    private let rows: [Row]

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
        heading = [
            "cluster \(PlainText(name, charactersMax: Limits.nameCharactersMax)) at \(asked)",
            "epoch \(Self.number(answer["epoch"])), \(Self.number(queue?["running"])) running, "
                + "\(Self.number(queue?["waiting"])) waiting, "
                + "\(Self.number(answer["micro_batches"]?["in_flight"])) micro-batches in flight",
        ]
    }

    /// What the cluster has to do, and its rows under their titles, as wide as the form allows.
    func lines(in form: TerminalForm) -> [String] {
        let all = [Row(cells: Self.columns.map(\.title))] + rows
        var widths = Self.columns.indices.map { column in
            all.reduce(0) { max($0, $1.cells[column].count) }
        }
        var shown = Array(Self.columns.indices)
        func total() -> Int { shown.reduce(2 * (shown.count - 1)) { $0 + widths[$1] } }
        while total() > form.columnCount {
            if let least = shown.max(by: { Self.columns[$0].rank < Self.columns[$1].rank }),
                Self.columns[least].rank > 0
            {
                shown.removeAll { $0 == least }
            } else if let widest = shown.max(by: { widths[$0] < widths[$1] }), widths[widest] > 4 {
                widths[widest] -= 1
            } else {
                break
            }
        }
        return heading.flatMap { form.wrapped($0, indentation: 2) }
            + all.flatMap { Self.lines(of: $0, shown, widths, form) }
    }

    private static func lines(
        of row: Row, _ shown: [Int], _ widths: [Int], _ form: TerminalForm
    ) -> [String] {
        let cells = shown.map { column in
            var cell = row.cells[column]
            if cell.count > widths[column] { cell = cell.prefix(widths[column] - 1) + "…" }
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return (columns[column].title == "STATE" ? form.coloured(cell, colour(of: cell)) : cell)
                + padding
        }
        var line = cells.joined(separator: "  ")
        while line.hasSuffix(" ") { line.removeLast() }
        let error = row.error.map { form.wrapped("  " + $0, indentation: 4) } ?? []
        return [line] + error
    }

    private static func colour(of state: String) -> TerminalForm.Colour? {
        switch state {
        case "ready", "standby": .green
        case "waiting", "placed", "loading", "forming", "suspect": .yellow
        case "dead", "left": .red
        default: nil
        }
    }

    private static func headRow(
        _ head: JSONValue?, isReady: Bool, pages: JSONValue?
    ) -> Row {
        Row(cells: [
            "coordinator", "head", "-", isReady ? "ready" : "forming", address(head?["address"]),
            word(head?["version"]), fingerprint(head?["fingerprint"]), "-",
            "\(number(pages?["owned"]))/\(number(pages?["total"]))", "-", "-", "-",
        ])
    }

    private static func row(_ node: JSONValue, pageCount: Int?) -> Row? {
        guard let name = node["name"]?.string, let state = node["state"]?.string,
            let stages = node["stages"]?.array, stages.count <= Limits.stagesMax
        else { return nil }
        let step = node["step_seconds"]
        let error = node["last_error"]?.string.map { text in
            let age = node["last_error_age_seconds"]?.double.map { ", \(seconds($0)) ago" }
            return "last error\(age ?? ""): \(PlainText(text))"
        }
        let shard = node["experts"]?.array ?? []
        guard shard.count <= Limits.shardPartsMax else { return nil }
        let indexes = stages.map { number($0["index"]) }.joined(separator: ",")
        let isStandby = node["role"]?.string == "standby"
        let roles =
            (stages.isEmpty ? [] : ["stage \(indexes)"]) + (shard.isEmpty ? [] : ["experts"])
            + (isStandby ? ["standby"] : [])
        let held = slices(stages, shard)
        // One that is here and holds nothing does what it is there for.
        let word = isStandby && state == "placed" ? "standby" : state
        let cells = [
            PlainText(name, charactersMax: Limits.nameCharactersMax).description,
            roles.isEmpty ? "-" : roles.joined(separator: " "), held.isEmpty ? "-" : held,
            PlainText(word, charactersMax: 16).description, address(node["address"]),
            self.word(node["version"]), fingerprint(node["fingerprint"]),
            bytes(node["resident_bytes"]),
            "\(number(node["pages_used"]))/\(pageCount.map { "\($0)" } ?? "-")",
            "\(seconds(step?["p50"]?.double))/\(seconds(step?["p99"]?.double))",
            rate(node["rows_per_second"]), seconds(node["round_trip_seconds"]?["smoothed"]?.double),
        ]
        return Row(cells: cells, error: error)
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

    /// Where a peer listens, without the scheme that all have.
    private static func address(_ value: JSONValue?) -> String {
        guard let text = value?.string else { return "-" }
        let plain = PlainText(text, charactersMax: Limits.addressBytesMax).description
        return plain.hasPrefix("tcp://") ? String(plain.dropFirst(6)) : plain
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
