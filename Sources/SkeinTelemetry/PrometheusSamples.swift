/// Measurements that were read from the text format of Prometheus, as ``PrometheusText`` writes it.
public struct PrometheusSamples: Equatable, Sendable {
    /// One value and its labels.
    public struct Sample: Equatable, Sendable {
        /// Values by label.
        public let labels: [String: String]
        /// The number.
        public let value: Double
    }

    /// Samples by the whole name of each line, for example `…_seconds_sum`.
    public private(set) var samples: [String: [Sample]] = [:]

    /// Reads a page; lines that are none of the format are left out, since others may write more
    /// than we know.
    public init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let (name, sample) = Self.sample(line) else { continue }
            samples[name, default: []].append(sample)
        }
    }

    /// The sum of a name's values, of those with a label's value where one is given; `nil` where
    /// there is none.
    public func sum(_ name: String, where label: (name: String, value: String)? = nil) -> Double? {
        let found = (samples[name] ?? []).filter { sample in
            label.map { sample.labels[$0.name] == $0.value } ?? true
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    // MARK: Rooms

    private static func sample(_ line: Substring) -> (String, Sample)? {
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.hasPrefix("{") {
            rest = rest.dropFirst()
            while !rest.hasPrefix("}") {
                if rest.hasPrefix(",") { rest = rest.dropFirst() }
                let label = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(label.count)
                guard rest.hasPrefix("=\""), let value = quoted(&rest) else { return nil }
                labels[String(label)] = value
            }
            rest = rest.dropFirst()
        }
        let words = rest.split(separator: " ")
        guard !name.isEmpty, let word = words.first, let value = Double(word) else { return nil }
        return (String(name), Sample(labels: labels, value: value))
    }

    /// Takes `="…"` from the beginning; `nil` where it does not end.
    private static func quoted(_ rest: inout Substring) -> String? {
        rest = rest.dropFirst(2)
        var text = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return text
            case "\\":
                guard let next = rest.popFirst() else { return nil }
                text.append(next == "n" ? "\n" : next)
            default: text.append(character)
            }
        }
        return nil
    }
}
