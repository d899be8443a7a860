/// Writes JSON: one way through a value, and a few tokens that differ from form to form.
struct JSONWriter {
    /// How a text looks.
    enum Form {
        /// On one line without spaces.
        case compact
        /// As Python's `json.dumps(value, ensure_ascii=False)` writes what it has read.
        case python
        /// Two spaces a level.
        case indented
    }

    private let form: Form
    private(set) var text = ""

    init(_ form: Form) { self.form = form }

    mutating func write(_ value: JSONValue, depth: Int = 0) {
        switch value {
        case .null: text += "null"
        case .bool(let truth): text += truth ? "true" : "false"
        case .number(let spelling):
            text += form == .python ? Self.pythonNumber(spelling) : spelling
        case .string(let content): JSONValue.writeQuoted(content, to: &text)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                separate(isFirst: index == 0, depth: depth)
                write(element, depth: depth + 1)
            }
            close("]", isEmpty: elements.isEmpty, depth: depth)
        case .object(let members):
            text += "{"
            let written = form == .python ? Self.asDictionary(members) : members
            for (index, member) in written.enumerated() {
                separate(isFirst: index == 0, depth: depth)
                JSONValue.writeQuoted(member.name, to: &text)
                text += form == .compact ? ":" : ": "
                write(member.value, depth: depth + 1)
            }
            close("}", isEmpty: members.isEmpty, depth: depth)
        }
    }

    private mutating func separate(isFirst: Bool, depth: Int) {
        if !isFirst { text += form == .python ? ", " : "," }
        if form == .indented { breakLine(depth: depth + 1) }
    }

    private mutating func close(_ bracket: String, isEmpty: Bool, depth: Int) {
        if form == .indented, !isEmpty { breakLine(depth: depth) }
        text += bracket
    }

    private mutating func breakLine(depth: Int) {
        text += "\n" + String(repeating: "  ", count: depth)
    }

    /// A Python dictionary keeps a repeated name at its first place with its last value.
    private static func asDictionary(_ members: [JSONValue.Member]) -> [JSONValue.Member] {
        var places: [[UInt8]: Int] = [:]
        var unique: [JSONValue.Member] = []
        for member in members {
            let key = Array(member.name.utf8)
            if let place = places[key] {
                unique[place].value = member.value
            } else {
                places[key] = unique.count
                unique.append(member)
            }
        }
        return unique
    }

    /// The spelling that Python gives a number after reading it.
    private static func pythonNumber(_ spelling: String) -> String {
        let isWhole = !spelling.utf8.contains { $0 == 0x2E || $0 == 0x65 || $0 == 0x45 }
        if isWhole { return spelling == "-0" ? "0" : spelling }
        guard let value = Double(spelling) else { return spelling }
        guard value.isFinite else { return value < 0 ? "-Infinity" : "Infinity" }
        // Both languages write the shortest digits that read back; only the size from which an
        // exponent is used differs: 2^53 in Swift, 10^16 in Python.
        if abs(value) >= 9_007_199_254_740_992, abs(value) < 1e16 { return "\(Int(value)).0" }
        return value.description
    }
}

extension JSONValue {
    /// The value as Python's `json.dumps(value, ensure_ascii=False)` writes it.
    ///
    /// The models were trained on prompts from Python, with `", "` and `": "` between the parts and
    /// characters outside ASCII as they are.
    public var pythonText: String { written(.python) }

    /// The value on one line without spaces; numbers as they are spelt.
    public var line: String { written(.compact) }

    /// The document with two spaces a level, ending in a line break; numbers as they are spelt.
    public var text: String { written(.indented) + "\n" }

    private func written(_ form: JSONWriter.Form) -> String {
        var writer = JSONWriter(form)
        writer.write(self)
        return writer.text
    }

    /// Appends a string in quotes, escaped.
    public static func writeQuoted(_ content: String, to text: inout String) {
        text += "\""
        writeEscaped(content, to: &text)
        text += "\""
    }

    /// Appends the inside of a quoted string; pieces of a string may be escaped one by one.
    public static func writeEscaped(_ content: String, to text: inout String) {
        for scalar in content.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
