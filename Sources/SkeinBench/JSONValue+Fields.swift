import SkeinCore

extension JSONValue {
    /// The fields of an object.
    var fields: [String: JSONValue]? {
        if case .object(let fields) = self { fields } else { nil }
    }

    /// The elements of a list.
    var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// A text.
    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A whole number that is not negative; some servers write it with a fraction of 0.
    var count: Int? {
        switch self {
        case .integer(let count) where count >= 0: count
        case .number(let number) where number >= 0: Int(exactly: number)
        default: nil
        }
    }

    /// Any number.
    var double: Double? {
        switch self {
        case .integer(let whole): Double(whole)
        case .number(let number): number
        default: nil
        }
    }

    /// A measured number; `null` for one that was not, or is not finite, which JSON cannot hold.
    static func measured(_ number: Double?) -> JSONValue {
        guard let number, number.isFinite else { return .null }
        // Nine digits are more than any of these measurements has.
        let rounded = (number * 1e6).rounded() / 1e6
        return .number(rounded)
    }

    /// A count; `null` for one that is not known.
    static func counted(_ count: Int?) -> JSONValue { count.map { .integer($0) } ?? .null }

    /// A text; `null` for one that is not known.
    static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// The value on one line without spaces, for request bodies and for files of one value a line.
    var line: String {
        switch self {
        case .array(let elements):
            return "[" + elements.map(\.line).joined(separator: ",") + "]"
        case .object(let fields):
            let members = fields.keys.sorted().map { key in
                JSONValue.string(key).line + ":" + fields[key, default: .null].line
            }
            return "{" + members.joined(separator: ",") + "}"
        default:
            return String(text.dropLast())
        }
    }
}
