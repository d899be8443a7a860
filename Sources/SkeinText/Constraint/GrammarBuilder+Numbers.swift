import SkeinCore

/// A number as a schema spells it, without rounding.
struct DecimalBound: Equatable {
    var isNegative: Bool
    /// The digits before the point, as a number.
    var whole: UInt64
    /// The digits after the point, without zeros at the end.
    var fraction: [UInt8]
    /// Whether the bound itself does not belong.
    var isExclusive = false

    /// Reads a spelling; `nil` where it has more digits than a constraint can keep apart.
    init?(_ spelling: String) {
        var text = spelling[...]
        isNegative = text.hasPrefix("-")
        if isNegative { text.removeFirst() }
        if text.contains(where: { "eE".contains($0) }) {
            guard let value = Double(text), value < 1e15, value == value.rounded() else {
                return nil
            }
            text = "\(UInt64(value))"
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts[0].utf8.count <= 18, let whole = UInt64(parts[0])
        else { return nil }
        self.whole = whole
        var digits = parts.count > 1 ? parts[1].utf8.map { $0 - 0x30 } : []
        while digits.last == 0 { digits.removeLast() }
        guard digits.count <= DecimalBound.fractionDigitsMax else { return nil }
        fraction = digits
        if whole == 0, digits.isEmpty { isNegative = false }
    }

    init(whole: UInt64, fraction: [UInt8] = [], isNegative: Bool = false, isExclusive: Bool = false)
    {
        self.whole = whole
        self.fraction = fraction
        self.isNegative = isNegative
        self.isExclusive = isExclusive
    }

    /// The largest whole part of a number with bounds: with the digits after the point, no more
    /// digits than a double keeps apart.
    static let wholeMax: UInt64 = 999_999_999
    /// Digits after the point.
    static let fractionDigitsMax = 6

    /// The value, for comparing; twenty-four digits need more than 64 bits.
    var millionths: Int128 {
        var value = Int128(whole)
        for place in 0..<DecimalBound.fractionDigitsMax {
            value = value * 10 + (place < fraction.count ? Int128(fraction[place]) : 0)
        }
        return isNegative ? -value : value
    }

    /// The distance from zero.
    var magnitude: DecimalBound {
        DecimalBound(whole: whole, fraction: fraction, isExclusive: isExclusive)
    }
}

// Numbers as JSON spells them. A number has a largest length, since a model could go on for ever.
extension GrammarBuilder {
    private static let digit: ClosedRange<UInt8> = 0x30...0x39
    /// Digits of a whole number without bounds: as many as any 64-bit integer holds.
    private static let digitsMax = 18

    /// Any whole number.
    var integer: Index {
        mutating get {
            part("integer") { builder in
                let magnitude = builder.wholeNumber(then: Self.end)
                return builder.optional(builder.literal("-", then: magnitude), or: magnitude)
            }
        }
    }

    /// Any number.
    var number: Index {
        mutating get {
            part("number") { builder in
                let end = Self.end
                let power = builder.byte(
                    Self.digit, then: builder.optional(builder.byte(Self.digit, then: end), or: end)
                )
                let signed = builder.either([builder.byte(of: "+-", then: power), power])
                let exponent = builder.optional(builder.byte(of: "Ee", then: signed), or: end)
                let fraction = builder.optional(
                    builder.literal(
                        ".", then: builder.digits(least: 1, most: 17, then: exponent)),
                    or: exponent)
                let magnitude = builder.wholeNumber(then: fraction)
                return builder.optional(builder.literal("-", then: magnitude), or: magnitude)
            }
        }
    }

    /// Whole numbers from a least to a largest one; both may be missing.
    mutating func integer(from low: DecimalBound?, to high: DecimalBound?) -> Index? {
        // Every whole number between them lies between the rounded bounds too.
        let limit = 999_999_999_999_999_999
        let least = low.map { Self.rounded($0, up: true) }
        let most = high.map { min(Self.rounded($0, up: false), limit) }
        var places: [Index] = []
        let positive = max(0, least ?? 0)...max(-1, most ?? limit, max(0, least ?? 0))
        if (most ?? limit) >= max(0, least ?? 0) {
            places.append(magnitudes(positive, then: Self.end))
        }
        let (near, far) = (max(1, -(most ?? -1)), min(-(least ?? -limit), limit))
        if near <= far {
            places.append(literal("-", then: magnitudes(near...far, then: Self.end)))
        }
        return places.isEmpty ? nil : either(places)
    }

    /// Numbers from a least to a largest one; both may be missing.
    mutating func number(from low: DecimalBound?, to high: DecimalBound?) -> Index? {
        func isFar(_ bound: DecimalBound?) -> Bool { (bound?.whole ?? 0) > DecimalBound.wholeMax }
        guard !(isFar(low) && low?.isNegative == false), !(isFar(high) && high?.isNegative == true)
        else { return nil }
        let (low, high) = (isFar(low) ? nil : low, isFar(high) ? nil : high)
        var places: [Index] = []
        if high == nil || high?.isNegative == false {
            let least = low?.isNegative == false ? low : nil
            if let place = magnitude(from: least, to: high) { places.append(place) }
        }
        if low == nil || low?.isNegative == true {
            var least = high?.isNegative == true ? high?.magnitude : nil
            if let high, !high.isNegative, high.millionths == 0, high.isExclusive {
                least = high.magnitude
            }
            if let place = magnitude(from: least, to: low?.magnitude) {
                places.append(literal("-", then: place))
            }
        }
        return places.isEmpty ? nil : either(places)
    }

    private static func rounded(_ bound: DecimalBound, up: Bool) -> Int {
        let whole = bound.isNegative ? -Int(bound.whole) : Int(bound.whole)
        guard bound.fraction.isEmpty else {
            return up
                ? (bound.isNegative ? whole : whole + 1) : (bound.isNegative ? whole - 1 : whole)
        }
        return bound.isExclusive ? whole + (up ? 1 : -1) : whole
    }

    private mutating func wholeNumber(then next: Index) -> Index {
        either([
            literal("0", then: next),
            byte(0x31...0x39, then: digits(least: 0, most: Self.digitsMax - 1, then: next)),
        ])
    }

    /// So many digits, of which each may be the last.
    private mutating func digits(least: Int, most: Int, then next: Index) -> Index {
        var place = next
        for count in stride(from: most, to: 0, by: -1) {
            let more = byte(Self.digit, then: place)
            place = count > least ? either([more, next]) : more
        }
        return place
    }

    /// The whole numbers of a range, by their number of digits.
    private mutating func magnitudes(_ range: ClosedRange<Int>, then next: Index) -> Index {
        var places: [Index] = []
        var (low, high) = (0, 9)
        while low <= range.upperBound {
            if high >= range.lowerBound {
                let part = max(low, range.lowerBound)...min(high, range.upperBound)
                places.append(
                    digits(
                        Array("\(part.lowerBound)".utf8)[...],
                        Array("\(part.upperBound)".utf8)[...],
                        then: next))
            }
            low = high + 1
            // The last step leads beyond what any range has, not beyond what an integer holds.
            high = min(high, 99_999_999_999_999_999) * 10 + 9
        }
        return either(places)
    }

    private mutating func digits(
        _ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>, then next: Index
    ) -> Index {
        guard let first = low.first, let last = high.first else { return next }
        let (lowRest, highRest) = (low.dropFirst(), high.dropFirst())
        if first == last {
            return byte(first...first, then: digits(lowRest, highRest, then: next))
        }
        let (zeros, nines) = (
            lowRest.map { _ in UInt8(0x30) }[...], lowRest.map { _ in UInt8(0x39) }[...]
        )
        var edges: [ByteGrammar.Edge] = []
        var (from, to) = (first, last)
        if !lowRest.elementsEqual(zeros) {
            edges.append(.init(bytes: from...from, next: digits(lowRest, nines, then: next)))
            from += 1
        }
        var top: ByteGrammar.Edge?
        if !highRest.elementsEqual(nines) {
            top = .init(bytes: to...to, next: digits(zeros, highRest, then: next))
            to -= 1
        }
        if from <= to {
            var rest = next
            for _ in lowRest { rest = byte(Self.digit, then: rest) }
            edges.append(.init(bytes: from...to, next: rest))
        }
        if let top { edges.append(top) }
        return add(.bytes(edges))
    }

    /// Numbers that are not below zero, written without a sign or an exponent.
    private mutating func magnitude(from low: DecimalBound?, to high: DecimalBound?) -> Index? {
        let low = low ?? DecimalBound(whole: 0)
        guard let high else {
            return magnitude(
                from: low,
                to: DecimalBound(
                    whole: DecimalBound.wholeMax, fraction: [9, 9, 9, 9, 9, 9]))
        }
        let (lowest, highest) = (Int(low.whole), Int(high.whole))
        guard lowest <= highest else { return nil }
        var places: [Index] = []
        if lowest == highest {
            if let place = fraction(from: low, to: high) {
                places.append(magnitudes(lowest...lowest, then: place))
            }
        } else {
            if let place = fraction(from: low, to: nil) {
                places.append(magnitudes(lowest...lowest, then: place))
            }
            if highest - lowest > 1 {
                places.append(magnitudes((lowest + 1)...(highest - 1), then: anyFraction))
            }
            if let place = fraction(from: nil, to: high) {
                places.append(magnitudes(highest...highest, then: place))
            }
        }
        return places.isEmpty ? nil : either(places)
    }

    private var anyFraction: Index {
        mutating get {
            let most = DecimalBound.fractionDigitsMax
            let digits = digits(least: 1, most: most, then: Self.end)
            return optional(literal(".", then: digits), or: Self.end)
        }
    }

    /// What may stand after the whole part that a bound has, so that the number keeps to it.
    private mutating func fraction(from low: DecimalBound?, to high: DecimalBound?) -> Index? {
        let most = DecimalBound.fractionDigitsMax
        let scale = 1_000_000
        var (least, largest) = (0, scale - 1)
        if let low {
            least = Int(low.magnitude.millionths % Int128(scale)) + (low.isExclusive ? 1 : 0)
        }
        if let high {
            largest = Int(high.magnitude.millionths % Int128(scale)) - (high.isExclusive ? 1 : 0)
        }
        guard least <= largest else { return nil }
        func digits(_ value: Int) -> ArraySlice<UInt8> {
            let text = Array("\(value)".utf8)
            return ([UInt8](repeating: 0x30, count: most - text.count) + text)[...]
        }
        let written = literal(
            ".", then: fractionDigits(digits(least), digits(largest), then: Self.end))
        return least == 0 ? optional(written, or: Self.end) : written
    }

    /// Digits after the point, so that the number they stand for lies between two of full length.
    private mutating func fractionDigits(
        _ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>, then next: Index
    ) -> Index {
        guard let first = low.first, let last = high.first else { return next }
        let (lowRest, highRest) = (low.dropFirst(), high.dropFirst())
        // A number may end after a digit where zeros in all further places would do.
        func ended(_ place: Index, _ isAllowed: Bool, _ builder: inout Self) -> Index {
            isAllowed && !lowRest.isEmpty ? builder.either([place, next]) : place
        }
        let (zeros, nines) = (
            lowRest.map { _ in UInt8(0x30) }[...], lowRest.map { _ in UInt8(0x39) }[...]
        )
        let lowIsZero = lowRest.elementsEqual(zeros)
        if first == last {
            let rest = fractionDigits(lowRest, highRest, then: next)
            return byte(first...first, then: ended(rest, lowIsZero, &self))
        }
        let lowPlace = ended(fractionDigits(lowRest, nines, then: next), lowIsZero, &self)
        let highPlace = ended(fractionDigits(zeros, highRest, then: next), true, &self)
        var edges: [ByteGrammar.Edge] = [.init(bytes: first...first, next: lowPlace)]
        if last - first > 1 {
            let rest = digits(least: 0, most: lowRest.count, then: next)
            edges.append(.init(bytes: (first + 1)...(last - 1), next: rest))
        }
        edges.append(.init(bytes: last...last, next: highPlace))
        return add(.bytes(edges))
    }
}
