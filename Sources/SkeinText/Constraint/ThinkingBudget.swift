import SkeinCore

/// A bound of the tokens that a model may think, with the token that ends its thinking.
struct ThinkingBudget: Equatable, Sendable {
    /// How far the thinking of an answer has come.
    enum Progress: Hashable, Sendable {
        /// Nothing has come yet, and thinking may be opened.
        case ahead
        /// So many tokens were thought.
        case open(Int32)
        /// It has ended, or never began.
        case over
    }

    /// Tokens between the marks at most.
    let tokensMax: Int

    /// The mark that opens the thinking; `nil` where the prompt has opened it.
    let begin: TokenID?

    /// The mark that ends it.
    let end: TokenID

    /// - Throws: A refusal where the tokenizer has no token for the mark that ends the thinking.
    init(_ demand: AnswerDemand, _ tokensMax: Int, tokenizer: Tokenizer) throws(Refusal) {
        guard let end = tokenizer.addedToken(ChatMark.thinkEnd) else {
            throw Refusal("thinking_budget", "this model's tokenizer has no \(ChatMark.thinkEnd)")
        }
        self.end = end
        self.tokensMax = tokensMax
        begin = demand.reasoning == .optional ? tokenizer.addedToken(ChatMark.think) : nil
    }

    /// Before the first token.
    var beginning: Progress { begin == nil ? .open(0) : .ahead }

    /// Whether only the end may come.
    func isUsedUp(_ progress: Progress) -> Bool {
        if case .open(let count) = progress { count >= tokensMax } else { false }
    }

    /// What a token makes of the thinking.
    func progress(after token: TokenID, in progress: Progress) -> Progress {
        switch progress {
        case .ahead: token == begin ? .open(0) : .over
        case .open(let count): token == end ? .over : .open(min(count, .max - 1) + 1)
        case .over: .over
        }
    }
}
