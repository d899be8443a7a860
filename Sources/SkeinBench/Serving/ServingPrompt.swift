import SkeinCore

/// What one request asks.
struct ServingPrompt: Equatable, Sendable {
    /// The prompt's form.
    enum Content: Equatable, Sendable {
        case tokens([Int])
        case text(String)
    }

    let content: Content
    /// Tokens of the answer at most.
    let outputTokenCount: Int
    /// Tokens of the prompt, where they are known before the server has counted them.
    var inputTokenCount: Int?

    /// The field that asks for the ids of an answer's tokens beside its text (vLLM's name).
    static let tokenIDsField = "return_token_ids"

    /// The body of a request that asks it.
    func body(for target: ServingTarget, model: String) -> String {
        var fields = target.fields
        fields["model"] = .string(model)
        fields["max_tokens"] = .integer(outputTokenCount)
        fields["stream"] = .bool(true)
        fields["stream_options"] = .object(["include_usage": .bool(true)])
        switch (target.interface, content) {
        case (.text, .tokens(let tokens)):
            fields["prompt"] = .array(tokens.map { .integer($0) })
        case (.text, .text(let text)):
            fields["prompt"] = .string(text)
        case (.chat, .text(let text)):
            fields["messages"] = .array([
                .object(["role": .string("user"), "content": .string(text)])
            ])
        case (.chat, .tokens):
            preconditionFailure("token ids for a chat, which takes texts")
        }
        return JSONValue.object(fields).line
    }
}
