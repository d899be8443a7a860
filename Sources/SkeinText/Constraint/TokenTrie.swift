import SkeinCore

/// The plain tokens of a vocabulary by their bytes: tokens that begin alike share the beginning.
///
/// Branches stand in the order of a walk that goes down before it goes on, each with the place at
/// which the walk goes on without it.
struct TokenTrie: Sendable {
    /// The byte of each branch.
    private(set) var bytes: [UInt8] = []
    /// How many bytes lead to it, its own not counted.
    private(set) var depths: [UInt16] = []
    /// Where the walk goes on where its byte may not come.
    private(set) var nexts: [Int32] = []
    /// Where its tokens begin in `tokens`; one more than there are branches.
    private(set) var firstTokens: [Int32] = [0]
    /// The tokens of all branches.
    private(set) var tokens: [TokenID] = []

    /// Bytes of the longest token.
    var longest: Int { depths.reduce(0) { max($0, Int($1) + 1) } }

    /// Sorts the tokens of a tokenizer that are rows of the model; control tokens stay out, and
    /// so does whatever else is matched in a text before it is cut.
    init(_ tokenizer: Tokenizer, vocabularySize: Int) {
        var entries: [(bytes: [UInt8], token: TokenID)] = []
        for number in 0..<min(tokenizer.vocabularyCount, vocabularySize) {
            let token = TokenID(number)
            guard tokenizer.contains(token), !tokenizer.isAdded(token) else { continue }
            let bytes = tokenizer.bytes(of: token)
            guard (1...Int(UInt16.max)).contains(bytes.count) else { continue }
            entries.append((bytes, token))
        }
        self.init(entries)
    }

    init(_ entries: [(bytes: [UInt8], token: TokenID)]) {
        let sorted = entries.sorted { left, right in
            left.bytes == right.bytes
                ? left.token < right.token : left.bytes.lexicographicallyPrecedes(right.bytes)
        }
        var open: [Int] = []
        var last: [UInt8] = []
        func close(to depth: Int) {
            while open.count > depth {
                nexts[open.removeLast()] = Int32(bytes.count)
            }
        }
        for entry in sorted {
            let shared = zip(last, entry.bytes).prefix { $0 == $1 }.count
            close(to: shared)
            for depth in shared..<entry.bytes.count {
                open.append(bytes.count)
                bytes.append(entry.bytes[depth])
                depths.append(UInt16(depth))
                nexts.append(0)
                firstTokens.append(Int32(tokens.count))
            }
            tokens.append(entry.token)
            firstTokens[firstTokens.count - 1] = Int32(tokens.count)
            last = entry.bytes
        }
        close(to: 0)
    }
}
