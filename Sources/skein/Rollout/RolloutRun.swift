import SkeinCore
import SkeinRollout

/// All completions of one prompt.
struct PromptRollout: Sendable {
    let index: Int
    var completions: [RolloutCompletion] = []
    /// Prompt rows that were not computed for them.
    var sharedRowCount = 0
    /// Why rewards are missing.
    var missing: [String] = []
}

/// Asks for the completions of prompt after prompt, and writes them in order.
struct RolloutRun: Sendable {
    let prompts: [RolloutPrompt]
    let source: any CompletionSource
    let judge: RewardJudge
    /// The run's own, from which those of completions follow.
    let seed: UInt64
    let completionCount: Int
    let promptsAtOnce: Int
    let isThinking: Bool
    let advantages: AdvantageForm

    /// A prompt that takes long holds up the lines of those after it; so many may wait for it, each
    /// in the place of one that runs.
    private var aheadMax: Int { promptsAtOnce * 4 }

    /// Works on every prompt that the file does not have.
    func run(into file: RolloutFile, onWritten: (Int) -> Void) async throws -> RolloutTally {
        try await withThrowingTaskGroup(of: PromptRollout.self) { tasks in
            var tally = RolloutTally()
            var writing = file.foundPromptCount
            var next = writing
            var runningCount = 0
            var early: [Int: PromptRollout] = [:]
            while writing < prompts.count {
                while runningCount < promptsAtOnce,
                    next < min(prompts.count, writing + aheadMax)
                {
                    let index = next
                    tasks.addTask { try await rollOut(index) }
                    next += 1
                    runningCount += 1
                }
                guard let done = try await tasks.next() else { break }
                runningCount -= 1
                early[done.index] = done
                while let due = early.removeValue(forKey: writing) {
                    try await file.append(due.completions)
                    tally.take(
                        due.completions, sharedRowCount: due.sharedRowCount, missing: due.missing)
                    writing += 1
                    onWritten(writing)
                }
            }
            return tally
        }
    }

    /// Asks for the first completion, and for the others once the prompt's rows are known: then
    /// they share its pages, and compute the prompt's last row only.
    private func rollOut(_ index: Int) async throws -> PromptRollout {
        let (beginnings, beginning) = AsyncStream.makeStream(
            of: Never.self, bufferingPolicy: .bufferingOldest(0))
        return try await withThrowingTaskGroup(of: JudgedCompletion.self) { tasks in
            tasks.addTask {
                defer { beginning.finish() }
                return try await judged(index, 0) { beginning.finish() }
            }
            for await _ in beginnings {}
            for number in 1..<max(1, completionCount) {
                tasks.addTask { try await judged(index, number) {} }
            }
            var completions: [JudgedCompletion] = []
            for try await one in tasks { completions.append(one) }
            return collected(completions, index)
        }
    }

    private struct JudgedCompletion: Sendable {
        var completion: RolloutCompletion
        let sharedRowCount: Int
        let missing: [String]
    }

    private func judged(
        _ index: Int, _ number: Int, begun: @Sendable () -> Void
    ) async throws -> JudgedCompletion {
        let prompt = prompts[index]
        let seed = RolloutSeed.of(seed: seed, promptIndex: index, completionIndex: number)
        let drawn = try await source.draw((index, prompt), seed: seed, begun: begun)
        var completion = RolloutCompletion(
            promptIndex: index, completionIndex: number, prompt: prompt.value,
            completion: completion(of: drawn, to: prompt), promptTokens: drawn.promptTokens,
            tokens: drawn.tokens, logprobs: drawn.logprobs, finishReason: drawn.finishReason,
            seed: seed)
        let verdict = try await judge.judge(completion, answer: drawn.content, to: prompt)
        completion.reward = verdict.reward
        completion.rewards = verdict.rewards
        return JudgedCompletion(
            completion: completion, sharedRowCount: drawn.sharedRowCount,
            missing: verdict.missing)
    }

    /// A text after a text, a message after messages.
    private func completion(of drawn: DrawnCompletion, to prompt: RolloutPrompt) -> JSONValue {
        guard case .conversation = prompt.form else { return .string(drawn.content) }
        var message: [JSONValue.Member] = [
            .init("role", .string("assistant")), .init("content", .string(drawn.content)),
        ]
        // The same fields in every line, for readers with columns.
        if isThinking { message.append(.init("reasoning_content", .string(drawn.reasoning))) }
        return .array([.object(message)])
    }

    private func collected(_ judged: [JudgedCompletion], _ index: Int) -> PromptRollout {
        let inOrder = judged.sorted {
            $0.completion.completionIndex < $1.completion.completionIndex
        }
        var rollout = PromptRollout(index: index)
        let worth = advantages.advantages(of: inOrder.map(\.completion.reward))
        for (one, advantage) in zip(inOrder, worth) {
            var completion = one.completion
            completion.advantage = advantage
            rollout.completions.append(completion)
            rollout.sharedRowCount += one.sharedRowCount
            rollout.missing += one.missing
        }
        return rollout
    }
}
