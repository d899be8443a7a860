import SkeinCore

/// Builds a network of places from its end to its beginning: every function takes the place that
/// follows and gives the place at which the new part begins.
struct GrammarBuilder {
    typealias Index = ByteGrammar.Index

    /// The end of a part.
    static let end: Index = 0

    private(set) var places: [ByteGrammar.Place] = [.end]

    /// Whether more places were asked for than a constraint may have; nothing is added then.
    private(set) var isFull = false

    /// What stands between quotation marks in an escaped form only.
    let escaped: Scalars

    /// Parts that many others call, by name.
    private var parts: [String: Index] = [:]

    /// Begins an empty network.
    ///
    /// - Parameter forbidden: Characters that a JSON string must not have as they are, because
    ///   marks of the chat format begin with them.
    init(forbidden: Scalars = []) { escaped = Self.mustBeEscaped + forbidden }

    /// Adds a place.
    mutating func add(_ place: ByteGrammar.Place) -> Index {
        guard places.count < Limits.constraintPlacesMax else {
            isFull = true
            return Self.end
        }
        places.append(place)
        return Index(places.count - 1)
    }

    /// A place that is called before it is known; `define` must follow.
    mutating func reserve() -> Index { add(.either([])) }

    /// Says what a reserved place is.
    mutating func define(_ place: Index, _ meaning: Index) {
        guard place != Self.end else { return }
        places[Int(place)] = .either([meaning])
    }

    /// A part that is built once and called wherever it is needed.
    mutating func part(_ name: String, _ build: (inout GrammarBuilder) -> Index) -> Index {
        if let part = parts[name] { return part }
        let place = reserve()
        parts[name] = place
        let meaning = build(&self)
        define(place, meaning)
        return place
    }

    /// One byte of a range.
    mutating func byte(_ range: ClosedRange<UInt8>, then next: Index) -> Index {
        add(.bytes([.init(bytes: range, next: next)]))
    }

    /// One byte of several.
    mutating func byte(of characters: String, then next: Index) -> Index {
        add(.bytes(characters.utf8.sorted().map { .init(bytes: $0...$0, next: next) }))
    }

    /// These bytes.
    mutating func literal(_ bytes: some BidirectionalCollection<UInt8>, then next: Index) -> Index {
        var place = next
        for byte in bytes.reversed() { place = self.byte(byte...byte, then: place) }
        return place
    }

    /// This text.
    mutating func literal(_ text: String, then next: Index) -> Index {
        literal(Array(text.utf8), then: next)
    }

    /// What any of the places says.
    mutating func either(_ places: [Index]) -> Index {
        places.count == 1 ? places[0] : add(.either(places))
    }

    /// A part, or nothing.
    mutating func optional(_ place: Index, or next: Index) -> Index { either([place, next]) }

    /// One of several texts, which share their beginnings.
    mutating func oneOf(_ texts: [[UInt8]], then next: Index) -> Index {
        oneOf(texts.sorted { $0.lexicographicallyPrecedes($1) }[...], from: 0, then: next)
    }

    private mutating func oneOf(
        _ texts: ArraySlice<[UInt8]>, from place: Int, then next: Index
    ) -> Index {
        var rest = texts
        var edges: [ByteGrammar.Edge] = []
        var hasEnd = false
        while let first = rest.first {
            guard place < first.count else {
                hasEnd = true
                rest = rest.dropFirst()
                continue
            }
            let byte = first[place]
            let alike = rest.prefix { $0[place] == byte }
            rest = rest.dropFirst(alike.count)
            edges.append(
                .init(bytes: byte...byte, next: oneOf(alike, from: place + 1, then: next)))
        }
        if edges.isEmpty { return next }
        let branch = add(.bytes(edges))
        return hasEnd ? either([branch, next]) : branch
    }

    /// As many of a part as wanted, one after the other; `build` makes one before a place.
    mutating func many(then next: Index, _ build: (inout Self, Index) -> Index) -> Index {
        let place = reserve()
        let one = build(&self, place)
        guard place != Self.end else { return next }
        places[Int(place)] = .either([one, next])
        return place
    }

    /// A part that comes from `least` to `most` times; it must not be empty.
    mutating func loop(
        _ part: Index, least: Int, most: Int?, then next: Index
    ) -> Index {
        if most == 0 { return next }
        return add(
            .loop(
                part, least: Int32(clamping: least), most: most.map { Int32(clamping: $0) } ?? .max,
                next: next))
    }

    /// A text that goes on up to the first place where a mark stands, and the mark.
    ///
    /// - Parameter tokens: control tokens that are the mark or a part of it, with their bytes.
    mutating func anything(
        upTo mark: [UInt8], tokens: [(token: TokenID, bytes: [UInt8])], then next: Index
    ) -> Index {
        let states = mark.map { _ in reserve() }
        func target(_ known: Int) -> Index { known == mark.count ? next : states[known] }
        for place in mark.indices {
            var edges: [ByteGrammar.Edge] = []
            for byte in UInt8.min...UInt8.max {
                let next = target(Self.knownCount(of: mark, after: mark[..<place] + [byte]))
                if let last = edges.last, last.next == next {
                    edges[edges.count - 1].bytes = last.bytes.lowerBound...byte
                } else {
                    edges.append(.init(bytes: byte...byte, next: next))
                }
            }
            var ways = [add(.bytes(edges))]
            for (token, bytes) in tokens {
                let known = Self.knownCount(of: mark, after: mark[..<place] + bytes)
                // A control token is no text: it may only bring the mark nearer.
                guard known >= bytes.count else { continue }
                ways.append(add(.token(token, next: target(known))))
            }
            let meaning = either(ways)
            define(states[place], meaning)
        }
        return states[0]
    }

    /// How many of a mark's first bytes a text ends with.
    private static func knownCount(of mark: [UInt8], after text: ArraySlice<UInt8>) -> Int {
        for count in stride(from: min(mark.count, text.count), to: 0, by: -1)
        where text.suffix(count).elementsEqual(mark.prefix(count)) {
            return count
        }
        return 0
    }
}
