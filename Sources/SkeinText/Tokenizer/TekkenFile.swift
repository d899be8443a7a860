import SkeinCore

/// Mistral's `tekken.json`: special tokens come first, then as many of the ranks as there is room
/// for.
struct TekkenFile {
    /// The begin and the end of a text, which the format fixes.
    static let (begin, end) = ("<s>", "</s>")

    let parts: TokenizerParts

    init(parsing bytes: [UInt8], file: String) throws(Refusal) {
        let root = JSONField(
            try JSONValue(parsing: bytes, subject: file, rules: .lenient), file: file)
        _ = try root.members()
        let settings = try root.required("config")
        let size = try settings.required("default_vocab_size").integer(in: 1...Limits.vocabularyMax)
        let specialCount = try settings.required("default_num_special_tokens")
            .integer(in: 0...min(size - 1, Limits.specialTokensMax))
        let pattern = try settings.required("pattern")
        let entries = try root.required("vocab").elements()
        let rankCount = size - specialCount
        guard entries.count >= rankCount else {
            throw Refusal(
                "\(file): vocab", "has \(entries.count) tokens, expected \(rankCount) at least")
        }
        var ranked = RankedTokens(
            firstNumber: specialCount, capacity: rankCount, subject: "\(file): vocab")
        for entry in entries.prefix(rankCount) {
            try ranked.append(
                base64: try entry.required("token_bytes").string(),
                order: try entry.required("rank").integer(in: 0...Limits.vocabularyMax))
        }
        parts = try ranked.parts(
            added: try Self.specialTokens(root, count: specialCount),
            pattern: try pattern.string(), patternSubject: pattern.subject)
    }

    /// The special tokens; numbers that the file does not name have names of their own.
    private static func specialTokens(
        _ root: JSONField, count: Int
    ) throws(Refusal) -> [AddedToken] {
        var names = [String?](repeating: nil, count: count)
        var texts: Set<String> = []
        for field in try root.optional("special_tokens")?.elements() ?? [] {
            guard count > 0 else { throw field.expected("no special token") }
            let number = try field.required("rank").integer(in: 0...(count - 1))
            let text = try field.required("token_str").string()
            guard !text.isEmpty, names[number] == nil, texts.insert(text).inserted else {
                throw field.expected("a text and a rank that no other special token has")
            }
            names[number] = text
        }
        return names.enumerated().map { number, name in
            var token = AddedToken(
                token: TokenID(number), content: Array((name ?? "<SPECIAL_\(number)>").utf8))
            token.isSpecial = true
            return token
        }
    }
}
