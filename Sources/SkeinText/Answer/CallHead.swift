import SkeinCore

/// The text from a call's beginning to its arguments, in forms with a separator.
///
/// Two spellings are read wherever one is expected, since models of one family mix them up, `NAME
/// separator {…}` and `KIND separator NAME newline {…}`, with or without a fence of backticks.
struct CallHead {
    /// The function's name, as far as it is there.
    let name: String

    /// What follows name and fence; `nil` as long as more text could change what it is.
    private(set) var arguments: String?

    /// Whether nothing follows the name.
    let isBare: Bool

    /// Whether a fence of backticks is open.
    let isFenced: Bool

    /// - Parameters:
    ///   - first: What stands before the separator.
    ///   - text: What stands after it.
    ///   - kind: What the format writes for the kind of a call.
    init(_ first: String, _ text: String, kind: String?) {
        let text = text.trimmingPrefix(while: \.isWhitespace)
        var rest = text
        let isKind = first == (kind ?? "function")
        let second = text.prefix { !$0.isNewline && !"{`".contains($0) }
        let hasName = isKind && !second.isEmpty
        name = hasName ? String(second).stripped : first
        if hasName { rest = rest.dropFirst(second.count) }
        rest = rest.trimmingPrefix(while: \.isWhitespace)
        let fence = rest.prefix { $0 == "`" }
        isFenced = !fence.isEmpty
        if isFenced {
            rest = rest.dropFirst(fence.count).trimmingPrefix(while: \.isLetter)
            rest = rest.trimmingPrefix(while: \.isWhitespace)
        }
        isBare = rest.allSatisfy { $0 == "`" || $0.isWhitespace }
        arguments = isBare ? nil : String(rest)
    }
}

/// What stands in a call whose form has neither separator nor parameters: a name, or a name and a
/// JSON object.
struct InlineCall {
    let name: String
    /// A JSON object.
    let arguments: String

    init(_ text: String, canHaveObject: Bool) {
        let object = text.drop { $0 != "{" }
        if canHaveObject, !object.isEmpty, Self.isObject(String(object)) {
            name = String(text.prefix { $0 != "{" })
            arguments = String(object).stripped
        } else {
            name = text
            arguments = "{}"
        }
    }

    /// Whether a text has the form that OpenAI asks of functions' names.
    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Whether a text is a JSON object.
    static func isObject(_ text: String) -> Bool {
        do throws(Refusal) {
            let value = try JSONValue(parsing: text, subject: "arguments", rules: .lenient)
            return value.members != nil
        } catch {
            return false
        }
    }
}

/// Lets one JSON object through as it stands.
struct ObjectGate: Sendable {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// Whether the object is whole.
    private(set) var isDone = false

    /// The part of a text that belongs to the object, and what follows it.
    mutating func pass(_ text: String) -> (inside: String, rest: String) {
        let bytes = Array(text.utf8)
        let count = bytes.firstIndex { advance($0) }.map { $0 + 1 } ?? bytes.count
        return (
            String(decoding: bytes[..<count], as: UTF8.self),
            String(decoding: bytes[count...], as: UTF8.self)
        )
    }

    /// Takes one byte; returns whether the object ends with it.
    private mutating func advance(_ byte: UInt8) -> Bool {
        if isEscaped {
            isEscaped = false
        } else if isInString {
            isEscaped = byte == UInt8(ascii: "\\")
            isInString = byte != UInt8(ascii: "\"")
        } else {
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "\""): isInString = true
            default: break
            }
            isDone = depth == 0
        }
        return isDone
    }
}
