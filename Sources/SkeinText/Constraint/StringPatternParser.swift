import SkeinCore

/// Reads a regular expression of a schema.
struct StringPatternParser {
    private let source: [Unicode.Scalar]
    private let subject: String
    private var position = 0
    private var depth = 0

    init(_ source: String, subject: String) {
        self.source = Array(source.unicodeScalars)
        self.subject = subject
    }

    /// The whole expression, with anything before and after it where it is not anchored.
    ///
    /// - Parameter isAnchored: Whether it is anchored as if `^` and `$` stood around it.
    mutating func whole(isAnchored: Bool = false) throws(Refusal) -> StringPattern {
        guard source.count <= Limits.constraintPatternScalarsMax else {
            throw refusal("has more than \(Limits.constraintPatternScalarsMax) characters")
        }
        var alternatives: [StringPattern] = []
        repeat {
            let isStart = take("^") || isAnchored
            var parts = try sequence()
            let isEnd = take("$") || isAnchored
            if !isStart { parts.insert(.anything, at: 0) }
            if !isEnd { parts.append(.anything) }
            alternatives.append(.sequence(parts))
        } while take("|")
        guard position == source.count else {
            throw refusal("'\(source[position])' is not expected here")
        }
        return alternatives.count == 1 ? alternatives[0] : .either(alternatives)
    }

    private mutating func sequence() throws(Refusal) -> [StringPattern] {
        var parts: [StringPattern] = []
        while let next = peek(), next != "|", next != ")", next != "$" {
            position += 1
            parts.append(try repeated(try atom(next)))
        }
        return parts
    }

    private mutating func atom(_ first: Unicode.Scalar) throws(Refusal) -> StringPattern {
        switch first {
        case "(": return try parenthesis()
        case "[": return .scalar(try set())
        case ".": return .scalar(Self.anyButLineEnds)
        case "\\": return .scalar(try escape())
        case "*", "+", "?", "{": throw refusal("nothing stands before '\(first)'")
        case "^": throw refusal("'^' is known at the beginning only")
        default: return .scalar([first.value...first.value])
        }
    }

    private mutating func parenthesis() throws(Refusal) -> StringPattern {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw refusal("parentheses more than 32 deep") }
        if take("?") {
            guard take(":") else {
                throw refusal("only (…) and (?:…) are known, and no looking ahead or behind")
            }
        }
        var alternatives: [StringPattern] = []
        repeat { alternatives.append(.sequence(try sequence())) } while take("|")
        guard take(")") else { throw refusal("a ')' is expected; '$' is known at the end only") }
        return alternatives.count == 1 ? alternatives[0] : .either(alternatives)
    }

    private mutating func repeated(_ part: StringPattern) throws(Refusal) -> StringPattern {
        guard let (least, most) = try quantifier() else { return part }
        // A lazy repetition stands for the same texts.
        if peek() == "?" { position += 1 }
        guard part.least > 0 else { throw refusal("a repetition of what may be empty") }
        let largest = Limits.constraintRepetitionsMax
        guard least <= largest, (most ?? least) <= largest, least <= (most ?? least) else {
            throw refusal("a repetition that is not from 0 to \(largest)")
        }
        return .repeated(part, least: least, most: most)
    }

    private mutating func quantifier() throws(Refusal) -> (Int, Int?)? {
        if take("?") { return (0, 1) }
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        guard take("{") else { return nil }
        guard let close = source[position...].firstIndex(of: "}") else {
            throw refusal("a '{' without '}'")
        }
        let inner = String(String.UnicodeScalarView(source[position..<close]))
        let numbers = inner.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...2).contains(numbers.count), let least = Int(numbers[0]), least >= 0 else {
            throw refusal("the repetition {\(inner)}")
        }
        position = close + 1
        if numbers.count == 1 { return (least, least) }
        if numbers[1].isEmpty { return (least, nil) }
        guard let most = Int(numbers[1]) else { throw refusal("the repetition {\(inner)}") }
        return (least, most)
    }

    private mutating func set() throws(Refusal) -> GrammarBuilder.Scalars {
        let isNegated = take("^")
        var scalars: GrammarBuilder.Scalars = []
        var everything = GrammarBuilder.everyScalar
        while let next = peek(), next != "]" {
            position += 1
            let first = next == "\\" ? try escape() : [next.value...next.value]
            // Languages differ in what a class leaves out beyond ASCII.
            if first.count > 1 || first[0].count > 1 { everything = Self.printable }
            let isRange =
                peek() == "-" && position + 1 < source.count && source[position + 1] != "]"
            guard isRange, first.count == 1, first[0].count == 1 else {
                scalars += first
                continue
            }
            position += 1
            let end = source[position]
            position += 1
            let last = end == "\\" ? try escape() : [end.value...end.value]
            guard last.count == 1, last[0].count == 1, first[0].lowerBound <= last[0].lowerBound
            else { throw refusal("a range that runs backwards or ends in a set") }
            scalars.append(first[0].lowerBound...last[0].lowerBound)
        }
        guard take("]") else { throw refusal("a '[' without ']'") }
        let found =
            isNegated ? GrammarBuilder.subtract(scalars, from: everything) : scalars
        guard !found.isEmpty else { throw refusal("a set of no character") }
        return found
    }

    private mutating func escape() throws(Refusal) -> GrammarBuilder.Scalars {
        guard let letter = peek() else { throw refusal("a '\\' at the end") }
        position += 1
        switch letter {
        case "d": return [0x30...0x39]
        case "w": return Self.word
        case "s": return [0x09...0x0D, 0x20...0x20]
        case "D": return GrammarBuilder.subtract([0x30...0x39], from: Self.printable)
        case "W": return GrammarBuilder.subtract(Self.word, from: Self.printable)
        case "S": return [0x21...0x7E]
        case "n": return [0x0A...0x0A]
        case "r": return [0x0D...0x0D]
        case "t": return [0x09...0x09]
        case "f": return [0x0C...0x0C]
        case "v": return [0x0B...0x0B]
        case "x": return try hexadecimal(digits: 2)
        case "u": return try hexadecimal(digits: 4)
        default:
            let isWord = letter.properties.isAlphabetic || letter.properties.numericType != nil
            guard !isWord else { throw refusal("the escape \\\(letter)") }
            return [letter.value...letter.value]
        }
    }

    private mutating func hexadecimal(digits: Int) throws(Refusal) -> GrammarBuilder.Scalars {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = peek().flatMap({ Character($0).hexDigitValue }) else {
                throw refusal("a hexadecimal escape that is too short")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard Unicode.Scalar(value) != nil else { throw refusal("an escape that is no character") }
        return [value...value]
    }

    /// Without line ends, as `.` has it.
    private static let anyButLineEnds = GrammarBuilder.subtract(
        [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029], from: GrammarBuilder.everyScalar)

    private static let printable: GrammarBuilder.Scalars = [0x20...0x7E]
    private static let word: GrammarBuilder.Scalars = [
        0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A,
    ]

    private func peek() -> Unicode.Scalar? { position < source.count ? source[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek() == scalar else { return false }
        position += 1
        return true
    }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(
            subject, "this server cannot follow the pattern; at character \(position): \(reason)")
    }
}
