/// How probable the true next token of a row is, and what the model held more probable.
public struct TargetScore: Equatable, Sendable {
    /// ln p(target), before temperature and filters.
    public var logprob: Float

    /// The most probable tokens with their log-probabilities, as many as were asked for.
    public var topLogprobs: [TokenLogprob]

    /// Describes the score of one row.
    public init(logprob: Float, topLogprobs: [TokenLogprob] = []) {
        self.logprob = logprob
        self.topLogprobs = topLogprobs
    }
}
