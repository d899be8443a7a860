import Foundation
public import SkeinCore

/// Two reports beside each other.
public struct ServingComparison: Sendable {
    /// One figure of both.
    public struct Row: Sendable, Equatable {
        /// The figure's name.
        public let name: String
        /// In the first report.
        public let before: Double
        /// In the second report.
        public let after: Double

        /// The second as a multiple of the first; `nil` where the first is 0.
        public var ratio: Double? { before == 0 ? nil : after / before }
    }

    /// The figures that both reports have, latencies last.
    public let rows: [Row]
    /// Settings in which the two differ, so that their figures are not of the same load.
    public let differences: [String]

    private static let settings = [
        "backend", "burstiness", "dataset_name", "max_concurrency", "model_id", "num_prompts",
        "request_rate", "seed", "total_input_tokens",
    ]

    /// Compares what `--json` or `--result-file` of two measurements has given.
    ///
    /// - Throws: where one is no report or both have no figure in common.
    public init(before: JSONValue, after: JSONValue) throws(Refusal) {
        guard let first = before.fields, let second = after.fields else {
            throw Refusal("bench compare", "expected two reports of 'skein bench serve'")
        }
        let names = first.keys.filter { name in
            Self.isFigure(name) && first[name]?.double != nil && second[name]?.double != nil
        }
        guard !names.isEmpty else {
            throw Refusal("bench compare", "the two reports have no figure in common")
        }
        rows = names.sorted { Self.place($0) < Self.place($1) }.map { name in
            Row(
                name: name, before: first[name]?.double ?? 0, after: second[name]?.double ?? 0)
        }
        differences = Self.settings.compactMap { name in
            let (left, right) = (first[name] ?? .null, second[name] ?? .null)
            guard left != right else { return nil }
            return "\(name): \(left.summary) and \(right.summary)"
        }
    }

    /// Reads a report from a file.
    public static func report(path: String) throws(Refusal) -> JSONValue {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw Refusal(path, "cannot be read: \(error.localizedDescription)")
        }
        return try JSONValue(parsing: Array(bytes), subject: path)
    }

    /// The comparison for people.
    public var table: String {
        var lines = differences.map { "not the same load: \($0)" }
        let width = (rows.map(\.name.count).max() ?? 0) + 2
        func line(_ name: String, _ values: [String]) -> String {
            FigureText.padded(name, width)
                + values.map { FigureText.rightAligned($0, 13) }.joined()
        }
        lines.append(line("", ["before", "after", "ratio"]))
        for row in rows {
            lines.append(
                line(
                    row.name,
                    [
                        FigureText.number(row.before), FigureText.number(row.after),
                        row.ratio.map { String(format: "%.3f", $0) } ?? "–",
                    ]))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The comparison for programs.
    public var json: JSONValue {
        .object([
            "differences": .array(differences.map { .string($0) }),
            "figures": .object(
                Dictionary(
                    uniqueKeysWithValues: rows.map { row in
                        (
                            row.name,
                            JSONValue.object([
                                "before": .measured(row.before), "after": .measured(row.after),
                                "ratio": row.ratio.map { .measured($0) } ?? .null,
                            ])
                        )
                    })),
        ])
    }

    private static func isFigure(_ name: String) -> Bool {
        !settings.contains(name) && name != "warmup_requests" && name != "single_stream_requests"
    }

    /// Throughputs first, then latencies by their name.
    private static func place(_ name: String) -> String {
        guard name.hasSuffix("_ms") else { return "0" + name }
        let words = name.dropLast(3).split(separator: "_", maxSplits: 1)
        return "1\(words.last ?? "") \(words.first ?? "")"
    }
}
