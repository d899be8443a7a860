/// A JSON value that remembers the order of its names and the spelling of its numbers.
///
/// Prompts repeat a client's JSON (tool parameters, call arguments) to the model, so its order must
/// survive; the usual dictionaries of JSON libraries lose it. Whole numbers, fractions and truth
/// values stay different things: Foundation's reader would turn `true` into 1.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null

    /// `true` or `false`.
    case bool(Bool)

    /// A number as it is spelt.
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

    /// Reads one whole document; anything else is refused with the byte where it breaks.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text; the caller has limited its size.
    ///   - subject: what the bytes are, named in the refusal.
    ///   - rules: what the text may hold, by who wrote it.
    public init(
        parsing bytes: [UInt8], subject: String, rules: JSONRules = .file
    ) throws(Refusal) {
        try GitPointer.refuse(bytes, subject: subject)
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Refusal(subject, "is not valid JSON: the text is not UTF-8")
        }
        var parser = JSONParser(bytes: bytes, subject: subject, rules: rules)
        self = try parser.document()
    }

    /// Reads a text in the same way.
    public init(parsing text: String, subject: String, rules: JSONRules = .file) throws(Refusal) {
        var parser = JSONParser(bytes: Array(text.utf8), subject: subject, rules: rules)
        self = try parser.document()
    }
}

// MARK: - Reading

extension JSONValue {
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

    /// The number, if it is written without fraction and exponent and fits an `Int`.
    public var integer: Int? {
        if case .number(let spelling) = self { Int(spelling) } else { nil }
    }

    /// The number, if this is one and a finite `Double` can hold it.
    public var double: Double? {
        guard case .number(let spelling) = self, let number = Double(spelling), number.isFinite
        else { return nil }
        return number
    }

    /// The elements, if this is a list.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members, if this is an object.
    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The values by name, if this is an object; of a name given twice the last one.
    ///
    /// For objects of many names that are looked up; it costs a pass over all of them.
    public var fields: [String: JSONValue]? {
        guard case .object(let members) = self else { return nil }
        return Dictionary(members.map { ($0.name, $0.value) }) { $1 }
    }

    /// What a person reads in an error line: the value itself where it is short, else its kind.
    public var summary: String {
        switch self {
        case .null: "null"
        case .bool(let truth): "\(truth)"
        case .number(let spelling): String(spelling.prefix(60))
        case .string(let text) where text.unicodeScalars.count <= 60: self.line
        case .string(let text):
            JSONValue.string(String(text.unicodeScalars.prefix(60)) + "…").line
        case .array(let elements): "a list of \(elements.count)"
        case .object(let members): "an object of \(members.count)"
        }
    }
}

// MARK: - Making

extension JSONValue {
    /// A whole number.
    public static func integer(_ number: Int) -> JSONValue { .number(String(number)) }

    /// A number; `null` for one that is not finite, which JSON cannot hold.
    public static func number(_ number: Double) -> JSONValue {
        number.isFinite ? .number(number.description) : .null
    }

    /// An object with its names sorted.
    public static func object(_ fields: [String: JSONValue]) -> JSONValue {
        .object(fields.sorted { $0.key < $1.key }.map { Member($0.key, $0.value) })
    }

    /// The same for every spelling of one document: names sorted, numbers written in one way.
    public var canonical: JSONValue {
        switch self {
        case .number(let spelling):
            guard integer == nil, let double else { return .number(spelling) }
            return .number(double)
        case .array(let elements): return .array(elements.map(\.canonical))
        case .object(let members):
            return .object(
                members.map { Member($0.name, $0.value.canonical) }.sorted { $0.name < $1.name })
        default: return self
        }
    }
}
