/// Sorts a model's text into thinking, answer and tool calls while it arrives.
struct AnswerParser: Sendable {
    private var reasoning: ReasoningSplitter?
    private var calls: ToolCallParser?

    /// - Parameters:
    ///   - prompt: The prompt that is being answered.
    ///   - tools: What was offered; without tools, calls stay text.
    init(answering prompt: ChatPrompt, tools: [ChatTool] = []) {
        let traits = prompt.format.traits
        reasoning =
            traits.thinking == .never
            ? nil : ReasoningSplitter(startsInside: prompt.opensReasoning)
        calls = tools.isEmpty ? nil : traits.callForm.map { ToolCallParser($0, tools: tools) }
    }

    /// Whether what comes now would be thinking.
    var isInsideReasoning: Bool { reasoning?.isInside == true }

    /// How many calls have begun.
    var callCount: Int { calls?.callCount ?? 0 }

    /// Whether a call has begun that is not whole.
    var hasOpenCall: Bool { calls?.hasOpenCall ?? false }

    /// Takes the next piece of the model's text.
    mutating func push(_ text: String) -> [AnswerPiece] {
        guard let pieces = reasoning?.push(text) else { return answer(text) }
        return sort(pieces)
    }

    /// Takes a mark that came as a token of its own and is no part of the text.
    mutating func pushMark(_ mark: String) -> [AnswerPiece] {
        if mark == ChatMark.think || mark == ChatMark.thinkEnd {
            return sort(reasoning?.pushMark(mark) ?? [])
        }
        guard !isInsideReasoning else { return [] }
        let held = sort(reasoning?.endOpening() ?? [])
        return held + (calls?.push(mark, isHidden: true) ?? [])
    }

    /// What was held back; the text ends here.
    mutating func finish() -> [AnswerPiece] {
        let pieces = sort(reasoning?.finish() ?? [])
        return pieces + (calls?.finish() ?? [])
    }

    private mutating func sort(_ pieces: [ReasoningSplitter.Piece]) -> [AnswerPiece] {
        var sorted: [AnswerPiece] = []
        for piece in pieces {
            switch piece {
            case .reasoning(let text): sorted.append(.reasoning(text))
            case .content(let text): sorted += answer(text)
            }
        }
        return sorted
    }

    private mutating func answer(_ text: String) -> [AnswerPiece] {
        guard !text.isEmpty else { return [] }
        return calls?.push(text) ?? [.content(text)]
    }
}
