internal import SkeinCore
internal import SkeinText

/// The log-probabilities beside a plain completion: OpenAI's four lists of equal length.
struct PlainLogprobs: Sendable {
    private let service: ModelService
    private var offset: Int
    private var names: [JSONValue] = []
    private var logprobs: [JSONValue] = []
    private var tops: [JSONValue] = []
    private var offsets: [JSONValue] = []

    /// Opens empty lists.
    ///
    /// - Parameter textOffset: Unicode scalars of the text before the first token.
    init(_ service: ModelService, textOffset: Int) {
        self.service = service
        offset = textOffset
    }

    /// Adds a prompt; nothing comes before its first token, which so has no probability.
    mutating func add(_ echo: EchoReader) {
        for (place, token) in echo.tokens.enumerated() {
            let score = place == 0 ? nil : echo.scores[safe: place - 1]
            let isUnseen = place == 0 && echo.beginsUnseen
            add(
                token, logprob: score?.logprob, top: score?.topLogprobs ?? [],
                width: isUnseen ? 0 : Self.scalarCount(service.bytes(of: token)))
        }
    }

    /// Adds a token of the answer; special ones are no part of its text.
    mutating func add(_ token: SampledToken) {
        let isShown = service.text?.tokenizer.isSpecial(token.token) == false
        add(
            token.token, logprob: token.logprob ?? 0, top: token.topLogprobs,
            width: isShown ? Self.scalarCount(service.bytes(of: token.token)) : 0)
    }

    private mutating func add(
        _ token: TokenID, logprob: Float?, top: [TokenLogprob], width: Int
    ) {
        names.append(.string(service.name(of: token)))
        logprobs.append(logprob.map { .logprob($0) } ?? .null)
        tops.append(logprob.map { .object(members(token, $0, top)) } ?? .null)
        offsets.append(.count(offset))
        offset += width
    }

    /// The alternatives with the token itself, which need not be among them.
    ///
    /// Names come once: of two tokens with the same text the more probable one stands.
    private func members(
        _ token: TokenID, _ logprob: Float, _ top: [TokenLogprob]
    ) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        var seen: Set<String> = []
        let own = TokenLogprob(token: token, logprob: logprob)
        for entry in top.contains(where: { $0.token == token }) ? top : top + [own] {
            let name = service.name(of: entry.token)
            if seen.insert(name).inserted { members.append(.init(name, .logprob(entry.logprob))) }
        }
        return members
    }

    /// OpenAI's form.
    var json: JSONValue {
        .fields([
            "tokens": .array(names), "token_logprobs": .array(logprobs),
            "top_logprobs": .array(tops), "text_offset": .array(offsets),
        ])
    }

    /// Scalars that begin in these bytes; one that ends in a later token counts where it began.
    private static func scalarCount(_ bytes: [UInt8]) -> Int {
        bytes.count { $0 & 0xC0 != 0x80 }
    }
}

extension ModelService {
    /// A token by its text, or by its bytes where they are no whole characters, as OpenAI does.
    func name(of token: TokenID) -> String {
        guard text != nil else { return "token_id:\(token)" }
        let bytes = bytes(of: token)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return "bytes:" + digits.map { "\\x" + $0 }.joined()
    }
}

extension Array {
    fileprivate subscript(safe place: Int) -> Element? {
        indices.contains(place) ? self[place] : nil
    }
}
