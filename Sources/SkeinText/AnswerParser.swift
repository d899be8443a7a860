/// Sorts a model's text into thinking, answer and tool calls while it arrives.
public struct AnswerParser: Sendable {
    private var reasoning: ReasoningSplitter?
    private var calls: ToolCallParser?

    /// - Parameters:
    ///   - format: The chat format of the prompt.
    ///   - prompt: The prompt that is being answered.
    ///   - tools: What was offered; without tools, calls stay text.
    public init(_ format: ChatFormat, answering prompt: ChatPrompt, tools: [ChatTool] = []) {
        let thinks = ![.deepSeekV2, .deepSeekV3, .kimiK2].contains(format)
        reasoning = thinks ? ReasoningSplitter(startsInside: prompt.opensReasoning) : nil
        calls = tools.isEmpty ? nil : ToolCallParser(format, tools: tools)
    }

    /// Whether what comes now would be thinking.
    public var isInsideReasoning: Bool { reasoning?.isInside == true }

    /// How many calls have begun.
    public var callCount: Int { calls?.callCount ?? 0 }

    /// Takes the next piece of the model's text.
    public mutating func push(_ text: String) -> [AnswerPiece] {
        guard let pieces = reasoning?.push(text) else { return answer(text) }
        return sort(pieces)
    }

    /// What was held back; the text ends here.
    public mutating func finish() -> [AnswerPiece] {
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
