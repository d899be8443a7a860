import SkeinCore

/// One entry of `added_tokens`.
struct AddedToken: Sendable {
    var token: TokenID
    var content: [UInt8]
    var isSpecial = false

    /// Takes the white space before a match with it.
    var takesSpaceBefore = false

    /// Takes the white space after a match with it.
    var takesSpaceAfter = false

    /// Matches only where no word character stands beside it.
    var isSingleWord = false

    /// Is looked for only after the tokens that are not.
    var isNormalized = false
}

/// Finds added tokens in bytes: leftmost first, of several at one place the longest.
struct AddedTokens: Sendable {
    /// A match: the bytes it takes and its token.
    struct Match: Equatable, Sendable {
        var range: Range<Int>
        var token: TokenID
    }

    private let tokens: [AddedToken]
    private let first: ContentTree
    private let second: ContentTree
    private let numbers: ByteStringTable

    /// - Parameter tokens: With contents that are not empty and all different.
    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        var first = ContentTree()
        var second = ContentTree()
        var numbers = ByteStringTable(capacity: tokens.count)
        for (index, token) in tokens.enumerated() {
            if token.isNormalized {
                second.insert(token.content, index)
            } else {
                first.insert(token.content, index)
            }
            let isNew = numbers.insert(token.content, token.token.rawValue)
            precondition(isNew, "an added token is given twice")
        }
        self.first = first
        self.second = second
        self.numbers = numbers
    }

    /// The token whose content is exactly a text.
    func token(_ content: String) -> TokenID? {
        numbers.number(of: content.utf8).map { TokenID(rawValue: $0) }
    }

    /// The matches in a text, in order and apart.
    ///
    /// - Parameter places: Where a match may lie, in order and apart.
    func matches(in bytes: [UInt8], places: [Range<Int>]) -> [Match] {
        var matches: [Match] = []
        find(by: first, in: bytes, within: 0..<bytes.count, places: places, into: &matches)
        guard !second.isEmpty else { return matches }
        var all: [Match] = []
        var start = 0
        for match in matches {
            let gap = start..<match.range.lowerBound
            find(by: second, in: bytes, within: gap, places: places, into: &all)
            all.append(match)
            start = match.range.upperBound
        }
        find(by: second, in: bytes, within: start..<bytes.count, places: places, into: &all)
        return all
    }

    /// Looks through one gap between earlier matches, which is all that a match can see.
    private func find(
        by tree: ContentTree, in bytes: [UInt8], within gap: Range<Int>, places: [Range<Int>],
        into matches: inout [Match]
    ) {
        guard !tree.isEmpty, !gap.isEmpty else { return }
        var taken = gap.lowerBound
        for place in places {
            let place = place.clamped(to: gap)
            var position = max(place.lowerBound, taken)
            while position < place.upperBound {
                guard let hit = tree.longest(in: bytes, from: position, before: place.upperBound)
                else {
                    position += 1
                    continue
                }
                let range = position..<(position + tokens[hit].content.count)
                position = range.upperBound
                if isBarred(tokens[hit], at: range, in: bytes, within: gap) { continue }
                let free = taken..<gap.upperBound
                let grown = grow(range, of: tokens[hit], in: bytes, within: free)
                matches.append(Match(range: grown, token: tokens[hit].token))
                position = grown.upperBound
                taken = position
            }
        }
    }

    /// Whether a token that must be a word of its own stands inside another.
    private func isBarred(
        _ token: AddedToken, at range: Range<Int>, in bytes: [UInt8], within gap: Range<Int>
    ) -> Bool {
        guard token.isSingleWord else { return false }
        let before = Neighbour.before(range.lowerBound, in: bytes, from: gap.lowerBound)
        let after = Neighbour.after(range.upperBound, in: bytes, before: gap.upperBound)
        return before?.isWord == true || after?.isWord == true
    }

    /// The range with the white space that a token takes.
    private func grow(
        _ range: Range<Int>, of token: AddedToken, in bytes: [UInt8], within limits: Range<Int>
    ) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while token.takesSpaceBefore,
            let before = Neighbour.before(start, in: bytes, from: limits.lowerBound), before.isSpace
        {
            start -= before.byteCount
        }
        while token.takesSpaceAfter,
            let after = Neighbour.after(end, in: bytes, before: limits.upperBound), after.isSpace
        {
            end += after.byteCount
        }
        return start..<end
    }
}

/// A scalar that stands before or after a match.
private struct Neighbour {
    var scalar: Unicode.Scalar
    var byteCount: Int

    var isSpace: Bool { scalar.properties.isWhitespace }

    /// What `\w` takes.
    var isWord: Bool {
        let word: ScalarClass = [
            .letter, .mark, .init(.decimalNumber), .init(.connectorPunctuation),
        ]
        return !ScalarClass.of(scalar.value).isDisjoint(with: word)
    }

    static func after(_ position: Int, in bytes: [UInt8], before limit: Int) -> Neighbour? {
        guard position < limit else { return nil }
        var end = position + 1
        while end < limit, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return of(bytes[position..<end])
    }

    static func before(_ position: Int, in bytes: [UInt8], from limit: Int) -> Neighbour? {
        guard position > limit else { return nil }
        var start = position - 1
        while start > limit, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return of(bytes[start..<position])
    }

    private static func of(_ bytes: ArraySlice<UInt8>) -> Neighbour? {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.first.map {
            Neighbour(scalar: $0, byteCount: bytes.count)
        }
    }
}

/// Contents laid out as a tree of bytes.
private struct ContentTree: Sendable {
    private var children: [UInt64: Int32] = [:]
    private var ends: [Int32] = [-1]
    private var isFirst = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { children.isEmpty }

    mutating func insert(_ content: [UInt8], _ index: Int) {
        var node = 0
        for byte in content {
            let key = UInt64(node) << 8 | UInt64(byte)
            if let child = children[key] {
                node = Int(child)
            } else {
                node = ends.count
                ends.append(-1)
                children[key] = Int32(node)
            }
        }
        ends[node] = Int32(index)
        isFirst[Int(content[0])] = true
    }

    /// The longest content that begins at a position.
    func longest(in bytes: [UInt8], from start: Int, before limit: Int) -> Int? {
        guard isFirst[Int(bytes[start])] else { return nil }
        var node = 0
        var found: Int?
        var position = start
        while position < limit,
            let child = children[UInt64(node) << 8 | UInt64(bytes[position])]
        {
            node = Int(child)
            position += 1
            if ends[node] >= 0 { found = Int(ends[node]) }
        }
        return found
    }
}
