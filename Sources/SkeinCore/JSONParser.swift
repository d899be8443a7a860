/// Reads one JSON document (RFC 8259) from bytes that are already known to be UTF-8.
///
/// Depth and number of values are limited, so that neither the stack nor the memory is the
/// sender's to spend; every failure is one line with the byte at which it shows.
struct JSONParser {
    private let bytes: [UInt8]
    private let subject: String
    private let rules: JSONRules
    private var position = 0
    private var valuesLeft: Int

    init(bytes: [UInt8], subject: String, rules: JSONRules) {
        self.bytes = bytes
        self.subject = subject
        self.rules = rules
        valuesLeft = rules.valueCountMax
    }

    /// Reads the only value of the document.
    mutating func document() throws(Refusal) -> JSONValue {
        skipSpace()
        let root = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw refusal("more text follows the JSON value") }
        return root
    }

    private mutating func value(depth: Int) throws(Refusal) -> JSONValue {
        guard depth < rules.depthMax else {
            throw refusal("nested deeper than \(rules.depthMax) levels")
        }
        guard valuesLeft > 0 else { throw refusal("more than \(rules.valueCountMax) values") }
        valuesLeft -= 1
        guard position < bytes.count else {
            let isEmpty = valuesLeft == rules.valueCountMax - 1
            throw refusal("the text \(isEmpty ? "is empty" : "ends") where a value is expected")
        }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try elements(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func members(depth: Int) throws(Refusal) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return members }
        while true {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw refusal("a name in quotes is expected")
            }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw refusal("':' is expected") }
            skipSpace()
            members.append(.init(name, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return try checked(members) }
            guard take(UInt8(ascii: ",")) else { throw refusal("',' or '}' is expected") }
            skipSpace()
        }
    }

    private func checked(_ members: [JSONValue.Member]) throws(Refusal) -> [JSONValue.Member] {
        if rules.ambiguity == .refused, let name = Self.repeatedName(in: members) {
            throw refusal("the name \"\(name.prefix(60))\" stands there twice")
        }
        return members
    }

    /// A name that stands in an object twice, by its bytes.
    private static func repeatedName(in members: [JSONValue.Member]) -> String? {
        // Comparing the few names of a usual object costs less than a set.
        if members.count <= 8 {
            for (place, member) in members.enumerated().dropFirst() {
                let isRepeated = members[..<place].contains {
                    $0.name == member.name && $0.name.utf8.elementsEqual(member.name.utf8)
                }
                if isRepeated { return member.name }
            }
            return nil
        }
        var texts = Set<String>(minimumCapacity: members.count)
        for member in members { texts.insert(member.name) }
        guard texts.count < members.count else { return nil }
        // Texts that Swift takes for equal may differ in their bytes.
        var names: Set<[UInt8]> = []
        return members.first { !names.insert(Array($0.name.utf8)).inserted }?.name
    }

    private mutating func elements(depth: Int) throws(Refusal) -> [JSONValue] {
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw refusal("',' or ']' is expected") }
            skipSpace()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Refusal) -> JSONValue {
        for byte in word.utf8 where !take(byte) { throw refusal("'\(word)' is expected") }
        return value
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(subject, "is not valid JSON at byte \(position): \(reason)")
    }
}

// MARK: - Strings and numbers

extension JSONParser {
    private mutating func string() throws(Refusal) -> String {
        position += 1
        var start = position
        var text = ""
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let tail = String(decoding: bytes[start..<position], as: UTF8.self)
                position += 1
                return text.isEmpty ? tail : text + tail
            }
            guard byte >= 0x20 else { throw refusal("a control character must be escaped") }
            if byte == UInt8(ascii: "\\") {
                text += String(decoding: bytes[start..<position], as: UTF8.self)
                position += 1
                text.unicodeScalars.append(try escape())
                start = position
            } else {
                position += 1
            }
        }
        throw refusal("a string has no end")
    }

    private mutating func escape() throws(Refusal) -> Unicode.Scalar {
        guard position < bytes.count else { throw refusal("a string has no end") }
        position += 1
        switch bytes[position - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw refusal("an unknown escape in a string")
        }
    }

    /// Half of a surrogate pair without its other half is no character.
    private mutating func unicodeEscape() throws(Refusal) -> Unicode.Scalar {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let mark = position
        if (0xD800...0xDBFF).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
            let second = try fourDigits()
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
        }
        position = mark
        guard rules.ambiguity == .settled else { throw refusal("half a surrogate pair") }
        return "\u{FFFD}"
    }

    private mutating func fourDigits() throws(Refusal) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count,
                let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
            else { throw refusal("four hexadecimal digits are expected after \\u") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func number() throws(Refusal) -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(Refusal) {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        guard position > start else { throw refusal("a value is expected") }
    }
}
