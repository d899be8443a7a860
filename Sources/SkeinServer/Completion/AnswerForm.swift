internal import SkeinCore
internal import SkeinJournal
internal import SkeinText

/// Writes answers in OpenAI's form, whole or as chunks.
struct AnswerForm: Sendable {
    /// The completion's own name, the same in all of its chunks.
    let id: String
    private let isChat: Bool
    private let service: ModelService
    private let created: Int

    /// Writes the answers of a call.
    ///
    /// - Parameter request: the client's request; every connection that is given the answer names
    ///   it by this.
    init(_ call: CompletionCall, of request: ClientRequest, service: ModelService) {
        isChat = call.conversation != nil
        id = (isChat ? Self.chatPrefix : Self.textPrefix) + request.id.dropFirst(Self.prefix.count)
        created = request.acceptedAt
        self.service = service
    }

    private static let prefix = "req_"
    private static let chatPrefix = "chatcmpl-"
    private static let textPrefix = "cmpl-"

    /// A name that no other request has.
    static func newRequestName() -> String { RandomName.text(prefix) }

    /// The name of the request that an answer's name comes from; other names are as they are.
    static func requestName(of name: String) -> String {
        for other in [chatPrefix, textPrefix] where name.hasPrefix(other) {
            return prefix + name.dropFirst(other.count)
        }
        return name
    }

    /// The whole answer.
    ///
    /// - Parameter prompt: a conversation's tokens, where they are wanted.
    func answer(_ choices: [JSONValue], usage: Usage, prompt: [TokenID]?) -> JSONValue {
        .fields([
            "id": .string(id), "object": .string(isChat ? "chat.completion" : "text_completion"),
            "created": .count(created), "model": .string(service.modelName),
            "choices": .array(choices), "usage": usage.json,
            "prompt_token_ids": isChat ? prompt.map { .tokens($0) } : nil,
        ])
    }

    /// One chunk of a stream; the usage is `null` in all but the last, where it is asked for.
    func chunk(
        _ choices: [JSONValue], usage: JSONValue?, prompt: [TokenID]? = nil
    ) -> JSONValue {
        .fields([
            "id": .string(id),
            "object": .string(isChat ? "chat.completion.chunk" : "text_completion"),
            "created": .count(created), "model": .string(service.modelName),
            "choices": .array(choices), "usage": usage,
            "prompt_token_ids": isChat ? prompt.map { .tokens($0) } : nil,
        ])
    }

    /// A choice of a chunk.
    func choice(
        _ index: Int, delta: JSONValue, logprobs: JSONValue, finishReason: String?,
        tokens: ChoiceTokens = ChoiceTokens()
    ) -> JSONValue {
        let reason: JSONValue = finishReason.map { .string($0) } ?? .null
        return isChat
            ? .fields([
                "index": .count(index), "delta": delta, "logprobs": logprobs,
                "finish_reason": reason, "token_ids": tokens.answer.map { .tokens($0) },
            ])
            : .fields([
                "index": .count(index), "text": delta["content"] ?? .string(""),
                "logprobs": logprobs, "finish_reason": reason,
                "token_ids": tokens.answer.map { .tokens($0) },
                "prompt_token_ids": tokens.prompt.map { .tokens($0) },
            ])
    }

    /// A choice of a whole answer.
    func choice(
        _ index: Int, message: GatheredAnswer, logprobs: JSONValue, finishReason: String,
        tokens: ChoiceTokens
    ) -> JSONValue {
        isChat
            ? .fields([
                "index": .count(index), "message": message.json, "logprobs": logprobs,
                "finish_reason": .string(finishReason),
                "token_ids": tokens.answer.map { .tokens($0) },
            ])
            : .fields([
                "index": .count(index), "text": .string(message.content), "logprobs": logprobs,
                "finish_reason": .string(finishReason),
                "token_ids": tokens.answer.map { .tokens($0) },
                "prompt_token_ids": tokens.prompt.map { .tokens($0) },
            ])
    }

    /// The log-probabilities of tokens; `null` where they carry none.
    ///
    /// - Parameters:
    ///   - echo: a prompt that stands before them.
    ///   - textOffset: where the first token's text begins in the answer.
    func logprobs(
        _ tokens: [SampledToken], after echo: EchoReader? = nil, textOffset: Int
    ) -> JSONValue {
        guard echo?.isScored == true || tokens.contains(where: { $0.logprob != nil }) else {
            return .null
        }
        guard isChat else {
            var lists = PlainLogprobs(service, textOffset: textOffset)
            if let echo { lists.add(echo) }
            for token in tokens { lists.add(token) }
            return lists.json
        }
        let content = tokens.map { token in
            var members = entry(token.token, token.logprob ?? 0)
            members.append(
                .init(
                    "top_logprobs",
                    .array(token.topLogprobs.map { .object(entry($0.token, $0.logprob)) })))
            return JSONValue.object(members)
        }
        return .fields(["content": .array(content), "refusal": .null])
    }

    private func entry(_ token: TokenID, _ logprob: Float) -> [JSONValue.Member] {
        [
            .init("token", .string(name(of: token))), .init("logprob", .logprob(logprob)),
            .init("bytes", .array(service.bytes(of: token).map { .count($0) })),
        ]
    }

    private func name(of token: TokenID) -> String {
        service.text == nil ? "token_id:\(token)" : service.text(of: token)
    }
}

/// The numbers of a choice's tokens, where they are wanted; the names are vLLM's.
struct ChoiceTokens: Sendable {
    /// The prompt's, beside the first piece of an answer.
    var prompt: [TokenID]?
    /// Those drawn since the last piece, the one that ended the answer included.
    var answer: [TokenID]?
}

/// What a request has cost.
struct Usage: Sendable {
    var promptTokenCount: Int
    /// Prompt tokens that were not run, since their rows were known; a prompt with several answers
    /// counts once, as its first answer found it.
    var cachedTokenCount = 0
    var completionTokenCount = 0
    var reasoningTokenCount = 0
    /// Tokens that were guessed ahead; `nil` where none were, or some answers do not tell.
    var drafts: DraftCounts?

    init(_ call: CompletionCall, readers: [ChoiceReader]) {
        promptTokenCount = call.promptTokenCount
        for choice in stride(from: 0, to: readers.count, by: call.choiceCount) {
            cachedTokenCount += readers[choice].cachedTokenCount
        }
        for reader in readers {
            completionTokenCount += reader.tokenCount
            reasoningTokenCount += reader.reasoningTokenCount
        }
        let counts = readers.compactMap(\.drafts)
        if counts.count == readers.count { drafts = DraftCounts(sumOf: counts) }
    }

    /// OpenAI's form.
    var json: JSONValue {
        .fields([
            "prompt_tokens": .count(promptTokenCount),
            "completion_tokens": .count(completionTokenCount),
            "total_tokens": .count(promptTokenCount + completionTokenCount),
            "prompt_tokens_details": .fields(["cached_tokens": .count(cachedTokenCount)]),
            "completion_tokens_details": .fields([
                "reasoning_tokens": .count(reasoningTokenCount),
                "accepted_prediction_tokens": drafts.map { .count($0.acceptedCount) },
                "rejected_prediction_tokens": drafts.map { .count($0.rejectedCount) },
            ]),
        ])
    }
}

/// The pieces of one answer, put together.
struct GatheredAnswer: Sendable {
    /// What is answered; `nil` where the answer is no message.
    private let conversation: CompletionCall.Conversation?
    private(set) var content = ""
    private var reasoning = ""
    private var calls: [(id: String, name: String, arguments: String)] = []

    /// An answer without any piece.
    init(to conversation: CompletionCall.Conversation?) { self.conversation = conversation }

    /// Takes the next pieces.
    mutating func take(_ pieces: [AnswerPiece]) {
        for piece in pieces {
            switch piece {
            case .content(let text): content += text
            case .reasoning(let text): reasoning += text
            case .callBegin(let index, let name):
                calls.append((conversation.callID(of: name, index), name, ""))
            case .callArguments(let index, let text): calls[index].arguments += text
            case .callEnd: break
            }
        }
    }

    /// OpenAI's message.
    var json: JSONValue {
        let calls = calls.map { call in
            JSONValue.fields([
                "id": .string(call.id), "type": .string("function"),
                "function": .fields([
                    "name": .string(call.name), "arguments": .string(call.arguments),
                ]),
            ])
        }
        let isSilent = content.isEmpty && !calls.isEmpty
        return .fields([
            "role": .string("assistant"), "content": isSilent ? .null : .string(content),
            "reasoning_content": reasoning.isEmpty ? nil : .string(reasoning),
            "tool_calls": calls.isEmpty ? nil : .array(calls),
        ])
    }
}

extension CompletionCall.Conversation? {
    /// The id of the answer's call: in the model's own count of calls where it has one.
    fileprivate func callID(of name: String, _ index: Int) -> String {
        flatMap { $0.format.callID(of: name, number: $0.prompt.callCount + index) }
            ?? RandomName.text("call_")
    }
}

extension AnswerPiece {
    /// OpenAI's delta; the end of a call has none.
    func delta(answering conversation: CompletionCall.Conversation?) -> JSONValue? {
        switch self {
        case .content(let text): .fields(["content": .string(text)])
        case .reasoning(let text): .fields(["reasoning_content": .string(text)])
        case .callBegin(let index, let name):
            .fields([
                "tool_calls": .array([
                    .fields([
                        "index": .count(index), "id": .string(conversation.callID(of: name, index)),
                        "type": .string("function"),
                        "function": .fields(["name": .string(name), "arguments": .string("")]),
                    ])
                ])
            ])
        case .callArguments(let index, let text):
            .fields([
                "tool_calls": .array([
                    .fields([
                        "index": .count(index), "function": .fields(["arguments": .string(text)]),
                    ])
                ])
            ])
        case .callEnd: nil
        }
    }
}

/// Names that nobody can guess.
enum RandomName {
    /// A prefix and 96 random bits.
    static func text(_ prefix: String) -> String {
        let high = String(UInt64.random(in: 0...(.max)), radix: 16)
        let low = String(UInt32.random(in: 0...(.max)), radix: 16)
        return prefix + String(repeating: "0", count: 16 - high.count) + high
            + String(repeating: "0", count: 8 - low.count) + low
    }
}
