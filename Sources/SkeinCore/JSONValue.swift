/// One value of a JSON document, parsed strictly: whole numbers, fractions and truth values stay
/// three different things, and an object with the same key twice is refused.
///
/// Safetensors headers, shard indexes and `config.json` are foreign bytes that decide what is
/// allocated. Foundation's reader would turn `true` into 1 and keep one of two duplicates.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number written without fraction and exponent that fits an `Int`.
    case integer(Int)
    /// Any other number; always finite.
    case number(Double)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Keys with their values.
    case object([String: JSONValue])

    /// Parses one whole document.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text; the caller has limited its size.
    ///   - subject: what the bytes are, named in the refusal.
    public init(parsing bytes: [UInt8], subject: String) throws(Refusal) {
        var parser = JSONParser(bytes: bytes, subject: subject)
        self = try parser.document()
    }

    /// What a person reads in an error line: the value itself where it is short, else its kind.
    public var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "\"\(value.prefix(60))\""
        case .array(let values): "a list of \(values.count)"
        case .object(let fields): "an object of \(fields.count)"
        }
    }

    /// The document as text with sorted keys and two spaces a level, ending in a line break.
    public var text: String {
        var text = ""
        append(to: &text, indentation: 0)
        return text + "\n"
    }

    private func append(to text: inout String, indentation: Int) {
        let inner = String(repeating: "  ", count: indentation + 1)
        let outer = String(repeating: "  ", count: indentation)
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += "\(value)"
        case .string(let value): Self.appendQuoted(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                text += index == 0 ? "\n\(inner)" : ",\n\(inner)"
                value.append(to: &text, indentation: indentation + 1)
            }
            text += values.isEmpty ? "]" : "\n\(outer)]"
        case .object(let fields):
            text += "{"
            for (index, key) in fields.keys.sorted().enumerated() {
                text += index == 0 ? "\n\(inner)" : ",\n\(inner)"
                Self.appendQuoted(key, to: &text)
                text += ": "
                fields[key, default: .null].append(to: &text, indentation: indentation + 1)
            }
            text += fields.isEmpty ? "}" : "\n\(outer)}"
        }
    }

    private static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}
