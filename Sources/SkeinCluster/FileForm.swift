import Foundation
import SkeinCore

/// How one kind of value stands in a file: what is expected, and how it is read and written.
struct FileForm<Value>: Sendable {
    /// What may stand there, for documents.
    let expected: String
    /// Reads the named field, which may be missing where it must not.
    let read: @Sendable (ClusterFields, String) throws(Refusal) -> Value
    /// The text that reads back as the value; it begins with a line end where it takes its own
    /// lines.
    let write: @Sendable (Value) -> String
}

extension FileForm<Int> {
    /// A whole number of `unit`.
    static func count(_ range: ClosedRange<Int>, _ unit: String) -> Self {
        Self(
            expected: "\(grouped(range.lowerBound)) to \(grouped(range.upperBound)) \(unit)",
            read: { (fields, name) throws(Refusal) in try fields.number(name, range) },
            write: { "\($0)" })
    }

    private static func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        for place in stride(from: digits.count - 3, to: 0, by: -3) {
            digits.insert(",", at: place)
        }
        return String(digits)
    }
}

extension FileForm<Double> {
    /// A number of `unit`, with or without a fraction.
    ///
    /// - Parameters:
    ///   - times: units of the value in one of the file's.
    ///   - over: units of the file in one of the value's.
    ///   - rounding: how what the file cannot say is rounded.
    static func decimal(
        _ range: ClosedRange<Double>, _ unit: String, times: Double = 1, over: Double = 1,
        rounding: FloatingPointRoundingRule = .toNearestOrAwayFromZero
    ) -> Self {
        Self(
            expected: unit,
            read: { (fields, name) throws(Refusal) in
                try fields.decimal(name, range) * times / over
            },
            write: { text($0 * over / times, within: range, rounding) })
    }

    /// Decimal digits with three behind the point, or six where the number is small; what is
    /// beyond the range, which would not be read back, is taken to its end.
    private static func text(
        _ value: Double, within range: ClosedRange<Double>, _ rounding: FloatingPointRoundingRule
    ) -> String {
        let digits = value < 0.1 ? 6 : 3
        let scale = value < 0.1 ? 1e6 : 1e3
        let rounded = value.isNaN ? 0 : min(value, range.upperBound) * scale
        let number = max(range.lowerBound, rounded.rounded(rounding) / scale)
        var text = String(format: "%.\(digits)f", number)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}

extension FileForm<String> {
    /// Letters, digits and a few marks, since files are named after it.
    static let name = Self(
        expected: "at most \(Limits.nameCharactersMax) letters, digits, `-`, `_`, `.`",
        read: { (fields, name) throws(Refusal) in try fields.name(name) }, write: FileText.quoted)

    /// Any text but an empty one.
    static let text = Self(
        expected: "text",
        read: { (fields, name) throws(Refusal) in try fields.text(name) }, write: FileText.quoted)

    /// A folder, relative to the file that names it.
    static let folder = Self(
        expected: "folder, relative to this file",
        read: { (fields, name) throws(Refusal) in try fields.folder(name) },
        write: FileText.quoted)

    /// A public CURVE key in Z85.
    static let key = Self(
        expected: "40 characters of Z85",
        read: { (fields, name) throws(Refusal) in try fields.key(name) }, write: FileText.quoted)
}

extension FileForm<TCPAddress> {
    /// Where a peer listens and others call it.
    static let address = Self(
        expected: "`tcp://HOST:PORT`",
        read: { (fields, name) throws(Refusal) in try fields.address(name) },
        write: { FileText.quoted($0.description) })

    /// Where a node listens; it tells the others its port.
    static let nodeAddress = Self(
        expected: "`tcp://HOST:PORT` or `tcp://HOST:*`",
        read: { (fields, name) throws(Refusal) in try fields.nodeAddress(name) },
        write: { FileText.quoted($0.description) })

    /// Where clients speak HTTP.
    static let httpAddress = Self(
        expected: "`HOST:PORT`",
        read: { (fields, name) throws(Refusal) in try fields.httpAddress(name) },
        write: { FileText.quoted($0.hostAndPort) })
}

extension FileForm
where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// One of an enumeration's texts.
    static var choice: Self {
        Self(
            expected: Value.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or "),
            read: { (fields, name) throws(Refusal) in try fields.choice(name, Value.self) },
            write: { $0.rawValue })
    }
}

extension FileForm<Bool> {
    private enum Switch: String, CaseIterable { case on, off }

    private enum Answer: String, CaseIterable {
        case yes = "true"
        case no = "false"
    }

    /// `on` or `off`.
    static let onOrOff = Self(
        expected: "`on` or `off`",
        read: { (fields, name) throws(Refusal) in try fields.choice(name, Switch.self) == .on },
        write: { $0 ? "on" : "off" })

    /// `true` or `false`.
    static let trueOrFalse = Self(
        expected: "`true` or `false`",
        read: { (fields, name) throws(Refusal) in try fields.choice(name, Answer.self) == .yes },
        write: { $0 ? "true" : "false" })
}

extension FileForm {
    /// A mapping of its own, on one line.
    ///
    /// - Parameter start: what is taken where a field is missing.
    static func inline(_ table: [FileField<Value>], start: Value) -> Self where Value: Sendable {
        Self(
            expected: "fields, see below",
            read: { (fields, name) throws(Refusal) in
                var value = start
                try table.read(try fields.mapping(name, allowed: table.map(\.name)), into: &value)
                return value
            },
            write: { "{" + table.lines(of: $0, indent: "").joined(separator: ", ") + "}" })
    }

    /// A mapping of its own, on lines of their own.
    ///
    /// - Parameter start: what is taken where a field is missing.
    static func block(_ table: [FileField<Value>], start: Value) -> Self where Value: Sendable {
        let inline = inline(table, start: start)
        return Self(
            expected: inline.expected, read: inline.read,
            write: { "\n" + table.lines(of: $0, indent: "  ").joined(separator: "\n") })
    }

    /// A list of mappings, each on lines of its own, or on one.
    ///
    /// - Parameters:
    ///   - start: what is taken where a field of an entry is missing.
    ///   - isInline: whether each entry is one line, in a list that is a field of another's entry.
    static func list<Entry: Sendable>(
        _ table: [FileField<Entry>], countMax: Int, start: Entry, isInline: Bool = false
    ) -> Self where Value == [Entry] {
        Self(
            expected: "a list of 1 to \(countMax), see below",
            read: { (fields, name) throws(Refusal) in
                var entries: [Entry] = []
                for inner in try fields.list(name, countMax: countMax, fields: table) {
                    var entry = start
                    try table.read(inner, into: &entry)
                    entries.append(entry)
                }
                return entries
            },
            write: { entries in
                entries.map { entry in
                    let lines = table.lines(of: entry, indent: isInline ? "" : "    ")
                    return isInline
                        ? "\n      - {\(lines.joined(separator: ", "))}"
                        : "\n  - \(lines.joined(separator: "\n").dropFirst(4))"
                }.joined()
            })
    }
}

extension FileForm<Range<Int>> {
    /// `FIRST-LAST`, both included, or one number.
    static func range(of countMax: Int) -> Self {
        Self(
            expected: "`FIRST-LAST` from 0, both included",
            read: { (fields, name) throws(Refusal) in
                try fields.range(try fields.text(name), of: name, countMax: countMax)
            },
            write: FileText.range)
    }
}

extension FileForm<[Range<Int>]> {
    /// One range, or a list of two.
    static func ranges(of countMax: Int) -> Self {
        Self(
            expected: "`FIRST-LAST` from 0, both included, or a list of two",
            read: { (fields, name) throws(Refusal) in
                var ranges: [Range<Int>] = []
                let texts = try fields.texts(name, countMax: 2)
                guard !texts.isEmpty else {
                    throw fields.refusal(name, "found an empty list, expected FIRST-LAST")
                }
                for text in texts {
                    ranges.append(try fields.range(text, of: name, countMax: countMax))
                }
                return ranges
            },
            write: { ranges in
                ranges.count == 1
                    ? FileText.range(ranges[0])
                    : "[\(ranges.map(FileText.range).joined(separator: ", "))]"
            })
    }
}

/// Texts as a file takes them.
enum FileText {
    /// A range as `FIRST-LAST`.
    @Sendable static func range(_ range: Range<Int>) -> String {
        "\(range.lowerBound)-\(range.upperBound - 1)"
    }

    /// The text as it is where it is plainly a word or a path, else in double quotation marks.
    @Sendable static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
            default: false
            }
        }
        let first = text.utf8.first ?? 0
        let beginsPlain = first == 0x2F || first & 0xDF >= 0x41
        let isWord = ["null", "true", "false", "yes", "no", "on", "off"]
            .contains(text.lowercased())
        if isPlain, beginsPlain, !isWord { return text }
        // The reader takes & and * after white space or a quotation mark for an anchor or an alias.
        let hidesMarks = text.contains { $0.isWhitespace || ",\"'".contains($0) }
        let escaped = text.unicodeScalars.map { scalar in
            let isMark = scalar == "&" || scalar == "*"
            let isControl = scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value)
            if isControl || (isMark && hidesMarks) {
                return "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            }
            return scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
        }
        return "\"\(escaped.joined())\""
    }
}
