/// How the next token is drawn from a row of logits.
///
/// The order is fixed: penalties, bias, temperature, min-p, top-k, top-p, then one draw whose
/// random number depends on `seed` and the token's position alone.
public struct SamplingParameters: Equatable, Sendable {
    /// Divides the logits; 0 is greedy (the largest logit, the lower token on a tie).
    public var temperature: Float = 0

    /// Keeps the `topK` most probable tokens; 0 keeps all.
    public var topK: Int = 0

    /// Keeps the smallest set of most probable tokens whose sum reaches `topP`; 1 keeps all.
    public var topP: Float = 1

    /// Drops tokens less probable than `minP` times the most probable one; 0 keeps all.
    public var minP: Float = 0

    /// Subtracted once from the logit of every token already produced.
    public var presencePenalty: Float = 0

    /// Subtracted from a token's logit for each time it was already produced.
    public var frequencyPenalty: Float = 0

    /// Divides positive and multiplies negative logits of tokens seen in prompt or completion.
    public var repetitionPenalty: Float = 1

    /// Added to the logits of the named tokens.
    public var logitBias: [TokenID: Float] = [:]

    /// The key of the counter-based random numbers.
    public var seed: UInt64 = 0

    /// How many alternatives are reported with each token; `nil` reports no log-probability.
    public var topLogprobsCount: Int?

    /// Greedy sampling without penalties.
    public init() {}

    /// Whether the draw needs to know which tokens came before.
    public var needsHistory: Bool {
        presencePenalty != 0 || frequencyPenalty != 0 || repetitionPenalty != 1
    }
}
