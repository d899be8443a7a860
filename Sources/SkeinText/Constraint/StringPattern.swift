import SkeinCore

/// A regular expression of a schema, in the part of ECMAScript's language that is regular.
///
/// It knows characters, sets, the common escapes, groups, alternatives, repetition, and `^` and `$`
/// at the ends. Where languages take a set differently (`\w`, `\d` and their negations), it stands
/// for what all of them agree on. Whatever else is met is refused.
indirect enum StringPattern: Equatable, Sendable {
    /// One character of a set.
    case scalar(GrammarBuilder.Scalars)
    /// One after the other.
    case sequence([StringPattern])
    /// One of them.
    case either([StringPattern])
    /// Several times; without a bound where `most` is absent.
    case repeated(StringPattern, least: Int, most: Int?)

    /// Reads an expression.
    ///
    /// A text fulfils it where the expression is found somewhere in the text.
    init(_ source: String, subject: String) throws(Refusal) {
        var parser = StringPatternParser(source, subject: subject)
        self = try parser.whole()
    }

    /// Reads an expression that describes a text from its beginning to its end.
    init(whole source: String, subject: String) throws(Refusal) {
        var parser = StringPatternParser(source, subject: subject)
        self = try parser.whole(isAnchored: true)
    }

    /// Any character, any number of times.
    static let anything = StringPattern.repeated(
        .scalar(GrammarBuilder.everyScalar), least: 0, most: nil)

    /// The fewest characters of a text.
    var least: Int {
        switch self {
        case .scalar: 1
        case .sequence(let parts): parts.reduce(0) { Self.bounded($0 + $1.least) }
        case .either(let parts): parts.map(\.least).min() ?? 0
        case .repeated(let part, let least, _): Self.bounded(least * part.least)
        }
    }

    /// The most characters of a text; `nil` where there is no bound.
    var most: Int? {
        switch self {
        case .scalar: return 1
        case .sequence(let parts): return Self.sum(parts.map(\.most))
        case .either(let parts):
            let bounds = parts.map(\.most)
            return bounds.contains(nil) ? nil : bounds.compactMap(\.self).max() ?? 0
        case .repeated(let part, _, let most):
            guard let most, let one = part.most else { return nil }
            return Self.bounded(most * one)
        }
    }

    private static func sum(_ bounds: [Int?]) -> Int? {
        var sum = 0
        for bound in bounds {
            guard let bound else { return nil }
            sum = bounded(sum + bound)
        }
        return sum
    }

    /// Lengths beyond every limit are all alike.
    private static func bounded(_ length: Int) -> Int { min(length, 1 << 40) }
}

extension GrammarBuilder {
    /// How a character of a pattern is written.
    enum Spelling {
        /// As JSON writes it between quotation marks.
        case quoted
        /// As it is; `<`, which begins the marks around such texts, is left out.
        case plain
        /// As it is.
        case raw
    }

    /// A text that fulfils a pattern.
    mutating func pattern(
        _ pattern: StringPattern, _ spelling: Spelling, then next: Index
    ) -> Index {
        guard !isFull else { return next }
        switch pattern {
        case .scalar(let scalars):
            switch spelling {
            case .quoted: return quotedScalar(scalars, then: next)
            case .raw: return scalar(scalars, then: next)
            case .plain: return scalar(Self.subtract([0x3C...0x3C], from: scalars), then: next)
            }
        case .sequence(let parts):
            var place = next
            for part in parts.reversed() { place = self.pattern(part, spelling, then: place) }
            return place
        case .either(let parts):
            return either(parts.map { self.pattern($0, spelling, then: next) })
        case .repeated(let part, 1, nil):
            let place = reserve()
            let one = self.pattern(part, spelling, then: place)
            define(place, either([one, next]))
            return one
        case .repeated(let part, let least, nil):
            let rest = many(then: next) { $0.pattern(part, spelling, then: $1) }
            return repeated(part, least, spelling, then: rest)
        case .repeated(let part, let least, let most?):
            var place = next
            if most - least <= 4 {
                for _ in least..<most {
                    place = optional(self.pattern(part, spelling, then: place), or: next)
                }
            } else {
                let body = self.pattern(part, spelling, then: Self.end)
                place = loop(body, least: 0, most: most - least, then: next)
            }
            return repeated(part, least, spelling, then: place)
        }
    }

    private mutating func repeated(
        _ part: StringPattern, _ count: Int, _ spelling: Spelling, then next: Index
    ) -> Index {
        if count > 4 {
            return loop(
                pattern(part, spelling, then: Self.end), least: count, most: count, then: next)
        }
        var place = next
        for _ in 0..<count { place = pattern(part, spelling, then: place) }
        return place
    }
}
