internal import SkeinCore
internal import SkeinText

/// What a client asks for, read and checked: prompts in tokens, and how to answer them.
struct CompletionCall: Sendable {
    /// A conversation, and what its answer may hold.
    struct Conversation: Sendable {
        let format: ChatFormat
        let prompt: ChatPrompt
        let tools: [ChatTool]
        /// Calls that the client takes in one answer; `nil` for any number.
        var callsMax: Int?
        /// Tokens that the model may think; `nil` where there is no bound.
        var thinkingTokensMax: Int?
    }

    /// The prompts, at least one.
    let prompts: [[TokenID]]
    /// The conversation behind the prompt; `nil` for a plain text to go on with.
    let conversation: Conversation?
    /// Answers to each prompt.
    let choiceCount: Int
    /// Tokens of one answer at most; `nil` where only the context is the bound.
    var newTokensMax: Int?
    /// How to draw the first answer.
    let sampling: SamplingParameters
    /// Tokens that end an answer and are no part of its text.
    let stopTokens: Set<TokenID>
    /// Texts that end an answer and are no part of it.
    let stopStrings: [String]
    /// What an answer must be in text; `nil` where it may be anything.
    var constraint: AnswerConstraint?
    /// Whether the answer goes out as it grows.
    let isStreaming: Bool
    /// Whether a stream ends with the usage.
    let includesUsage: Bool
    /// Whether every chunk of a stream tells the usage so far.
    let includesRunningUsage: Bool
    /// Whether the numbers of the prompt's and the answers' tokens come beside the text.
    let returnsTokens: Bool
    /// Whether control marks stay out of the text.
    let skipsSpecialTokens: Bool
    /// Whether the stop string that ends an answer is a part of it.
    let includesStopString: Bool
    /// Fields that nobody here knows, so that the client learns of them.
    let ignoredFields: [String]
    /// The prompts where they go back before the answers; none where they do not.
    var echoes: [EchoReader] = []

    /// The field that holds the prompt.
    var promptField: String { conversation == nil ? "prompt" : "messages" }

    /// Keeps the answers within a server's own bound; one that is cut ends for its length.
    mutating func bound(newTokensMax bound: Int?) {
        guard let bound else { return }
        newTokensMax = min(newTokensMax ?? bound, bound)
    }

    /// Answers to all prompts.
    var answerCount: Int { prompts.count * choiceCount }

    /// Tokens of all prompts.
    var promptTokenCount: Int { prompts.reduce(0) { $0 + $1.count } }

    /// The request for one answer; answers to the same prompt draw with different seeds.
    func request(prompt: Int, choice: Int, positionCountMax: Int) -> GenerationSpecification {
        var sampling = sampling
        // The first answer is the one that a request without `n` would get.
        sampling.seed ^= UInt64(choice) &* 0x9E37_79B9_7F4A_7C15
        let rest = positionCountMax - prompts[prompt].count
        return GenerationSpecification(
            promptTokens: prompts[prompt], newTokensMax: min(newTokensMax ?? rest, rest),
            sampling: sampling,
            scoresPrompt: echoes.first?.isScored == true && prompts[prompt].count > 1)
    }
}

/// What one answer is drawn from.
struct GenerationSpecification: Sendable {
    let promptTokens: [TokenID]
    let newTokensMax: Int
    let sampling: SamplingParameters
    let scoresPrompt: Bool

    /// Events that the answer can have at most.
    var eventsMax: Int { newTokensMax + (scoresPrompt ? promptTokens.count : 0) + 2 }
}

extension CompletionCall {
    /// Reads a body of `/v1/chat/completions`.
    init(chat fields: RequestFields, service: ModelService) throws(APIError) {
        let ignored = try RequestRule.check(fields, of: .chat)
        let choice = try ToolChoice(fields)
        let conversation = try Self.conversation(fields, choice, service: service)
        let setup = try service.setup(for: "messages")
        let wanted = try Self.newTokensMax(fields, from: 1)
        let alternatives = try Self.alternatives(chat: fields)
        try self.init(
            fields, ignoring: ignored, service: service,
            prompts: [setup.tokenizer.encode(conversation.prompt.segments)],
            conversation: conversation,
            newTokensMax: wanted,
            alternatives: alternatives, answer: try choice.demand(fields, conversation))
    }

    /// Reads a body of `/v1/completions`.
    init(text fields: RequestFields, service: ModelService) throws(APIError) {
        let ignored = try RequestRule.check(fields, of: .text)
        if fields.value("suffix") != nil {
            throw .invalid("suffix", "suffix: this server does not fill in the middle of a text")
        }
        let answerCount = try fields.whole("n", in: 1...Limits.choicesMax) ?? 1
        if let drawnCount = try fields.whole("best_of", in: 1...Limits.choicesMax),
            drawnCount != answerCount
        {
            throw .invalid("best_of", "best_of: this server gives all answers it draws; use n")
        }
        // Who only wants the prompt scored wants no token.
        let newTokensMin = try fields.flag("echo") == true ? 0 : 1
        let tokensMax = try Self.newTokensMax(fields, from: newTokensMin)
        let alternatives = try fields.whole("logprobs", in: 0...Limits.topLogprobsMax)
        try self.init(
            fields, ignoring: ignored, service: service,
            prompts: try Self.prompts(fields, service: service),
            conversation: nil, newTokensMax: tokensMax ?? 16, alternatives: alternatives,
            answer: try AnswerShapeFields.content(fields).map { AnswerDemand(content: $0) })
        echoes = try Self.echoes(
            fields, prompts: prompts, isScored: alternatives != nil, service: service)
    }

    /// Tokens that an answer may have; the newer of the two names wins.
    private static func newTokensMax(
        _ fields: RequestFields, from least: Int
    ) throws(APIError) -> Int? {
        let wanted = try fields.whole("max_tokens", in: least...Limits.positionsMax)
        return try fields.whole("max_completion_tokens", in: least...Limits.positionsMax) ?? wanted
    }

    private init(
        _ fields: RequestFields, ignoring ignored: [String], service: ModelService,
        prompts: [[TokenID]],
        conversation: Conversation?, newTokensMax: Int?, alternatives: Int?,
        answer: AnswerDemand?
    ) throws(APIError) {
        try Self.checkModel(fields, service: service)
        let sampling = SamplingFields(fields, service: service)
        var parameters = try sampling.parameters()
        parameters.topLogprobsCount = alternatives
        let options = try fields.fields("stream_options")
        let constraint = try Self.constraint(answer, service: service)
        // The end of an answer of a form is where it is whole; it must not be cut before.
        let hasForm = answer.map { !$0.isFree } ?? false
        let stopTokens = try sampling.stopTokens()
        let stopStrings = try sampling.stopStrings()
        self.init(
            prompts: prompts, conversation: conversation,
            choiceCount: try fields.whole("n", in: 1...Limits.choicesMax) ?? 1,
            newTokensMax: newTokensMax, sampling: parameters,
            stopTokens: hasForm ? service.endTokens : stopTokens,
            stopStrings: hasForm ? [] : stopStrings, constraint: constraint,
            isStreaming: try fields.flag("stream") ?? false,
            includesUsage: try options?.flag("include_usage") ?? false,
            includesRunningUsage: try options?.flag("continuous_usage_stats") ?? false,
            // A model without a tokenizer has no other answer to give.
            returnsTokens: try fields.flag("return_token_ids") ?? (service.text == nil),
            skipsSpecialTokens: try fields.flag("skip_special_tokens") ?? true,
            includesStopString: try Self.keepsStopString(fields),
            ignoredFields: ignored)
        let reservedCount = newTokensMax == 0 ? 0 : 1
        for prompt in prompts where prompt.count + reservedCount > service.positionCountMax {
            throw .invalid(
                promptField,
                "\(promptField): found \(prompt.count) tokens; with \(reservedCount) to follow, "
                    + "the context of \(service.positionCountMax) positions is too small",
                code: "context_length_exceeded")
        }
    }

    /// Whether the text ends with the stop string that was met, in vLLM's or in SGLang's words.
    private static func keepsStopString(_ fields: RequestFields) throws(APIError) -> Bool {
        if let keeps = try fields.flag("include_stop_str_in_output") { return keeps }
        return try fields.flag("no_stop_trim") ?? false
    }

    /// The constraint that meets a demand.
    private static func constraint(
        _ demand: AnswerDemand?, service: ModelService
    ) throws(APIError) -> AnswerConstraint? {
        guard let demand else { return nil }
        _ = try service.setup(for: "response_format")
        do throws(Refusal) {
            return try service.constraints?.constraint(demand)
        } catch {
            throw .invalid(error)
        }
    }

    /// Refuses another model.
    private static func checkModel(
        _ fields: RequestFields, service: ModelService
    ) throws(APIError) {
        if let wanted = try fields.text("model"), !service.modelNames.contains(wanted) {
            throw .notFound(
                "model", "model: found '\(wanted.prefix(200))', expected \(service.namesText)",
                code: "model_not_found")
        }
    }

    private static func prompts(
        _ fields: RequestFields, service: ModelService
    ) throws(APIError) -> [[TokenID]] {
        guard let value = fields.value("prompt") else {
            throw .invalid("prompt", "prompt: is missing, expected a text or a list of token ids")
        }
        let begins = try fields.flag("add_special_tokens") ?? true
        func prompt(_ value: JSONValue, param: String) throws(APIError) -> [TokenID] {
            try Self.prompt(value, param: param, begins: begins, service: service)
        }
        let prompts: [[TokenID]]
        if value.string != nil {
            prompts = [try prompt(value, param: "prompt")]
        } else if let first = value.array?.first {
            if first.integer != nil {
                prompts = [try prompt(value, param: "prompt")]
            } else {
                let elements = try fields.elements("prompt", countMax: Limits.promptsMax) ?? []
                var several: [[TokenID]] = []
                for (index, element) in elements.enumerated() {
                    several.append(try prompt(element, param: "prompt[\(index)]"))
                }
                prompts = several
            }
        } else {
            throw fields.wrong("prompt", expected: "a text or a list of token ids, not empty")
        }
        return prompts
    }

    private static func prompt(
        _ value: JSONValue, param: String, begins: Bool, service: ModelService
    ) throws(APIError) -> [TokenID] {
        let tokens: [TokenID]
        if let text = value.string {
            let setup = try service.setup(for: param)
            tokens =
                begins
                ? setup.completionPrompt(text)
                : setup.tokenizer.encode(text, matchingAddedTokens: false)
        } else if let elements = value.array {
            tokens = try RequestFields.tokens(
                elements, param: param, vocabularySize: service.vocabularySize)
        } else {
            throw .invalid(
                param, "\(param): found \(value.summary), expected a text or a list of token ids")
        }
        guard !tokens.isEmpty else { throw .invalid(param, "\(param): has no tokens") }
        return tokens
    }
}

extension CompletionCall {
    /// Reads messages and tools, and writes them in the model's chat format.
    static func conversation(
        _ fields: RequestFields, _ choice: ToolChoice, service: ModelService
    ) throws(APIError) -> Conversation {
        let format = try service.chatFormat().format
        guard let elements = try fields.elements("messages", countMax: Limits.positionsMax) else {
            throw .invalid("messages", "messages: is missing, expected a list of messages")
        }
        guard !elements.isEmpty else {
            throw .invalid("messages", "messages: found none, expected one")
        }
        let thinking = try ThinkingFields(fields)
        var options = try thinking.options(format)
        options.continuesFinalMessage = try fields.flag("continue_final_message") ?? false
        let addsPrompt = try fields.flag("add_generation_prompt")
        options.addsGenerationPrompt = addsPrompt ?? !options.continuesFinalMessage
        if options.continuesFinalMessage, options.addsGenerationPrompt {
            throw fields.wrong(
                "add_generation_prompt", expected: "false where continue_final_message is true")
        }
        let tools = choice.offered
        let bound = try thinking.tokensMax()
        do throws(Refusal) {
            var messages: [ChatMessage] = []
            for (index, element) in elements.enumerated() {
                messages.append(try ChatMessage(parsing: element, subject: "messages[\(index)]"))
            }
            let prompt = try format.prompt(messages, tools: tools, options: options)
            return Conversation(
                format: format, prompt: prompt, tools: tools, callsMax: choice.callsMax,
                thinkingTokensMax: bound)
        } catch {
            throw .invalid(error)
        }
    }

    /// How many alternatives a chat wants with each token; `nil` for no log-probabilities.
    private static func alternatives(chat fields: RequestFields) throws(APIError) -> Int? {
        let count = try fields.whole("top_logprobs", in: 0...Limits.topLogprobsMax)
        guard try fields.flag("logprobs") == true else {
            guard count == nil else {
                throw .invalid("top_logprobs", "top_logprobs: needs \"logprobs\": true")
            }
            return nil
        }
        return count ?? 0
    }
}
