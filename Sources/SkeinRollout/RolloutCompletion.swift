public import SkeinCore

/// One completion of a prompt, which becomes one line of the file.
public struct RolloutCompletion: Equatable, Sendable {
    /// The prompt's place in its file, from 0.
    public var promptIndex: Int
    /// The completion's place among those of its prompt, from 0.
    public var completionIndex: Int
    /// The prompt as it stands in its file: a text or messages.
    public var prompt: JSONValue
    /// What the model wrote, in the same form: a text or one message.
    public var completion: JSONValue
    /// The prompt in tokens, as the model got it.
    public var promptTokens: [TokenID]
    /// What was drawn, in order, the token that ended it included.
    public var tokens: [TokenID]
    /// ln p of each of these tokens, before temperature and filters.
    public var logprobs: [Float]
    /// Why it ended: `stop` or `length`.
    public var finishReason: FinishReason
    /// The seed that it was drawn with.
    public var seed: UInt64
    /// What it is worth; `nil` where that is not known.
    public var reward: Double?
    /// What each judge gave, where there are several.
    public var rewards: [Double?]?
    /// What it is worth beside the others of its prompt.
    public var advantage: Double?

    /// States a completion that has no reward yet.
    public init(
        promptIndex: Int, completionIndex: Int, prompt: JSONValue, completion: JSONValue,
        promptTokens: [TokenID], tokens: [TokenID], logprobs: [Float], finishReason: FinishReason,
        seed: UInt64
    ) {
        self.promptIndex = promptIndex
        self.completionIndex = completionIndex
        self.prompt = prompt
        self.completion = completion
        self.promptTokens = promptTokens
        self.tokens = tokens
        self.logprobs = logprobs
        self.finishReason = finishReason
        self.seed = seed
    }

    /// The first bytes of the line of a completion, by which a file is found whole.
    static func lineBeginning(promptIndex: Int, completionIndex: Int) -> String {
        "{\"prompt_index\":\(promptIndex),\"completion_index\":\(completionIndex),"
    }

    /// The line, with its end.
    ///
    /// The names are those that TRL has for prompts, completions and what a rollout brings.
    public var line: String {
        var fields: [JSONValue.Member] = [
            .init("prompt", prompt), .init("completion", completion),
            .init("prompt_ids", Self.list(promptTokens)),
            .init("completion_ids", Self.list(tokens)),
            // A number of JSON needs a digit before an exponent and nothing else; Swift's has it.
            .init("logprobs", .array(logprobs.map { .number($0.description) })),
            .init("finish_reason", .string(finishReason.rawValue)),
            .init("reward", reward.map { .number($0) } ?? .null),
            .init("advantage", advantage.map { .number($0) } ?? .null),
            .init("seed", .number(String(seed))),
        ]
        if let rewards {
            let list = rewards.map { $0.map { JSONValue.number($0) } ?? .null }
            fields.append(.init("rewards", .array(list)))
        }
        let beginning = Self.lineBeginning(
            promptIndex: promptIndex, completionIndex: completionIndex)
        return beginning + JSONValue.object(fields).line.dropFirst() + "\n"
    }

    private static func list(_ tokens: [TokenID]) -> JSONValue {
        .array(tokens.map { .integer(Int($0.rawValue)) })
    }
}
