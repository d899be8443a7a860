import Foundation
public import SkeinCore

/// Two reports beside each other.
public struct ServingComparison: Sendable {
    /// What a change of a figure means.
    public enum Verdict: String, Sendable {
        /// The second report is better.
        case better
        /// The second report is worse.
        case worse
        /// Two runs of the same may differ as much.
        case noise
        /// Neither direction is better, or one of the reports does not have the figure.
        case none = ""
    }

    /// One figure of both.
    public struct Row: Sendable, Equatable {
        /// The figure's name, behind the rate where it is one of a sweep.
        public let name: String
        /// In the first report; `nil` where it was not measured.
        public let before: Double?
        /// In the second report; `nil` where it was not measured.
        public let after: Double?
        /// What the change means.
        public let verdict: Verdict

        /// The second as a multiple of the first; `nil` where one is absent or the first is 0.
        public var ratio: Double? {
            guard let before, let after, before != 0 else { return nil }
            return after / before
        }
    }

    /// A setting in which the two differ, so that their figures are not of the same load.
    public struct Difference: Sendable, Equatable {
        /// The setting's name.
        public let name: String
        /// In the first report.
        public let before: String
        /// In the second report.
        public let after: String
    }

    /// The figures that at least one report has, throughputs first.
    public let rows: [Row]
    /// Settings in which the two differ.
    public let differences: [Difference]

    /// Changes up to this share are usual between two runs of the same.
    static let noiseShare = 0.05

    /// Compares what `--json` or `--result-file` of two measurements has given.
    ///
    /// - Throws: where one is no report or both have no figure in common.
    public init(before: JSONValue, after: JSONValue) throws(Refusal) {
        guard let first = before.fields, let second = after.fields else {
            throw Refusal("bench compare", "expected two reports of 'skein bench serve'")
        }
        let points = Self.points(first).keys.sorted().filter { Self.points(second)[$0] != nil }
        let sweepRows = points.flatMap { rate in
            Self.rows(
                Self.points(first)[rate] ?? [:], Self.points(second)[rate] ?? [:],
                prefix: "at \(FigureText.number(rate))/s ")
        }
        rows = Self.rows(first, second, prefix: "") + sweepRows
        guard rows.contains(where: { $0.before != nil && $0.after != nil }) else {
            throw Refusal("bench compare", "the two reports have no figure in common")
        }
        let names = Set(first.keys).union(second.keys).sorted().filter {
            Self.isSetting($0, first[$0] ?? second[$0] ?? .null)
        }
        differences = names.compactMap { name in
            let (left, right) = (first[name] ?? .null, second[name] ?? .null)
            guard left != right else { return nil }
            return Difference(name: name, before: Self.text(left), after: Self.text(right))
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
    ///
    /// - Parameter isWhole: whether every figure is shown, or only those that tell most.
    public func table(isWhole: Bool) -> String {
        var lines: [String] = []
        if !differences.isEmpty {
            let table = FigureTable(
                title: "settings that differ", header: ["", "before", "after"],
                rows: differences.map { [$0.name, $0.before, $0.after] }, isFigures: false)
            lines += table.lines + [""]
        }
        let shown = rows.filter { isWhole || Self.tellsMost($0.name) }
        let table = FigureTable(
            title: "figures", header: ["", "before", "after", "ratio", ""],
            rows: shown.map { row in
                [
                    row.name, FigureText.number(row.before), FigureText.number(row.after),
                    row.ratio.map { String(format: "%.3f", $0) } ?? FigureText.absent,
                    row.verdict == .noise ? "within noise" : row.verdict.rawValue,
                ]
            })
        lines += table.lines
        let hiddenCount = rows.count - shown.count
        if hiddenCount > 0 { lines.append("\(hiddenCount) further figures with --all") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The comparison for programs.
    public var json: JSONValue {
        let figures = rows.map { row in
            (
                row.name,
                JSONValue.object([
                    "before": .measured(row.before), "after": .measured(row.after),
                    "ratio": .measured(row.ratio),
                    "verdict": row.verdict == .none ? .null : .string(row.verdict.rawValue),
                ])
            )
        }
        let settings = differences.map { difference in
            (
                difference.name,
                JSONValue.object([
                    "before": .string(difference.before), "after": .string(difference.after),
                ])
            )
        }
        return .object([
            "differences": .object(Dictionary(settings) { first, _ in first }),
            "figures": .object(Dictionary(figures) { first, _ in first }),
        ])
    }

    // MARK: - Private

    /// Settings that are numbers, beside which every other number is a figure.
    private static let numericSettings: Set<String> = [
        "burstiness", "max_concurrency", "num_prompts", "request_rate", "seed", "warmup_requests",
        "temperature", "request_timeout", "max_model_len", "client_cores",
        "random_input_len", "random_output_len", "random_range_ratio", "random_prefix_len",
        "sharegpt_output_len", "custom_output_len", "dataset_rows_used", "dataset_rows_skipped",
        "single_stream_requests",
    ]
    /// What differs between any two runs, and what is neither setting nor figure.
    private static let ignored: Set<String> = [
        "date", "command", "warnings", "interrupted", "errors", "error_details", "server", "client",
        "intervals", "sweep", "output_tokens_from_usage", "dataset_skip_reasons",
    ]
    /// Figures that say which load it was, not how good the server is.
    private static let neutral: Set<String> = [
        "duration", "total_input_tokens", "total_output_tokens", "total_wanted_output_tokens",
        "total_cached_tokens", "total_accepted_prediction_tokens",
        "total_rejected_prediction_tokens", "mean_input_tokens", "mean_output_tokens",
        "mean_wanted_output_tokens", "short_answers", "tokens_per_emission",
        "max_concurrent_requests", "offered_request_rate", "interrupted_requests",
    ]
    /// Figures of which more is worse, beside all latencies.
    private static let costs: Set<String> = ["failed", "retries"]
    /// Beginnings and ends of names of figures that few readers need.
    private static let detailMarks = ["std_", "max_", "p90_", "_from_send_ms", "_send_delay_ms"]

    private static func isSetting(_ name: String, _ value: JSONValue) -> Bool {
        if ignored.contains(name) { return false }
        if numericSettings.contains(name) { return true }
        // Reports of other programs hold a list for each request; no list is a setting.
        return value.double == nil && value.array == nil && value != .null
    }

    private static func tellsMost(_ name: String) -> Bool {
        let figure = name.split(separator: " ").last.map(String.init) ?? name
        return !neutral.contains(figure)
            && !detailMarks.contains { figure.hasPrefix($0) || figure.hasSuffix($0) }
    }

    /// The loads of a sweep by their rates.
    private static func points(_ report: [String: JSONValue]) -> [Double: [String: JSONValue]] {
        let points = (report["sweep"]?.array ?? []).compactMap { point in
            point.fields.flatMap { fields in fields["request_rate"]?.double.map { ($0, fields) } }
        }
        return Dictionary(points) { first, _ in first }
    }

    private static func rows(
        _ first: [String: JSONValue], _ second: [String: JSONValue], prefix: String
    ) -> [Row] {
        let names = Set(first.keys).union(second.keys).filter { name in
            !ignored.contains(name) && !numericSettings.contains(name)
                && (first[name]?.double != nil || second[name]?.double != nil)
        }
        return names.sorted { place($0) < place($1) }.map { name in
            let (before, after) = (first[name]?.double, second[name]?.double)
            return Row(
                name: prefix + name, before: before, after: after,
                verdict: verdict(
                    name, before, after, interval(first, name), interval(second, name)))
        }
    }

    /// The interval in which a report says that the true figure lies.
    private static func interval(
        _ report: [String: JSONValue], _ name: String
    ) -> ClosedRange<Double>? {
        let ends = report["intervals"]?.fields?[name]?.array?.compactMap(\.double) ?? []
        guard ends.count == 2, ends[0] <= ends[1] else { return nil }
        return ends[0]...ends[1]
    }

    /// A change is more than noise where it is larger than what is usual between two runs, and the
    /// intervals of both, where they are known, have nothing in common.
    private static func verdict(
        _ name: String, _ before: Double?, _ after: Double?, _ first: ClosedRange<Double>?,
        _ second: ClosedRange<Double>?
    ) -> Verdict {
        guard let before, let after, !neutral.contains(name) else { return .none }
        let change = abs(after - before)
        if change <= noiseShare * max(abs(before), abs(after)) { return .noise }
        if let first, let second, first.overlaps(second) { return .noise }
        let isCost = name.hasSuffix("_ms") || costs.contains(name)
        return (after > before) == isCost ? .worse : .better
    }

    /// Throughputs first, then latencies by their name.
    private static func place(_ name: String) -> String {
        guard name.hasSuffix("_ms") else { return "0" + name }
        let words = name.dropLast(3).split(separator: "_", maxSplits: 1)
        return "1\(words.last ?? "") \(words.first ?? "")"
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: FigureText.absent
        case .string(let text): text
        default: value.line
        }
    }
}
