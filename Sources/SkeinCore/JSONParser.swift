/// Reads one JSON document (RFC 8259) from foreign bytes.
///
/// Depth and number of values are limited, so that neither the stack nor the memory is the
/// sender's to spend; every failure is one line with the byte at which it shows.
struct JSONParser {
    private let bytes: [UInt8]
    private let subject: String
    private var position = 0
    private var valuesLeft = Limits.jsonValuesMax

    init(bytes: [UInt8], subject: String) {
        self.bytes = bytes
        self.subject = subject
    }

    /// Reads the only value of the document.
    mutating func document() throws(Refusal) -> JSONValue {
        skipSpace()
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("text after the end of the document") }
        return value
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ what: String) -> Refusal {
        Refusal(subject, "not valid JSON at byte \(position): \(what)")
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func value(depth: Int) throws(Refusal) -> JSONValue {
        guard depth < Limits.jsonDepthMax else {
            throw failure("nested deeper than \(Limits.jsonDepthMax) levels")
        }
        guard valuesLeft > 0 else { throw failure("more than \(Limits.jsonValuesMax) values") }
        valuesLeft -= 1
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("the text ends where a value is expected")
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Refusal) -> JSONValue {
        for expected in word.utf8 {
            guard next == expected else { throw failure("expected \(word)") }
            position += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(Refusal) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [:]
        position += 1
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return fields
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let key = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw failure("expected a colon") }
            position += 1
            skipSpace()
            let value = try value(depth: depth + 1)
            guard fields.updateValue(value, forKey: key) == nil else {
                throw failure("the key \"\(key)\" stands there twice")
            }
            skipSpace()
            if try closes(with: UInt8(ascii: "}")) { return fields }
        }
    }

    private mutating func array(depth: Int) throws(Refusal) -> [JSONValue] {
        var values: [JSONValue] = []
        position += 1
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return values
        }
        while true {
            skipSpace()
            values.append(try value(depth: depth + 1))
            skipSpace()
            if try closes(with: UInt8(ascii: "]")) { return values }
        }
    }

    /// Steps over a comma or the closing bracket; says whether it was the bracket.
    private mutating func closes(with bracket: UInt8) throws(Refusal) -> Bool {
        guard let byte = next, byte == bracket || byte == UInt8(ascii: ",") else {
            throw failure("expected a comma or \(Character(Unicode.Scalar(bracket)))")
        }
        position += 1
        return byte == bracket
    }
}

extension JSONParser {
    private mutating func string() throws(Refusal) -> String {
        position += 1
        let first = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20
        {
            position += 1
        }
        var units = bytes[first..<position]
        while let byte = next, byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\") {
                units += Array(try escape().utf8)
            } else {
                guard byte >= 0x20 else { throw failure("a control character in a text") }
                units.append(byte)
                position += 1
            }
        }
        guard next != nil else { throw failure("the document ends inside a text") }
        position += 1
        guard let text = String(validating: units, as: UTF8.self) else {
            throw failure("a text that is not UTF-8")
        }
        return text
    }

    /// Reads a backslash and what it stands for.
    private mutating func escape() throws(Refusal) -> String {
        position += 1
        guard let letter = next else { throw failure("the document ends inside a text") }
        position += 1
        switch letter {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return String(Character(try escapedScalar()))
        default: throw failure("an unknown escape in a text")
        }
    }

    /// Reads four hexadecimal digits, and the second half of a surrogate pair where one is due.
    private mutating func escapedScalar() throws(Refusal) -> Unicode.Scalar {
        var value = try hexadecimalDigits()
        if (0xD800..<0xDC00).contains(value) {
            guard next == UInt8(ascii: "\\"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "u")
            else { throw failure("half a surrogate pair") }
            position += 2
            let low = try hexadecimalDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw failure("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimalDigits() throws(Refusal) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw failure("expected four hexadecimal digits") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func number() throws(Refusal) -> JSONValue {
        let first = position
        if next == UInt8(ascii: "-") { position += 1 }
        let firstDigit = position
        guard skipDigits() > 0 else { throw failure("expected a value") }
        if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 {
            throw failure("a number with a leading zero")
        }
        var isWhole = true
        if next == UInt8(ascii: ".") {
            position += 1
            isWhole = false
            guard skipDigits() > 0 else { throw failure("expected a digit after the point") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            isWhole = false
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw failure("expected a digit in the exponent") }
        }
        let text = String(decoding: bytes[first..<position], as: UTF8.self)
        if isWhole, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw failure("a number too large to represent")
        }
        return .number(value)
    }

    private mutating func skipDigits() -> Int {
        let first = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        return position - first
    }
}
