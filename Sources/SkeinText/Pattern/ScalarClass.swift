/// What a Unicode scalar is: its general category, whether it is white space, whether it is Han.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(_ category: Unicode.GeneralCategory) { rawValue = 1 << Self.bit(category) }

    static let letter: ScalarClass = [
        .init(.uppercaseLetter), .init(.lowercaseLetter), .init(.titlecaseLetter),
        .init(.modifierLetter), .init(.otherLetter),
    ]
    static let mark: ScalarClass = [
        .init(.nonspacingMark), .init(.spacingMark), .init(.enclosingMark),
    ]
    static let number: ScalarClass = [
        .init(.decimalNumber), .init(.letterNumber), .init(.otherNumber),
    ]
    static let punctuation: ScalarClass = [
        .init(.connectorPunctuation), .init(.dashPunctuation), .init(.openPunctuation),
        .init(.closePunctuation), .init(.initialPunctuation), .init(.finalPunctuation),
        .init(.otherPunctuation),
    ]
    static let symbol: ScalarClass = [
        .init(.mathSymbol), .init(.currencySymbol), .init(.modifierSymbol), .init(.otherSymbol),
    ]
    static let separator: ScalarClass = [
        .init(.spaceSeparator), .init(.lineSeparator), .init(.paragraphSeparator),
    ]
    static let other: ScalarClass = [
        .init(.control), .init(.format), .init(.surrogate), .init(.privateUse), .init(.unassigned),
    ]

    /// The property White_Space.
    static let whitespace = ScalarClass(rawValue: 1 << 30)

    /// The script Han.
    static let han = ScalarClass(rawValue: 1 << 31)

    /// The class of a scalar value: a table for the basic plane, the library beyond it.
    static func of(_ value: UInt32) -> ScalarClass {
        value < 0x10000 ? basicPlane[Int(value)] : computed(value)
    }

    private static let basicPlane: [ScalarClass] = (0..<0x10000).map { computed($0) }

    private static func computed(_ value: UInt32) -> ScalarClass {
        guard let scalar = Unicode.Scalar(value) else { return ScalarClass(.surrogate) }
        var found = ScalarClass(scalar.properties.generalCategory)
        if scalar.properties.isWhitespace { found.insert(.whitespace) }
        if hanRanges.contains(where: { $0.contains(value) }) { found.insert(.han) }
        return found
    }

    /// Script=Han, from the Unicode character database.
    private static let hanRanges: [ClosedRange<UInt32>] = [
        0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007,
        0x3021...0x3029, 0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D,
        0xFA70...0xFAD9, 0x16FE2...0x16FE3, 0x16FF0...0x16FF1, 0x20000...0x2A6DF,
        0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1, 0x2CEB0...0x2EBE0,
        0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
    ]

    private static func bit(_ category: Unicode.GeneralCategory) -> UInt32 {
        switch category {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: 29
        @unknown default: 29
        }
    }
}

extension ScalarClass {
    /// The class that a `\p{…}` of a pattern names, if it is one we know.
    init?(propertyName name: String) {
        guard let found = Self.named[name] else { return nil }
        self = found
    }

    private static let named: [String: ScalarClass] = [
        "L": .letter, "M": .mark, "N": .number, "P": .punctuation, "S": .symbol,
        "Z": .separator, "C": .other, "Han": .han, "White_Space": .whitespace,
        "Lu": .init(.uppercaseLetter), "Ll": .init(.lowercaseLetter),
        "Lt": .init(.titlecaseLetter), "Lm": .init(.modifierLetter), "Lo": .init(.otherLetter),
        "Mn": .init(.nonspacingMark), "Mc": .init(.spacingMark), "Me": .init(.enclosingMark),
        "Nd": .init(.decimalNumber), "Nl": .init(.letterNumber), "No": .init(.otherNumber),
        "Pc": .init(.connectorPunctuation), "Pd": .init(.dashPunctuation),
        "Ps": .init(.openPunctuation), "Pe": .init(.closePunctuation),
        "Pi": .init(.initialPunctuation), "Pf": .init(.finalPunctuation),
        "Po": .init(.otherPunctuation), "Sm": .init(.mathSymbol), "Sc": .init(.currencySymbol),
        "Sk": .init(.modifierSymbol), "So": .init(.otherSymbol), "Zs": .init(.spaceSeparator),
        "Zl": .init(.lineSeparator), "Zp": .init(.paragraphSeparator), "Cc": .init(.control),
        "Cf": .init(.format), "Co": .init(.privateUse), "Cn": .init(.unassigned),
    ]
}
