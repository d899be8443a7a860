internal import SkeinCore
internal import SkeinText

/// One answer as it grows: tokens to text, thinking and calls apart, and an end before a stop
/// string (a pure value).
struct ChoiceReader: Sendable {
    /// Prompt tokens that were not run for this answer.
    private(set) var cachedTokenCount = 0
    /// Tokens drawn, the one that ended the answer included.
    private(set) var tokenCount = 0
    /// Tokens of the thinking.
    private(set) var reasoningTokenCount = 0
    /// Whether a stop string was met, or all wanted calls are there: nothing follows.
    private(set) var isStopped = false
    /// Why the answer ended, once it has.
    private(set) var finishReason: FinishReason?

    private var detokenizer: StreamingDetokenizer?
    private var scanner: StopStringScanner
    private var parser: AnswerParser?
    private let callsMax: Int?
    private let silentTokens: Set<TokenID>
    private var hasAllCalls = false
    private var pendingTokens: [SampledToken] = []

    /// Opens a reader for an answer to a call.
    init(_ call: CompletionCall, tokenizer: Tokenizer?) throws(APIError) {
        // The marks of tool calls are special tokens in many vocabularies.
        let hasTools = call.conversation?.tools.isEmpty == false
        detokenizer = tokenizer.map {
            StreamingDetokenizer($0, skippingSpecialTokens: !hasTools)
        }
        do throws(Refusal) {
            scanner = try StopStringScanner(call.stopStrings)
        } catch {
            throw .invalid(error)
        }
        parser = call.conversation.map {
            AnswerParser($0.format, answering: $0.prompt, tools: $0.tools)
        }
        callsMax = call.conversation?.callsMax
        silentTokens = call.stopTokens
    }

    /// OpenAI's word for the end.
    var finishWord: String {
        if finishReason == .length, !isStopped { return "length" }
        return (parser?.callCount ?? 0) > 0 ? "tool_calls" : "stop"
    }

    /// Notes how much of the prompt was known when the answer began.
    mutating func begin(cachedTokenCount count: Int) { cachedTokenCount = count }

    /// Takes the next token.
    mutating func push(_ token: SampledToken) -> [AnswerPiece] {
        guard !isStopped else { return [] }
        let wasInside = parser?.isInsideReasoning == true
        tokenCount += 1
        // Evaluation programs count on a plain completion listing each token that was drawn, the
        // one that ended it too; in a chat the lists are of the message's own tokens.
        let isSilent = silentTokens.contains(token.token)
        if !isSilent || parser == nil { pendingTokens.append(token) }
        guard !isSilent else { return [] }
        let pieces = scan(detokenizer?.push(token.token) ?? "")
        if wasInside || parser?.isInsideReasoning == true { reasoningTokenCount += 1 }
        return pieces
    }

    /// Gives out what was held back; the answer ends here.
    mutating func finish(_ reason: FinishReason) -> [AnswerPiece] {
        finishReason = reason
        var pieces: [AnswerPiece] = []
        if !isStopped {
            pieces += scan(detokenizer?.finish() ?? "")
            if !isStopped { pieces += parse(scanner.finish()) }
        }
        return pieces + (hasAllCalls ? [] : parser?.finish() ?? [])
    }

    /// The tokens since the last call of this, for their log-probabilities.
    mutating func takeTokens() -> [SampledToken] {
        defer { pendingTokens = [] }
        return pendingTokens
    }

    private mutating func scan(_ text: String) -> [AnswerPiece] {
        let finding = scanner.push(text)
        isStopped = finding.stopString != nil
        return parse(finding.text)
    }

    private mutating func parse(_ text: String) -> [AnswerPiece] {
        guard !text.isEmpty else { return [] }
        guard !hasAllCalls else { return [] }
        let pieces = parser?.push(text) ?? [.content(text)]
        guard let callsMax,
            let end = pieces.firstIndex(of: .callEnd(index: callsMax - 1))
        else { return pieces }
        // As many calls as the client takes: the answer ends here.
        hasAllCalls = true
        isStopped = true
        return Array(pieces[...end])
    }
}
