import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinRollout
import SkeinText

/// A completion as it was drawn.
struct DrawnCompletion: Sendable {
    /// The prompt as the model got it.
    var promptTokens: [TokenID]
    /// What was drawn, the token that ended it included.
    var tokens: [TokenID]
    /// ln p of each, before temperature and filters.
    var logprobs: [Float]
    /// What it says, without thinking.
    var content: String
    /// What it thought.
    var reasoning: String
    var finishReason: FinishReason
    /// Prompt rows that were not computed for it.
    var sharedRowCount: Int
}

/// How completions are drawn, whatever their seeds.
struct DrawSettings: Sendable {
    var newTokensMax: Int
    var sampling: SamplingParameters
    var stop: [String] = []
    /// Whether the end-of-text token ends nothing.
    var ignoresEnd = false
}

/// Where completions are drawn.
protocol CompletionSource: Sendable {
    /// Draws one completion of a prompt.
    ///
    /// - Parameters:
    ///   - prompt: what is asked, and its place among the prompts.
    ///   - seed: what it is drawn with.
    ///   - begun: called once the prompt's rows are known, so that others can share them.
    func draw(
        _ prompt: (index: Int, value: RolloutPrompt), seed: UInt64, begun: @Sendable () -> Void
    ) async throws -> DrawnCompletion
}

/// A prompt in tokens.
struct PreparedPrompt: Sendable {
    let tokens: [TokenID]
    /// The conversation that is answered; `nil` where a text is gone on with.
    let conversation: ChatPrompt?

    init(_ prompt: RolloutPrompt, setup: TextSetup, isThinking: Bool) throws(Refusal) {
        switch prompt.form {
        case .text(let text):
            tokens = setup.completionPrompt(text)
            conversation = nil
        case .conversation(let messages):
            guard let format = setup.chatFormat?.format else {
                throw Refusal(
                    prompt.place, "has messages, and the model does not tell its chat format")
            }
            var parsed: [ChatMessage] = []
            for (place, message) in messages.enumerated() {
                parsed.append(
                    try ChatMessage(
                        parsing: message, subject: "\(prompt.place): messages[\(place)]"))
            }
            let written = try format.prompt(parsed, options: ChatOptions(isThinking: isThinking))
            tokens = setup.tokenizer.encode(written.segments)
            conversation = written
        }
        guard !tokens.isEmpty else { throw Refusal(prompt.place, "has no tokens") }
    }
}

/// Draws in a cluster inside this program.
struct EmbeddedSource: CompletionSource {
    let prompts: [PreparedPrompt]
    let setup: TextSetup
    let coordinator: Coordinator
    let settings: DrawSettings

    func draw(
        _ prompt: (index: Int, value: RolloutPrompt), seed: UInt64, begun: @Sendable () -> Void
    ) async throws -> DrawnCompletion {
        let prepared = prompts[prompt.index]
        let ends = settings.ignoresEnd ? [] : setup.endTokens
        var answer = GeneratedAnswer(promptCount: prepared.tokens.count)
        var reader: AnswerReader? = try AnswerReader(
            setup, answering: prepared.conversation,
            options: .init(stopTokens: ends, stopStrings: settings.stop))
        var sampling = settings.sampling
        sampling.seed = seed
        let (id, stream) = try await coordinator.submit(
            GenerationRequest(
                promptTokens: prepared.tokens, newTokensMax: settings.newTokensMax,
                sampling: sampling, stopTokens: ends))
        var sharedRowCount = 0
        var hasBegun = false
        for try await event in stream {
            if case .began(let count) = event { sharedRowCount = count }
            if case .token = event, !hasBegun {
                hasBegun = true
                begun()
            }
            let wasStopped = reader?.isStopped == true
            _ = answer.take(event, reader: &reader)
            if reader?.isStopped == true, !wasStopped { await coordinator.stop(id) }
        }
        // A task that is cancelled sees the end of its stream.
        try Task.checkCancellation()
        _ = answer.finish(reader: &reader)
        return DrawnCompletion(
            promptTokens: prepared.tokens, tokens: answer.tokens.map(\.token),
            logprobs: answer.tokens.map { $0.logprob ?? 0 }, content: answer.content,
            reasoning: answer.reasoning,
            finishReason: reader?.isStopped == true ? .stop : answer.finishReason,
            sharedRowCount: sharedRowCount)
    }
}
