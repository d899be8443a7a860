internal import SkeinCore
internal import SkeinText

/// Reads what a request says of thinking, in the words of all servers.
///
/// DeepSeek's and Kimi's templates have `thinking`, GLM's `enable_thinking`; some clients put them
/// beside `chat_template_kwargs`, or send OpenAI's `reasoning_effort`. Most models that can think
/// or not know no degrees: every effort but `none` lets them think.
///
/// GLM's `clear_thinking` and Kimi's `preserve_thinking` say whether the thinking of earlier turns
/// is shown to the model; Qwen's `thinking_budget`, vLLM's `thinking_token_budget`, bounds it.
struct ThinkingFields {
    private static let switches = ["thinking", "enable_thinking"]
    private static let budgets = ["thinking_budget", "thinking_token_budget"]
    private static let known =
        switches + ["reasoning_effort", "clear_thinking", "preserve_thinking"] + budgets

    private var wishes: [(path: String, thinks: Bool)] = []
    private var effort: ReasoningEffort?
    private var kept: [(path: String, keeps: Bool)] = []
    private var bounds: [(path: String, tokensMax: Int?)] = []

    /// Reads the fields, and those inside `chat_template_kwargs`.
    init(_ fields: RequestFields) throws(APIError) {
        if let options = try fields.fields("chat_template_kwargs") {
            for name in options.names where options.value(name) != nil {
                guard Self.known.contains(name) else {
                    throw .invalid(
                        options.param(name),
                        "\(options.param(name)): this server writes the model's format itself and "
                            + "knows \(Self.known.joined(separator: ", ")) only")
                }
            }
            try read(options)
        }
        try read(fields)
    }

    /// How the conversation is to be written.
    func options(_ format: ChatFormat) throws(APIError) -> ChatOptions {
        var options = ChatOptions(isThinking: try isThinking(format))
        options.effort = effort
        if let first = kept.first {
            if let other = kept.first(where: { $0.keeps != first.keeps }) {
                throw .invalid(other.path, "\(other.path): contradicts \(first.path)")
            }
            guard format.canKeepReasoning || !first.keeps else {
                throw .invalid(
                    first.path,
                    "\(first.path): this model's format leaves out the thinking of earlier turns")
            }
            options.keepsReasoning = first.keeps
        }
        return options
    }

    /// Tokens that the model may think; `nil` where there is no bound.
    func tokensMax() throws(APIError) -> Int? {
        guard let first = bounds.first else { return nil }
        if let other = bounds.first(where: { $0.tokensMax != first.tokensMax }) {
            throw .invalid(other.path, "\(other.path): contradicts \(first.path)")
        }
        return first.tokensMax
    }

    /// Whether the model is to think first.
    ///
    /// - Throws: an error that names a field which contradicts another, or asks for what the
    ///   model's chat format leaves no choice about.
    static func isThinking(
        _ fields: RequestFields, format: ChatFormat
    ) throws(APIError) -> Bool {
        try ThinkingFields(fields).isThinking(format)
    }

    private func isThinking(_ format: ChatFormat) throws(APIError) -> Bool {
        guard let first = wishes.first else { return format.thinking.isCertain }
        if let other = wishes.first(where: { $0.thinks != first.thinks }) {
            throw .invalid(other.path, "\(other.path): contradicts \(first.path)")
        }
        if first.thinks, format.thinking == .never {
            throw .invalid(first.path, "\(first.path): this model's format has no thinking")
        }
        if !first.thinks, format.thinking.isCertain {
            throw .invalid(first.path, "\(first.path): this model always thinks first")
        }
        return first.thinks
    }

    private mutating func read(_ fields: RequestFields) throws(APIError) {
        for name in Self.switches {
            guard let value = fields.value(name) else { continue }
            // DeepSeek's and Zhipu's own services write {"type": "enabled"}.
            switch (value.bool, value["type"]?.string) {
            case (let flag?, _): wishes.append((fields.param(name), flag))
            case (nil, "enabled"): wishes.append((fields.param(name), true))
            case (nil, "disabled"): wishes.append((fields.param(name), false))
            default:
                throw fields.wrong(
                    name, expected: "true or false, or {\"type\": \"enabled\"} or \"disabled\"")
            }
        }
        if let clears = try fields.flag("clear_thinking") {
            kept.append((fields.param("clear_thinking"), !clears))
        }
        if let keeps = try fields.flag("preserve_thinking") {
            kept.append((fields.param("preserve_thinking"), keeps))
        }
        for name in Self.budgets {
            // vLLM's -1 sets no bound.
            guard let bound = try fields.whole(name, in: -1...Limits.positionsMax) else { continue }
            bounds.append((fields.param(name), bound < 0 ? nil : bound))
        }
        guard let word = try fields.text("reasoning_effort") else { return }
        guard let wanted = ReasoningEffort(rawValue: word) else {
            throw fields.wrong(
                "reasoning_effort",
                expected: "one of "
                    + ReasoningEffort.allCases.map(\.rawValue).joined(separator: ", "))
        }
        effort = wanted
        wishes.append((fields.param("reasoning_effort"), wanted != .none))
    }
}
