import SkeinCore

/// A chain of hashes over the pages of a sequence's tokens, to see quickly how far two sequences
/// begin alike.
///
/// Each hash covers all tokens up to the end of its page. It only says for whom a wait may be worth
/// while; rows are handed out by comparing tokens.
struct Beginning {
    private(set) var tokenCount = 0
    private var hashes: [UInt64] = []

    init() {}

    init(_ tokens: [TokenID]) {
        tokenCount = tokens.count
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for (position, token) in tokens.enumerated() {
            hash = (hash ^ UInt64(UInt32(bitPattern: token.rawValue))) &* 0x0000_0100_0000_01B3
            hash ^= hash >> 29
            if (position + 1) % Limits.pageRowCount == 0 { hashes.append(hash) }
        }
    }

    /// How many tokens both begin with.
    func commonCount(
        _ tokens: [TokenID], with other: Beginning, _ otherTokens: [TokenID]
    ) -> Int {
        // Pages are alike up to one of them and different from there on.
        var low = 0
        var high = min(hashes.count, other.hashes.count)
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] == other.hashes[middle] { low = middle + 1 } else { high = middle }
        }
        let first = low * Limits.pageRowCount
        let rest = zip(tokens[first...], otherTokens[first...].prefix(Limits.pageRowCount))
        return first + rest.prefix { $0 == $1 }.count
    }
}
