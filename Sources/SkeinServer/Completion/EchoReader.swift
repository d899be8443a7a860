internal import SkeinCore
internal import SkeinText

/// A prompt that goes back to the client before its answer (a pure value).
struct EchoReader: Sendable {
    /// The prompt as text.
    let text: String
    /// The prompt's tokens.
    let tokens: [TokenID]
    /// Whether its tokens carry their log-probabilities.
    let isScored: Bool
    /// Whether the first token is the mark that every text begins with, and no part of this one.
    let beginsUnseen: Bool
    /// What came back of tokens 1, 2, …, in order.
    private(set) var scores: [TargetScore] = []

    /// Prepares to repeat a prompt.
    ///
    /// - Parameter asked: the text that the client sent; `nil` where it sent token numbers.
    init(asked: String?, tokens: [TokenID], isScored: Bool, service: ModelService) {
        self.tokens = tokens
        self.isScored = isScored
        text = asked ?? service.text?.tokenizer.decode(tokens, skippingSpecialTokens: false) ?? ""
        beginsUnseen = asked != nil && service.text?.beginToken != nil
    }

    /// Takes the scores of the next tokens.
    mutating func take(_ scores: [TargetScore]) { self.scores += scores }
}

extension CompletionCall {
    /// Reads whether the prompts are to be repeated.
    static func echoes(
        _ fields: RequestFields, prompts: [[TokenID]], isScored: Bool, service: ModelService
    ) throws(APIError) -> [EchoReader] {
        guard try fields.flag("echo") == true, let value = fields.value("prompt") else { return [] }
        let isOne = value.string != nil || value.array?.first?.integer != nil
        let asked = isOne ? [value] : value.array ?? []
        return zip(asked, prompts).map { asked, tokens in
            EchoReader(asked: asked.string, tokens: tokens, isScored: isScored, service: service)
        }
    }
}
