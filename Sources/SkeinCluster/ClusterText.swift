import SkeinCore
import Yams

/// The text of a cluster file before its fields are known.
enum ClusterText {
    /// The bytes as text, without what YAML allows and a cluster file does not need.
    static func checked(_ bytes: [UInt8], path: String) throws(Refusal) -> String {
        var lineNumber = 0
        var anchors = AnchorSearch()
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            lineNumber += 1
            guard let text = String(validating: line, as: UTF8.self) else {
                throw refusal(path, lineNumber, "found bytes that are not UTF-8, expected text")
            }
            try checkLine(text, path: path, lineNumber: lineNumber, for: &anchors)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The one line that says where YAML itself is broken.
    static func refusal(_ error: YamlError, path: String) -> Refusal {
        switch error {
        case .scanner(let around, let problem, let mark, _),
            .parser(let around, let problem, let mark, _),
            .composer(let around, let problem, let mark, _):
            let place = around.map { " \($0.text) that begins on line \($0.mark.line)" } ?? ""
            return refusal(path, mark.line, "\(problem)\(place), expected YAML")
        case .duplicatedKeysInMapping(let names, let around):
            let field = names.first ?? "field"
            return Refusal(
                "\(path):\(around.mark.line): \(field)",
                "found more than once in one mapping, expected once")
        case .reader(let problem, let offset, _, let text):
            let before = text.prefix(offset ?? 0)
            let line = 1 + before.count { $0.isNewline }
            return refusal(path, line, "\(problem), expected text")
        default:
            return refusal(path, 1, "found no YAML, expected a cluster's fields")
        }
    }

    // MARK: Rooms

    private static func refusal(_ path: String, _ line: Int, _ reason: String) -> Refusal {
        Refusal("\(path):\(line): file", reason)
    }

    private static func checkLine(
        _ line: String, path: String, lineNumber: Int, for anchors: inout AnchorSearch
    ) throws(Refusal) {
        let indentation = line.prefix { $0 == " " || $0 == "\t" }
        guard !indentation.contains("\t") else {
            throw refusal(path, lineNumber, "found a tab in the indentation, expected spaces")
        }
        let isControl = { (scalar: Unicode.Scalar) in
            (scalar.value < 0x20 && scalar != "\t" && scalar != "\r") || scalar.value == 0x7F
        }
        guard !line.unicodeScalars.contains(where: isControl) else {
            throw refusal(path, lineNumber, "found a control character, expected text")
        }
        let text = withoutComment(line.dropFirst(indentation.count))
        guard !text.hasPrefix("? ") && text != "?" else {
            throw refusal(path, lineNumber, "found a '?' key, expected 'name: value'")
        }
        guard !anchors.finds(in: text) else {
            throw refusal(
                path, lineNumber,
                "found a YAML anchor or alias (& or *), expected the value itself")
        }
    }

    /// Drops a comment, unless a quotation mark before it could make it part of a text.
    private static func withoutComment(_ line: Substring) -> Substring {
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if character == "\"" || character == "'" { return line }
            if character == "#", previous.isWhitespace { return line[..<index] }
            previous = character
        }
        return line
    }
}

/// Looks for `&name` and `*name` where YAML may take them for an anchor or an alias.
///
/// Keys in Z85 hold both characters, but no white space, comma or quotation mark before them.
private struct AnchorSearch {
    /// The mark of a quoted text that has begun; it may end on a later line.
    private var quote: Character?

    mutating func finds(in line: Substring) -> Bool {
        var mayBegin = true
        var afterQuoted = false
        let characters = Array(line)
        for (index, character) in characters.enumerated() {
            let next = index + 1 < characters.count ? characters[index + 1] : " "
            if mayBegin, character == "&" || character == "*", !next.isWhitespace { return true }
            let isEnd = endsQuoted(with: character, mayBegin: mayBegin)
            switch character {
            case "[", "{": break  // What may begin before a bracket may begin after it.
            case ":" where afterQuoted: mayBegin = true  // In brackets nothing must follow it.
            default: mayBegin = character.isWhitespace || character == ","
            }
            afterQuoted = isEnd
        }
        return false
    }

    /// Whether a quoted text ends with this character, or may; keeps in mind one that begins.
    private mutating func endsQuoted(with character: Character, mayBegin: Bool) -> Bool {
        guard character == "\"" || character == "'" else { return false }
        if quote == nil, mayBegin {
            quote = character
            return false
        }
        if quote == character { quote = nil }
        return true
    }
}
