/// The tokens that may be drawn next: one bit for each entry of a vocabulary.
public struct AllowedTokens: Equatable, Sendable {
    /// Entries of the vocabulary.
    public let vocabularySize: Int

    /// Bit `token % 64` of word `token / 64` tells whether the token is allowed.
    public private(set) var words: [UInt64]

    /// Allows nothing yet.
    public init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        words = [UInt64](repeating: 0, count: (vocabularySize + 63) / 64)
    }

    /// Allows these tokens.
    ///
    /// - Precondition: each of them is an entry of the vocabulary.
    public init(vocabularySize: Int, tokens: some Sequence<TokenID>) {
        self.init(vocabularySize: vocabularySize)
        for token in tokens { insert(token) }
    }

    /// Allows one more token.
    ///
    /// - Precondition: it is an entry of the vocabulary.
    public mutating func insert(_ token: TokenID) {
        precondition(
            (0..<vocabularySize).contains(Int(token.rawValue)), "beyond the vocabulary: \(token)")
        words[Int(token.rawValue) >> 6] |= 1 << (UInt64(token.rawValue) & 63)
    }

    /// Whether a token is allowed.
    @inlinable
    public func contains(_ token: TokenID) -> Bool {
        let index = Int(token.rawValue)
        guard (0..<vocabularySize).contains(index) else { return false }
        return words[index >> 6] >> (UInt64(index) & 63) & 1 == 1
    }

    /// How many tokens are allowed.
    public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// Whether no token is allowed.
    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// The allowed tokens in rising order.
    public var tokens: [TokenID] {
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
