public import SkeinCore

/// A JSON value that remembers the order of its names and the spelling of its numbers.
///
/// Prompts repeat a client's JSON (tool parameters, call arguments) to the model, so its order must
/// survive the trip; the usual dictionaries of JSON libraries lose it.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null

    /// `true` or `false`.
    case bool(Bool)

    /// A number as it was spelt.
    case number(String)

    /// A string, escapes resolved.
    case string(String)

    /// A list.
    case array([JSONValue])

    /// Names with values, in the order of the text; a name given twice is kept twice.
    case object([Member])

    /// One name of an object with its value.
    public struct Member: Equatable, Sendable {
        /// The name, escapes resolved.
        public var name: String

        /// The value behind the name.
        public var value: JSONValue

        /// Puts a name and a value together.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }
}

extension JSONValue {
    /// Reads a whole text; anything but one JSON value is refused with the byte where it breaks.
    ///
    /// - Parameter subject: What the text is, for refusals, for example `tool_calls[0].arguments`.
    public init(parsing text: String, subject: String) throws(Refusal) {
        self = try Self(parsing: Array(text.utf8), subject: subject)
    }

    /// Reads a whole file's bytes, which must be UTF-8.
    public init(parsing bytes: [UInt8], subject: String) throws(Refusal) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Refusal(subject, "is not UTF-8 text, which JSON must be")
        }
        var parser = JSONParser(bytes: bytes, subject: subject)
        self = try parser.document()
    }

    /// Reads a request's bytes, and refuses what could be meant in two ways: a name given twice, or
    /// half of a surrogate pair.
    public init(parsingRequest bytes: [UInt8], subject: String) throws(Refusal) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Refusal(subject, "is not UTF-8 text, which JSON must be")
        }
        var parser = JSONParser(bytes: bytes, subject: subject, ambiguity: .refused)
        self = try parser.document()
    }

    /// The value behind a name of an object; the last one if the name is given twice.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// The text, if this is a string.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The truth value, if this is one.
    public var bool: Bool? {
        if case .bool(let truth) = self { truth } else { nil }
    }

    /// The number, if this is a whole number that fits.
    public var integer: Int? {
        if case .number(let spelling) = self { Int(spelling) } else { nil }
    }

    /// The number, if this is one.
    public var double: Double? {
        if case .number(let spelling) = self { Double(spelling) } else { nil }
    }

    /// The elements, if this is a list.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members, if this is an object.
    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The kind of value, for a refusal.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The value or its kind, short enough for a refusal.
    var brief: String {
        switch self {
        case .null, .bool, .number: pythonText
        case .string(let text) where text.unicodeScalars.count <= 60: pythonText
        case .string, .array, .object: kind
        }
    }
}

extension JSONValue {
    /// The value as Python's `json.dumps(value, ensure_ascii=False)` writes it.
    ///
    /// The models were trained on prompts from Python, with `", "` and `": "` between the parts and
    /// characters outside ASCII as they are.
    public var pythonText: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let truth): text += truth ? "true" : "false"
        case .number(let spelling): text += Self.pythonNumber(spelling)
        case .string(let content): Self.writeQuoted(content, to: &text)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += ", " }
                element.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in Self.asDictionary(members).enumerated() {
                if index > 0 { text += ", " }
                Self.writeQuoted(member.name, to: &text)
                text += ": "
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    /// A Python dictionary keeps a repeated name at its first place with its last value.
    private static func asDictionary(_ members: [Member]) -> [Member] {
        var places: [[UInt8]: Int] = [:]
        var unique: [Member] = []
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

    /// Appends a string in quotes, escaped as Python escapes it.
    static func writeQuoted(_ content: String, to text: inout String) {
        text += "\""
        writeEscaped(content, to: &text)
        text += "\""
    }

    /// Appends the inside of a quoted string; pieces of a string may be escaped one by one.
    static func writeEscaped(_ content: String, to text: inout String) {
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
