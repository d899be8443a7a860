public import SkeinCore

/// Turns tokens into text as they arrive, and never gives half a character.
///
/// A token may end inside a character; its bytes wait here for the next token. What `push` and
/// `finish` return, put together, equals `Tokenizer.decode` of all the tokens.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let skippingSpecialTokens: Bool
    private var pending: [UInt8] = []

    /// Begins a new text.
    public init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        self.skippingSpecialTokens = skippingSpecialTokens
    }

    /// The whole characters that a token completes; often none.
    public mutating func push(_ token: TokenID) -> String {
        tokenizer.append(token, skippingSpecialTokens: skippingSpecialTokens, to: &pending)
        let whole = pending.count - Self.openBytes(pending)
        guard whole > 0 else { return "" }
        let text = String(decoding: pending[..<whole], as: UTF8.self)
        pending.removeSubrange(..<whole)
        return text
    }

    /// What was still waiting, as U+FFFD; the text ends here.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end are the correct beginning of a character that is not whole yet.
    static func openBytes(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let first = bytes[bytes.count - length]
            if first & 0xC0 == 0x80 { continue }
            let expected =
                switch first {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 1
                }
            guard length < expected else { return 0 }
            guard length > 1 else { return 1 }
            // Overlong forms, surrogates and values past U+10FFFF are broken at their second byte.
            let second = bytes[bytes.count - length + 1]
            let allowed: ClosedRange<UInt8> =
                switch first {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            return allowed.contains(second) ? length : 0
        }
        return 0
    }
}
