import SkeinCore

/// A `tiktoken.model`, a line of bytes in base64 and a rank for each token, as Kimi's folders have
/// it, with the special tokens of `tokenizer_config.json`.
struct TiktokenFile {
    /// How many numbers after the ranks are kept for special tokens.
    private static let specialCount = 256

    /// How Kimi cuts text into pieces; its own Python code holds it, and no file.
    static let kimiPattern = [
        #"[\p{Han}]+"#,
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"#
            + #"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#,
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"#
            + #"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#,
        #"\p{N}{1,3}"#, #" ?[^\s\p{L}\p{N}]+[\r\n]*"#, #"\s*[\r\n]+"#, #"\s+(?!\S)"#, #"\s+"#,
    ].joined(separator: "|")

    let parts: TokenizerParts

    /// - Parameters:
    ///   - bytes: The content of `tiktoken.model`.
    ///   - configuration: `tokenizer_config.json`; without it no special token has its name.
    init(parsing bytes: [UInt8], configuration: JSONField?, file: String) throws(Refusal) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard lines.count + Self.specialCount <= Limits.vocabularyMax else {
            throw Refusal(
                file, "has \(lines.count) tokens, more than Skein's \(Limits.vocabularyMax)")
        }
        var ranked = RankedTokens(firstNumber: 0, capacity: lines.count, subject: file)
        for (index, line) in lines.enumerated() {
            let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
            guard words.count == 2, let order = Int(String(decoding: words[1], as: UTF8.self))
            else {
                throw Refusal("\(file): line \(index + 1)", "expected bytes in base64 and a rank")
            }
            try ranked.append(base64: String(decoding: words[0], as: UTF8.self), order: order)
        }
        parts = try ranked.parts(
            added: try Self.specialTokens(configuration, from: ranked.tokens.count),
            pattern: Self.kimiPattern, patternSubject: file)
    }

    /// The special tokens by `added_tokens_decoder`; the numbers it does not name are reserved.
    private static func specialTokens(
        _ configuration: JSONField?, from first: Int
    ) throws(Refusal) -> [AddedToken] {
        var tokens = (first..<first + specialCount).map { number in
            var token = AddedToken(
                token: TokenID(number), content: Array("<|reserved_token_\(number)|>".utf8))
            token.isSpecial = true
            return token
        }
        var texts: Set<String> = []
        for member in try configuration?.optional("added_tokens_decoder")?.members() ?? [] {
            let field = JSONField(
                member.value, file: configuration?.file ?? "",
                path: "added_tokens_decoder.\(member.name)")
            guard let number = Int(member.name), tokens.indices.contains(number - first) else {
                throw Refusal(
                    field.subject, "expected a number from \(first) to \(first + specialCount - 1)")
            }
            let content = try field.required("content").string()
            guard !content.isEmpty, texts.insert(content).inserted else {
                throw field.expected("a content that no other token has")
            }
            tokens[number - first].content = Array(content.utf8)
            tokens[number - first].isSpecial = try field.flag("special", otherwise: false)
        }
        return tokens
    }
}
