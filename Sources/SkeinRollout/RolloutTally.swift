internal import SkeinCore

/// Adds up what a run has brought, prompt by prompt.
public struct RolloutTally: Sendable {
    /// What a run tells when it is over; figures are of this run, not of the file.
    public struct Report: Encodable, Sendable {
        /// Completions of each prompt.
        public let completionsPerPrompt: Int
        /// Prompts of the whole file.
        public let prompts: Int
        /// Those of them that were there before this run.
        public let promptsFound: Int
        /// Completions of this run.
        public let completions: Int
        /// Seconds from the first prompt to the last line.
        public let seconds: Double
        /// Prompt tokens, counted for each completion.
        public let promptTokens: Int
        /// Rows of them that were computed.
        public let promptRowsComputed: Int
        /// Rows of them that another completion's pages stood in for.
        public let promptRowsShared: Int
        /// Tokens that were drawn.
        public let completionTokens: Int
        /// Tokens that were drawn, in a second.
        public let completionTokensPerSecond: Double
        /// Completions that ended by themselves.
        public let stopped: Int
        /// Completions that were cut at their longest.
        public let cut: Int
        /// The mean of the rewards; `nil` where there is none.
        public let meanReward: Double?
        /// Completions that have no reward though one was asked for.
        public let rewardsMissing: Int
        /// Why the first of them has none.
        public let firstMissing: String?
        /// Prompts whose completions all have the same reward, which teach nothing.
        public let promptsWithEqualRewards: Int
    }

    private var completionCount = 0
    private var promptTokenCount = 0
    private var sharedRowCount = 0
    private var tokenCount = 0
    private var stoppedCount = 0
    private var rewards: (sum: Double, count: Int) = (0, 0)
    private var missingCount = 0
    private var firstMissing: String?
    private var equalCount = 0

    /// Nothing has come yet.
    public init() {}

    /// Takes the completions of one prompt.
    ///
    /// - Parameters:
    ///   - sharedRowCount: prompt rows that were not computed for them.
    ///   - missing: why rewards are missing, one reason for each.
    public mutating func take(
        _ completions: [RolloutCompletion], sharedRowCount: Int, missing: [String]
    ) {
        completionCount += completions.count
        self.sharedRowCount += sharedRowCount
        missingCount += missing.count
        firstMissing = firstMissing ?? missing.first
        for completion in completions {
            promptTokenCount += completion.promptTokens.count
            tokenCount += completion.tokens.count
            stoppedCount += completion.finishReason == .stop ? 1 : 0
            guard let reward = completion.reward else { continue }
            rewards = (rewards.sum + reward, rewards.count + 1)
        }
        let present = completions.compactMap(\.reward)
        if let first = present.first, present.allSatisfy({ $0 == first }) { equalCount += 1 }
    }

    /// What is told at the end.
    ///
    /// - Parameters:
    ///   - completionsPerPrompt: how many each prompt has.
    ///   - promptCount: prompts of the whole file.
    ///   - foundPromptCount: those that were there before.
    ///   - seconds: how long this run took.
    public func report(
        completionsPerPrompt: Int, promptCount: Int, foundPromptCount: Int, seconds: Double
    ) -> Report {
        Report(
            completionsPerPrompt: completionsPerPrompt, prompts: promptCount,
            promptsFound: foundPromptCount, completions: completionCount, seconds: seconds,
            promptTokens: promptTokenCount,
            promptRowsComputed: promptTokenCount - sharedRowCount,
            promptRowsShared: sharedRowCount, completionTokens: tokenCount,
            completionTokensPerSecond: seconds > 0 ? Double(tokenCount) / seconds : 0,
            stopped: stoppedCount, cut: completionCount - stoppedCount,
            meanReward: rewards.count > 0 ? rewards.sum / Double(rewards.count) : nil,
            rewardsMissing: missingCount, firstMissing: firstMissing,
            promptsWithEqualRewards: equalCount)
    }
}
