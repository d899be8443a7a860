internal import SkeinCore
internal import SkeinText

/// One answer as it grows: its text by `AnswerReader`, and what is counted of it (a pure value).
struct ChoiceReader: Sendable {
    /// Prompt tokens that were not run for this answer.
    private(set) var cachedTokenCount = 0
    /// Tokens drawn, the one that ended the answer included.
    private(set) var tokenCount = 0
    /// Tokens of the thinking.
    private(set) var reasoningTokenCount = 0
    /// What became of tokens that were guessed ahead, where it is told.
    private(set) var drafts: DraftCounts?
    /// Why the answer ended, once it has.
    private(set) var finishReason: FinishReason?

    private var reader: AnswerReader?
    private let listsEndTokens: Bool
    private let silentTokens: Set<TokenID>
    private var pendingTokens: [SampledToken] = []

    /// Opens a reader for an answer to a call.
    ///
    /// - Parameter text: the model's text; without it an answer has tokens and no text.
    init(_ call: CompletionCall, text: TextSetup?) throws(APIError) {
        listsEndTokens = call.conversation == nil || call.returnsTokens
        silentTokens = call.stopTokens
        guard let text else { return }
        var options = AnswerReader.Options(
            stopTokens: call.stopTokens, stopStrings: call.stopStrings)
        options.showsControlTokens = !call.skipsSpecialTokens
        options.includesStopString = call.includesStopString
        options.callsMax = call.conversation?.callsMax
        do throws(Refusal) {
            reader = try AnswerReader(
                text, answering: call.conversation?.prompt, tools: call.conversation?.tools ?? [],
                options: options)
        } catch {
            throw .invalid(error)
        }
    }

    /// Whether a stop string was met, or all wanted calls are there: nothing follows.
    var isStopped: Bool { reader?.isStopped == true }

    /// OpenAI's word for the end.
    ///
    /// An answer that breaks off inside a call is no call: a client that is told `tool_calls` would
    /// run it.
    var finishWord: String {
        if finishReason == .length, !isStopped { return "length" }
        return reader?.hasWholeCalls == true ? "tool_calls" : "stop"
    }

    /// Notes how much of the prompt was known when the answer began.
    mutating func begin(cachedTokenCount count: Int) { cachedTokenCount = count }

    /// Notes what became of tokens that were guessed ahead.
    mutating func note(_ counts: DraftCounts) { drafts = counts }

    /// Takes the next token.
    mutating func push(_ token: SampledToken) -> [AnswerPiece] {
        guard !isStopped else { return [] }
        let wasInside = reader?.isInsideReasoning == true
        tokenCount += 1
        // Evaluation programs count on a plain completion listing each token that was drawn, the
        // one that ended it too; in a chat the lists are of the message's own tokens, unless they
        // stand beside the numbers of all.
        let isSilent = silentTokens.contains(token.token)
        if !isSilent || listsEndTokens { pendingTokens.append(token) }
        guard !isSilent else { return [] }
        let pieces = reader?.push(token.token) ?? []
        if wasInside || reader?.isInsideReasoning == true { reasoningTokenCount += 1 }
        return pieces
    }

    /// Gives out what was held back; the answer ends here.
    mutating func finish(_ reason: FinishReason) -> [AnswerPiece] {
        finishReason = reason
        return reader?.finish() ?? []
    }

    /// The tokens since the last call of this, for their log-probabilities.
    mutating func takeTokens() -> [SampledToken] {
        defer { pendingTokens = [] }
        return pendingTokens
    }
}
