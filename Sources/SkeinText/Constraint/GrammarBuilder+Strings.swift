// Characters as UTF-8, and as JSON writes them between quotation marks.

import SkeinCore

extension GrammarBuilder {
    /// Ranges of Unicode scalars, without surrogates.
    typealias Scalars = [ClosedRange<UInt32>]

    /// Every scalar.
    static let everyScalar: Scalars = [0...0xD7FF, 0xE000...0x10FFFF]

    /// What JSON must not have between quotation marks as it is.
    static let mustBeEscaped: Scalars = [0...0x1F, 0x22...0x22, 0x5C...0x5C]

    /// One scalar as UTF-8.
    mutating func scalar(_ scalars: Scalars, then next: Index) -> Index {
        var places: [Index] = []
        var edges: [ByteGrammar.Edge] = []
        for range in scalars {
            for piece in Self.piecesOfOneLength(range) {
                for bytes in Self.byteRanges(piece.lowerBound, piece.upperBound) {
                    var place = next
                    for byte in bytes.dropFirst().reversed() {
                        place = self.byte(byte, then: place)
                    }
                    edges.append(.init(bytes: bytes[0], next: place))
                }
            }
        }
        if !edges.isEmpty { places.append(add(.bytes(edges))) }
        return either(places)
    }

    /// One scalar as JSON writes it between quotation marks, escaped where it must be.
    mutating func quotedScalar(_ scalars: Scalars, then next: Index) -> Index {
        var places: [Index] = []
        let plain = Self.subtract(escaped, from: scalars)
        if !plain.isEmpty { places.append(scalar(plain, then: next)) }
        let values = escaped.flatMap { Array($0) }.filter { value in
            scalars.contains { $0.contains(value) }
        }
        if !values.isEmpty { places.append(oneOf(values.map(Self.escape), then: next)) }
        return either(places)
    }

    /// The spelling of a character that must be escaped; none of them is beyond U+FFFF.
    private static func escape(_ value: UInt32) -> [UInt8] {
        var text = ""
        if value < 0x20 || [0x22, 0x5C].contains(value), let scalar = Unicode.Scalar(value) {
            JSONValue.writeEscaped(String(scalar), to: &text)
        } else {
            let digits = String(value, radix: 16)
            text = "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return Array(text.utf8)
    }

    /// Any one character of a JSON string, in any spelling.
    var quotedCharacter: Index {
        mutating get {
            part("character") { builder in
                let plain = Self.subtract(builder.escaped, from: Self.everyScalar)
                let end = Self.end
                return builder.either([
                    builder.scalar(plain, then: end),
                    builder.literal("\\", then: builder.escapeEnd(then: end)),
                ])
            }
        }
    }

    /// What follows the backslash of an escape; the halves of a surrogate pair stand together.
    private mutating func escapeEnd(then next: Index) -> Index {
        func hexadecimal(_ count: Int, _ builder: inout Self, then next: Index) -> Index {
            var place = next
            for _ in 0..<count {
                place = builder.byte(of: "0123456789ABCDEFabcdef", then: place)
            }
            return place
        }
        let last = hexadecimal(2, &self, then: next)
        let three = hexadecimal(1, &self, then: last)
        let low = literal("\\u", then: byte(of: "Dd", then: byte(of: "CDEFcdef", then: last)))
        let high = byte(of: "89ABab", then: hexadecimal(2, &self, then: low))
        let unicode = either([
            byte(of: "0123456789ABCEFabcef", then: three),
            byte(of: "Dd", then: either([byte(of: "01234567", then: last), high])),
        ])
        return either([
            byte(of: "\"\\/bfnrt", then: next), literal("u", then: unicode),
        ])
    }

    /// A JSON string of so many characters.
    mutating func string(least: Int, most: Int?, then next: Index) -> Index {
        let character = quotedCharacter
        let end = literal("\"", then: next)
        var body: Index
        if let most {
            body = loop(character, least: least, most: most, then: end)
        } else {
            body = many(then: end) { $0.add(.call(character, next: $1)) }
            body = loop(character, least: least, most: least, then: body)
        }
        return literal("\"", then: body)
    }

    /// A JSON string that is none of these, and has nothing in it that would need an escape, so
    /// that one text is one name.
    mutating func name(otherThan names: [String], then next: Index) -> Index {
        let plain = Self.subtract(escaped, from: Self.everyScalar)
        let end = literal("\"", then: next)
        let rest = many(then: end) { $0.scalar(plain, then: $1) }
        let taken = names.map { Array($0.unicodeScalars) }
        let start = name(otherThan: taken, from: 0, plain: plain, rest: rest, then: end)
        return literal("\"", then: start)
    }

    private mutating func name(
        otherThan names: [[Unicode.Scalar]], from place: Int, plain: Scalars, rest: Index,
        then end: Index
    ) -> Index {
        if names.isEmpty { return rest }
        let firsts = Set(names.filter { place < $0.count }.map { $0[place] }).sorted()
        let others = Self.subtract(firsts.map { $0.value...$0.value }, from: plain)
        var places = [scalar(others, then: rest)]
        for first in firsts where plain.contains(where: { $0.contains(first.value) }) {
            let alike = names.filter { place < $0.count && $0[place] == first }
            let deeper = name(
                otherThan: alike, from: place + 1, plain: plain, rest: rest, then: end)
            places.append(scalar([first.value...first.value], then: deeper))
        }
        if !names.contains(where: { $0.count == place }) { places.append(end) }
        return either(places)
    }
}

extension GrammarBuilder {
    /// The scalars of one set that are not in another.
    static func subtract(_ taken: Scalars, from scalars: Scalars) -> Scalars {
        var left = scalars
        for range in taken {
            left = left.flatMap { piece -> Scalars in
                guard piece.overlaps(range) else { return [piece] }
                var pieces: Scalars = []
                if piece.lowerBound < range.lowerBound {
                    pieces.append(piece.lowerBound...(range.lowerBound - 1))
                }
                if piece.upperBound > range.upperBound {
                    pieces.append((range.upperBound + 1)...piece.upperBound)
                }
                return pieces
            }
        }
        return left
    }

    /// Cuts a range where UTF-8 needs one more byte, and leaves surrogates out.
    private static func piecesOfOneLength(_ range: ClosedRange<UInt32>) -> Scalars {
        let lengths: Scalars = [
            0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF,
        ]
        return lengths.filter { $0.overlaps(range) }.map { $0.clamped(to: range) }
    }

    /// The sequences of byte ranges that are the scalars of a range of one length.
    private static func byteRanges(_ low: UInt32, _ high: UInt32) -> [[ClosedRange<UInt8>]] {
        byteRanges(bytes(of: low)[...], bytes(of: high)[...])
    }

    private static func byteRanges(
        _ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>
    ) -> [[ClosedRange<UInt8>]] {
        guard let first = low.first, let last = high.first else { return [] }
        if low.count == 1 { return [[first...last]] }
        let (lowRest, highRest) = (low.dropFirst(), high.dropFirst())
        let rest = [ClosedRange<UInt8>](repeating: 0x80...0xBF, count: low.count - 1)
        let isWhole =
            lowRest.allSatisfy { $0 == 0x80 } && highRest.allSatisfy { $0 == 0xBF }
        if isWhole { return [[first...last] + rest] }
        if first == last {
            return byteRanges(lowRest, highRest).map { [first...first] + $0 }
        }
        let top = lowRest.map { _ in UInt8(0xBF) }[...]
        let bottom = lowRest.map { _ in UInt8(0x80) }[...]
        var ranges = byteRanges(lowRest, top).map { [first...first] + $0 }
        if last - first > 1 { ranges.append([(first + 1)...(last - 1)] + rest) }
        ranges += byteRanges(bottom, highRest).map { [last...last] + $0 }
        return ranges
    }

    private static func bytes(of value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String($0).utf8) } ?? []
    }
}
