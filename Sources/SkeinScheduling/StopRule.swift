public import SkeinCore

/// When a sequence ends by its tokens alone.
///
/// Stop strings are a matter of text: the reader of the text answers with
/// ``PipelineSchedule/onStop(_:reason:)``.
public struct StopRule: Equatable, Sendable {
    /// Tokens to produce at most; 0 produces none.
    public var completionTokensMax: Int

    /// Tokens after which the sequence ends; the stop token itself is delivered.
    public var stopTokens: Set<TokenID>

    /// Ends after so many tokens, or after one of the stop tokens.
    public init(completionTokensMax: Int, stopTokens: Set<TokenID> = []) {
        self.completionTokensMax = completionTokensMax
        self.stopTokens = stopTokens
    }

    /// Joins the model's end tokens, unless they are ignored, with the client's stop tokens.
    public init(
        completionTokensMax: Int, endTokens: [TokenID], ignoresEndTokens: Bool,
        stopTokens: [TokenID]
    ) {
        self.completionTokensMax = completionTokensMax
        self.stopTokens = Set(stopTokens).union(ignoresEndTokens ? [] : endTokens)
    }

    /// Why the sequence ends with this token, or `nil` where it goes on.
    ///
    /// A stop token wins over the other reasons, for then the answer is whole.
    ///
    /// - Parameters:
    ///   - token: The last token produced.
    ///   - completionCount: Tokens produced, this one included.
    ///   - tokenCount: Tokens of prompt and completion, this one included.
    ///   - positionCountMax: Positions that the context has.
    public func reason(
        after token: TokenID, completionCount: Int, tokenCount: Int, positionCountMax: Int
    ) -> FinishReason? {
        if stopTokens.contains(token) { return .stop }
        if completionCount >= completionTokensMax { return .length }
        return tokenCount >= positionCountMax ? .length : nil
    }
}
