import SkeinCore

/// Reads one set of a pattern: a character, an escape, `.`, or `[…]`.
struct ScalarSetParser {
    private let source: [Unicode.Scalar]
    private let subject: String

    /// The next character to read.
    private(set) var position: Int

    private var depth = 0

    init(_ source: [Unicode.Scalar], from position: Int, subject: String) {
        self.source = source
        self.position = position
        self.subject = subject
    }

    mutating func set(
        beginningWith first: Unicode.Scalar, ignoringCase: Bool
    ) throws(Refusal) -> ScalarSet {
        switch first {
        case "[": return try bracket()
        case ".":
            var set = ScalarSet(ranges: [0x0A...0x0A])
            set.isNegated = true
            return set
        case "\\":
            if let named = try classEscape() { return named }
            return Self.single(try characterEscape(), ignoringCase: ignoringCase)
        default: return Self.single(first.value, ignoringCase: ignoringCase)
        }
    }

    private static func single(_ value: UInt32, ignoringCase: Bool) -> ScalarSet {
        var set = ScalarSet(ranges: [value...value])
        guard ignoringCase, let scalar = Unicode.Scalar(value) else { return set }
        for mapped in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping] {
            let scalars = Array(mapped.unicodeScalars)
            if scalars.count == 1 { set.insert(scalars[0].value...scalars[0].value) }
        }
        // The two scalars outside ASCII that fold to an ASCII letter.
        if value | 0x20 == 0x73 { set.insert(0x17F...0x17F) }
        if value | 0x20 == 0x6B { set.insert(0x212A...0x212A) }
        return set
    }

    private mutating func bracket() throws(Refusal) -> ScalarSet {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 8 else { throw refusal("sets inside sets, more than 8 deep") }
        var set = ScalarSet()
        var isNegated = false
        if peek() == "^" {
            isNegated = true
            position += 1
        }
        var isFirst = true
        while let next = peek() {
            if next == "]", !isFirst {
                position += 1
                set.isNegated = isNegated
                return set
            }
            isFirst = false
            if next == "&", position + 1 < source.count, source[position + 1] == "&" {
                position += 2
                set.intersections.append(try intersection())
            } else {
                try item(into: &set)
            }
        }
        throw refusal("a '[' without ']'")
    }

    /// What follows `&&`: everything up to the closing bracket, which is left to be read.
    private mutating func intersection() throws(Refusal) -> ScalarSet {
        var set = ScalarSet()
        while let next = peek(), next != "]" {
            if next == "&", position + 1 < source.count, source[position + 1] == "&" { break }
            try item(into: &set)
        }
        return set
    }

    private mutating func item(into set: inout ScalarSet) throws(Refusal) {
        let first = source[position]
        position += 1
        if first == "[" {
            guard peek() != ":" else { throw refusal("a POSIX set") }
            set.unions.append(try bracket())
            return
        }
        if first == "\\", let named = try classEscape() {
            set.unions.append(named)
            return
        }
        let low = first == "\\" ? try characterEscape() : first.value
        guard peek() == "-", position + 1 < source.count, source[position + 1] != "]" else {
            set.insert(low...low)
            return
        }
        position += 1
        let last = source[position]
        position += 1
        guard last != "[" else { throw refusal("a range that ends in a set") }
        let high = last == "\\" ? try characterEscape() : last.value
        guard low <= high else { throw refusal("a range that runs backwards") }
        set.insert(low...high)
    }

    /// `\s`, `\p{L}` and their kin; `nil` (and nothing read) if the escape is a character.
    private mutating func classEscape() throws(Refusal) -> ScalarSet? {
        guard let letter = peek() else { throw refusal("a '\\' at the end") }
        var set: ScalarSet
        switch letter {
        case "s", "S": set = ScalarSet(classes: .whitespace)
        case "d", "D": set = ScalarSet(classes: .init(.decimalNumber))
        case "w", "W":
            let digits = ScalarClass(.decimalNumber)
            let connectors = ScalarClass(.connectorPunctuation)
            set = ScalarSet(classes: [.letter, .mark, digits, connectors])
        case "p", "P":
            position += 1
            set = try property()
            if letter == "P" { set.isNegated.toggle() }
            return set
        default: return nil
        }
        position += 1
        set.isNegated = letter.properties.isUppercase
        return set
    }

    private mutating func property() throws(Refusal) -> ScalarSet {
        guard let first = peek() else { throw refusal("a '\\p' at the end") }
        var name = String(first)
        position += 1
        if first == "{" {
            guard let close = source[position...].firstIndex(of: "}") else {
                throw refusal("a '\\p{' without '}'")
            }
            name = String(String.UnicodeScalarView(source[position..<close]))
            position = close + 1
        }
        let isNegated = name.hasPrefix("^")
        if isNegated { name.removeFirst() }
        guard let found = ScalarClass(propertyName: name) else {
            throw refusal("the property \\p{\(name)}")
        }
        var set = ScalarSet(classes: found)
        set.isNegated = isNegated
        return set
    }

    private mutating func characterEscape() throws(Refusal) -> UInt32 {
        guard let letter = peek() else { throw refusal("a '\\' at the end") }
        position += 1
        switch letter {
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "f": return 0x0C
        case "v": return 0x0B
        case "u": return try hexadecimal(digits: 4)
        case "x" where peek() == "{":
            position += 1
            guard let close = source[position...].firstIndex(of: "}"), close - position <= 6 else {
                throw refusal("a '\\x{' without '}'")
            }
            let value = try hexadecimal(digits: close - position)
            position = close + 1
            return value
        case "x": return try hexadecimal(digits: 2)
        default:
            let isWord = letter.properties.isAlphabetic || letter.properties.numericType != nil
            guard !isWord else { throw refusal("the escape \\\(letter)") }
            return letter.value
        }
    }

    private mutating func hexadecimal(digits: Int) throws(Refusal) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = peek().flatMap({ Character($0).hexDigitValue }) else {
                throw refusal("a hexadecimal escape that is too short")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard digits > 0, Unicode.Scalar(value) != nil else {
            throw refusal("an escape that is no character")
        }
        return value
    }

    private func peek() -> Unicode.Scalar? { position < source.count ? source[position] : nil }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(subject, "Skein cannot run the pattern; at character \(position): \(reason)")
    }
}
