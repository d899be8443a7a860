/// Writes measurements in the text format that Prometheus reads (version 0.0.4).
///
/// Each family of samples comes once, with a line of help and its kind before its samples.
public struct PrometheusText: Sendable {
    /// What a family's values mean.
    public enum Kind: String, Sendable {
        /// Only grows, until the program starts again; its name ends in `_total`.
        case counter
        /// Goes up and down.
        case gauge
    }

    /// One value and what tells it from the others of its family.
    public struct Sample: Sendable {
        let labels: [(name: String, value: String)]
        let value: Double

        /// Describes a value.
        public init(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
            self.labels = labels.map { ($0.key, $0.value) }
            self.value = value
        }
    }

    /// The text so far.
    public private(set) var text = ""

    /// Opens an empty page.
    public init() {}

    /// Adds a family of single values; one without samples is left out.
    ///
    /// - Precondition: a counter's name ends in `_total`, and no other's does.
    public mutating func add(_ kind: Kind, _ name: String, _ help: String, _ samples: [Sample]) {
        precondition(
            name.hasSuffix("_total") == (kind == .counter),
            "a counter ends in _total, and nothing else does: \(name)")
        guard !samples.isEmpty else { return }
        begin(name, kind.rawValue, help)
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    /// Adds a family of histograms, each with what tells it from the others.
    public mutating func add(
        _ name: String, _ help: String,
        _ histograms: [(labels: KeyValuePairs<String, String>, histogram: Histogram)]
    ) {
        guard !histograms.isEmpty else { return }
        begin(name, "histogram", help)
        for (pairs, histogram) in histograms {
            let labels = pairs.map { (name: $0.key, value: $0.value) }
            let bounds = histogram.bounds.map(Self.number) + ["+Inf"]
            for (bound, count) in zip(bounds, histogram.cumulativeCounts) {
                line("\(name)_bucket", labels + [(name: "le", value: bound)], Double(count))
            }
            line("\(name)_sum", labels, histogram.sum)
            line("\(name)_count", labels, Double(histogram.count))
        }
    }

    private mutating func begin(_ name: String, _ kind: String, _ help: String) {
        precondition(Self.isName(name), "no name of a metric: \(name)")
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind)\n"
    }

    private mutating func line(
        _ name: String, _ labels: [(name: String, value: String)], _ value: Double
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { label in
                precondition(Self.isName(label.name), "no name of a label: \(label.name)")
                return "\(label.name)=\"\(Self.escaped(label.value, quotes: true))\""
            }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(Self.number(value))\n"
    }

    /// A name of letters, digits and underscores that begins with no digit.
    private static func isName(_ name: String) -> Bool {
        let isWhole = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte)
                || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        return isWhole && name.utf8.first.map { !(0x30...0x39).contains($0) } == true
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Whole numbers without a point; the format's own words for what is no finite number.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        guard value.isFinite else { return value < 0 ? "-Inf" : "+Inf" }
        return Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
