/// The tokens that may be drawn next.
///
/// A few are kept as a list and many as bits, whichever takes fewer bytes; equal sets are equal
/// values.
public struct AllowedTokens: Equatable, Sendable {
    /// How the set is kept.
    public enum Form: Equatable, Sendable {
        /// The tokens in rising order.
        case tokens([TokenID])
        /// Bit `token % 64` of word `token / 64`.
        case bits([UInt64])
    }

    /// Entries of the vocabulary.
    public let vocabularySize: Int

    /// The set.
    public let form: Form

    /// Allows these tokens.
    ///
    /// - Precondition: they are rising entries of the vocabulary.
    public init(vocabularySize: Int, tokens: [TokenID]) {
        precondition(
            zip(tokens, tokens.dropFirst()).allSatisfy { $0 < $1 }, "tokens that do not rise")
        precondition(
            (tokens.first?.rawValue ?? 0) >= 0
                && tokens.last.map { Int($0.rawValue) < vocabularySize } ?? true,
            "tokens beyond the vocabulary")
        self.vocabularySize = vocabularySize
        if Self.isList(tokens.count, of: vocabularySize) {
            form = .tokens(tokens)
        } else {
            var words = Self.noBits(vocabularySize)
            for token in tokens {
                words[Int(token.rawValue) >> 6] |= 1 << (UInt64(token.rawValue) & 63)
            }
            form = .bits(words)
        }
    }

    /// Allows the tokens whose bits are set.
    ///
    /// - Precondition: as many words as the vocabulary needs, and no bit beyond it.
    public init(vocabularySize: Int, bits words: [UInt64]) {
        precondition(words.count == (vocabularySize + 63) / 64, "words of another vocabulary")
        self.vocabularySize = vocabularySize
        let count = words.reduce(0) { $0 + $1.nonzeroBitCount }
        form =
            Self.isList(count, of: vocabularySize)
            ? .tokens(Self.tokens(of: words)) : .bits(words)
    }

    /// Bits of which none is set.
    public static func noBits(_ vocabularySize: Int) -> [UInt64] {
        [UInt64](repeating: 0, count: (vocabularySize + 63) / 64)
    }

    /// Whether a token is allowed.
    public func contains(_ token: TokenID) -> Bool {
        switch form {
        case .tokens(let tokens): return tokens.contains(token)
        case .bits(let words):
            let index = Int(token.rawValue)
            guard (0..<vocabularySize).contains(index) else { return false }
            return words[index >> 6] >> (UInt64(index) & 63) & 1 == 1
        }
    }

    /// How many tokens are allowed.
    public var count: Int {
        switch form {
        case .tokens(let tokens): tokens.count
        case .bits(let words): words.reduce(0) { $0 + $1.nonzeroBitCount }
        }
    }

    /// Whether no token is allowed.
    public var isEmpty: Bool { form == .tokens([]) }

    /// The allowed tokens in rising order.
    public var tokens: [TokenID] {
        switch form {
        case .tokens(let tokens): tokens
        case .bits(let words): Self.tokens(of: words)
        }
    }

    /// On the wire a list takes a byte a token and sometimes two, bits one for eight entries.
    private static func isList(_ count: Int, of vocabularySize: Int) -> Bool {
        count == 0 || count * 2 < (vocabularySize + 7) / 8
    }

    private static func tokens(of words: [UInt64]) -> [TokenID] {
        var tokens: [TokenID] = []
        for (place, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                tokens.append(TokenID(place << 6 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return tokens
    }
}

extension AllowedTokens {
    /// Allows every entry of a vocabulary.
    public static func all(_ vocabularySize: Int) -> AllowedTokens {
        var words = [UInt64](repeating: .max, count: (vocabularySize + 63) / 64)
        let rest = vocabularySize & 63
        if rest > 0 { words[words.count - 1] = 1 << UInt64(rest) - 1 }
        return AllowedTokens(vocabularySize: vocabularySize, bits: words)
    }
}
