import SkeinCore

// Values of one kind.
extension SchemaCompiler {
    /// The kinds of value that a schema allows: by its type, else by its other keywords.
    func kinds(of located: Located) throws(Refusal) -> Set<JSONKind> {
        if let type = located.schema["type"] {
            let names = type.array ?? [type]
            var kinds: Set<JSONKind> = []
            for name in names {
                guard let kind = name.string.flatMap(JSONKind.init) else {
                    throw Refusal(
                        located.at("type"),
                        "found \(name.summary), expected object, array, string, number, integer, "
                            + "boolean or null")
                }
                kinds.insert(kind)
            }
            guard !kinds.isEmpty else { throw Refusal(located.at("type"), "names no type") }
            if kinds.contains(.number) { kinds.remove(.integer) }
            return kinds
        }
        let names = Set(Self.constraints(of: located.schema))
        let meant: [(JSONKind, Set<String>)] = [
            (.object, Self.objectNames), (.array, Self.arrayNames), (.string, Self.stringNames),
            (.number, Self.numberNames),
        ]
        let found = Set(meant.filter { !$0.1.isDisjoint(with: names) }.map(\.0))
        return found.isEmpty ? Set(JSONKind.allCases).subtracting([.integer]) : found
    }

    private static let objectNames: Set<String> = [
        "properties", "required", "additionalProperties", "minProperties", "maxProperties",
    ]
    private static let arrayNames: Set<String> = [
        "items", "prefixItems", "minItems", "maxItems", "uniqueItems",
    ]
    private static let stringNames: Set<String> = ["minLength", "maxLength", "pattern", "format"]
    private static let numberNames: Set<String> = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ]

    /// A count that a schema gives.
    func count(_ name: String, of located: Located) throws(Refusal) -> Int? {
        guard let value = located.schema[name] else { return nil }
        let most = Limits.constraintCountMax
        guard let number = value.double, number == number.rounded(), (0...1e15).contains(number)
        else {
            throw Refusal(
                located.at(name),
                "found \(value.summary), expected a whole number from 0 to \(most)")
        }
        // No answer is as long as a larger bound; a larger least could never be met.
        guard number <= Double(most) || name.hasPrefix("max") else {
            throw Refusal(located.at(name), "found \(value.summary), expected at most \(most)")
        }
        return Int(min(number, Double(most)))
    }

    // MARK: Strings

    mutating func string(_ located: Located) throws(Refusal) -> Index {
        guard let pattern = try checkedPattern(located) else {
            let (least, most) = try lengths(located)
            return builder.string(least: least, most: most, then: GrammarBuilder.end)
        }
        let end = builder.literal("\"", then: GrammarBuilder.end)
        return builder.literal("\"", then: builder.pattern(pattern, .quoted, then: end))
    }

    /// The bounds of a string's length.
    func lengths(_ located: Located) throws(Refusal) -> (least: Int, most: Int?) {
        let least = try count("minLength", of: located) ?? 0
        let most = try count("maxLength", of: located)
        guard least <= most ?? least else {
            throw Refusal(located.at("minLength"), "is more than maxLength")
        }
        return (least, most)
    }

    /// What `pattern` or `format` says, where it keeps to the bounds of length by itself.
    func checkedPattern(_ located: Located) throws(Refusal) -> StringPattern? {
        guard let pattern = try stringPattern(located) else { return nil }
        let (least, most) = try lengths(located)
        try Self.check(pattern, least: least, most: most, located)
        return pattern
    }

    /// What `pattern` or `format` says.
    private func stringPattern(_ located: Located) throws(Refusal) -> StringPattern? {
        var found: StringPattern?
        if let value = located.schema["pattern"] {
            guard let source = value.string else {
                throw Refusal(located.at("pattern"), "found \(value.summary), expected a string")
            }
            found = try StringPattern(source, subject: located.at("pattern"))
        }
        if let value = located.schema["format"] {
            guard let source = value.string.flatMap({ StringFormat.patterns[$0] }) else {
                throw Refusal(
                    located.at("format"),
                    "found \(value.summary), expected one of "
                        + StringFormat.patterns.keys.sorted().joined(separator: ", "))
            }
            guard found == nil else {
                throw Refusal(located.at("format"), "is not known beside pattern")
            }
            found = try StringPattern(source, subject: located.at("format"))
        }
        return found
    }

    /// Refuses bounds of length that the pattern does not keep by itself.
    private static func check(
        _ pattern: StringPattern, least: Int, most: Int?, _ located: Located
    ) throws(Refusal) {
        if pattern.least < least {
            throw Refusal(
                located.at("minLength"),
                "is \(least), and the pattern allows \(pattern.least) characters; say it in the "
                    + "pattern")
        }
        if let most, pattern.most ?? .max > most {
            throw Refusal(
                located.at("maxLength"),
                "is \(most), and the pattern allows more characters; say it in the pattern")
        }
    }

    // MARK: Numbers

    mutating func number(_ located: Located, isWhole: Bool) throws(Refusal) -> Index {
        if let factor = located.schema["multipleOf"] {
            guard isWhole, factor.double == 1 else {
                throw Refusal(
                    located.at("multipleOf"), "is no keyword that this server can keep to")
            }
        }
        let low = try bound("minimum", "exclusiveMinimum", of: located, isLow: true)
        let high = try bound("maximum", "exclusiveMaximum", of: located, isLow: false)
        guard low != nil || high != nil else { return isWhole ? builder.integer : builder.number }
        let place =
            isWhole ? builder.integer(from: low, to: high) : builder.number(from: low, to: high)
        guard let place else {
            throw Refusal(
                located.path, "no number that this server can write fulfils its bounds")
        }
        return place
    }

    private func bound(
        _ inclusive: String, _ exclusive: String, of located: Located, isLow: Bool
    ) throws(Refusal) -> DecimalBound? {
        var found: DecimalBound?
        for name in [inclusive, exclusive] {
            guard let value = located.schema[name] else { continue }
            guard case .number(let spelling) = value else {
                throw Refusal(located.at(name), "found \(value.summary), expected a number")
            }
            guard var bound = DecimalBound(spelling) else {
                throw Refusal(
                    located.at(name),
                    "found \(value.summary), expected at most 18 digits before the point and "
                        + "\(DecimalBound.fractionDigitsMax) after it")
            }
            bound.isExclusive = name == exclusive
            guard found == nil else {
                throw Refusal(located.at(name), "is not known beside \(inclusive)")
            }
            found = bound
        }
        return found
    }
}

/// The formats of strings that are kept to, as patterns.
enum StringFormat {
    private static let date =
        "[12]\\d{3}-((01|03|05|07|08|10|12)-(0[1-9]|[12]\\d|3[01])"
        + "|(04|06|09|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))"
    private static let time =
        "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"

    private static let byte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]\\d|\\d)"

    /// The 29th of February is left out: whether it exists depends on the year.
    static let patterns: [String: String] = [
        "date": "^\(date)$",
        "time": "^\(time)$",
        "date-time": "^\(date)T\(time)$",
        "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        "email": "^[A-Za-z0-9_]([A-Za-z0-9_+-]|\\.[A-Za-z0-9_+-]){0,60}"
            + "@([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){1,3}[A-Za-z]{2,12}$",
        "ipv4": "^(\(byte)\\.){3}\(byte)$",
    ]
}
