public import SkeinCore

/// How a family of models wants a conversation written.
///
/// A renderer writes the begin token itself, exactly once, so that the prompt is encoded as it
/// stands. What users, tools and clients wrote is quoted, never mixed into the format's own text.
public enum ChatFormat: String, CaseIterable, Sendable {
    /// DeepSeek-V2, V2-Lite-Chat: `User: …`, `Assistant: …`.
    case deepSeekV2 = "deepseek-v2"

    /// DeepSeek-V3 (December 2024) and V3-0324.
    case deepSeekV3 = "deepseek-v3"

    /// DeepSeek-R1, whose prompt opens the thinking.
    case deepSeekR1 = "deepseek-r1"

    /// DeepSeek-R1-0528, which opens its thinking itself.
    case deepSeekR1May = "deepseek-r1-0528"

    /// DeepSeek-V3.1, V3.1-Terminus and V3.2-Exp, thinking or not.
    case deepSeekV31 = "deepseek-v3.1"

    /// DeepSeek-V3.2, whose tools speak DSML.
    case deepSeekV32 = "deepseek-v3.2"

    /// Kimi-K2 and Moonlight.
    case kimiK2 = "kimi-k2"

    /// Kimi-K2-Thinking, which opens its thinking itself.
    case kimiK2Thinking = "kimi-k2-thinking"

    /// Kimi-K2.5 and K2.6, thinking or not.
    case kimiK25 = "kimi-k2.5"

    /// GLM-4.7-Flash.
    case glm47Flash = "glm-4.7-flash"

    /// GLM-5 and GLM-5.1.
    case glm5 = "glm-5"

    /// GLM-5.2, which is told how much to think.
    case glm52 = "glm-5.2"

    /// Mistral Large 3.
    case mistralLarge3 = "mistral-large-3"

    /// Writes a conversation.
    ///
    /// - Parameters:
    ///   - messages: At least one.
    ///   - tools: What the model may call.
    public func prompt(
        _ messages: [ChatMessage], tools: [ChatTool] = [], options: ChatOptions = .init()
    ) throws(Refusal) -> ChatPrompt {
        guard let last = messages.last else {
            throw Refusal("messages", "found none, expected one")
        }
        if options.continuesFinalMessage {
            let isAnswer = last.role == .assistant && last.toolCalls.isEmpty
            guard isAnswer else {
                throw Refusal(
                    "messages[\(messages.count - 1)]",
                    "is no assistant's message without tool calls, which alone can be continued")
            }
        }
        var prompt = ChatPrompt(self)
        prompt.callCount = messages.reduce(0) { $0 + $1.toolCalls.count }
        let chat = ChatScript(
            messages: Self.resultsInCallOrder(messages), tools: tools, options: options)
        switch self {
        case .deepSeekV2: try chat.writeV2(to: &prompt)
        case .deepSeekV3, .deepSeekR1, .deepSeekR1May: chat.writeV3(self, to: &prompt)
        case .deepSeekV31: chat.writeV31(to: &prompt)
        case .deepSeekV32: chat.writeV32(to: &prompt)
        case .kimiK2: chat.writeKimi(.k2, to: &prompt)
        case .kimiK2Thinking: chat.writeKimi(.k2Thinking, to: &prompt)
        case .kimiK25: chat.writeKimi(.k25, to: &prompt)
        case .glm47Flash, .glm5: chat.writeGLM(.glm47, to: &prompt)
        case .glm52: chat.writeGLM(.glm52, to: &prompt)
        case .mistralLarge3: chat.writeMistral(to: &prompt)
        }
        return prompt
    }
}

extension ChatFormat {
    /// The messages with each group of results in the order of the calls that they answer; results
    /// of unknown calls come last.
    ///
    /// The formats have no place for the ids of calls, so that the model takes the first result for
    /// the first call's.
    private static func resultsInCallOrder(_ messages: [ChatMessage]) -> [ChatMessage] {
        var ordered = messages
        /// The places of the calls of each id, and how many of them have a result.
        var calls: [String: (places: [Int], answeredCount: Int)] = [:]
        var callCount = 0
        var results: [(place: Int, message: ChatMessage)] = []
        func settle(upTo end: Int) {
            guard !results.isEmpty else { return }
            let sorted = results.enumerated().sorted {
                ($0.element.place, $0.offset) < ($1.element.place, $1.offset)
            }
            let messages = sorted.map(\.element.message)
            ordered.replaceSubrange((end - messages.count)..<end, with: messages)
            results = []
        }
        for (index, message) in messages.enumerated() {
            guard message.role == .tool else {
                settle(upTo: index)
                if message.role == .assistant {
                    calls = [:]
                    callCount = message.toolCalls.count
                    for (place, call) in message.toolCalls.enumerated() {
                        calls[call.id, default: ([], 0)].places.append(place)
                    }
                }
                continue
            }
            var place = callCount
            if let id = message.toolCallID, let known = calls[id] {
                place = known.places[min(known.answeredCount, known.places.count - 1)]
                calls[id]?.answeredCount += 1
            }
            results.append((place, message))
        }
        settle(upTo: messages.count)
        return ordered
    }
}

/// A conversation on its way into a prompt.
struct ChatScript {
    let messages: [ChatMessage]
    let tools: [ChatTool]
    let options: ChatOptions

    /// Who spoke before a message.
    func speaker(before index: Int) -> ChatMessage.Role? {
        index > 0 ? messages[index - 1].role : nil
    }

    /// Whether the model is to go on with an assistant's message: it is the last, and asked for.
    func isContinued(_ message: ChatMessage, isLast: Bool) -> Bool {
        options.continuesFinalMessage && isLast && message.role == .assistant
    }

    /// Writes the message that the model is to go on with, and ends the prompt there: inside the
    /// thinking where the message has thinking and no answer.
    ///
    /// - Parameters:
    ///   - opening: What opens the thinking.
    ///   - closing: What stands before an answer without thinking.
    ///   - stripsReasoning: Whether white space around finished thinking is left out.
    ///   - stripsAnswer: Whether white space before the answer is left out.
    func writeContinued(
        _ message: ChatMessage, opening: String, closing: String, stripsReasoning: Bool = false,
        stripsAnswer: Bool = false, to prompt: inout ChatPrompt
    ) {
        var (reasoning, answer) = message.thoughtAndAnswer
        if reasoning.isEmpty, let open = answer.after(first: ChatMark.think),
            answer.stripped.hasPrefix(ChatMark.think)
        {
            (reasoning, answer) = (open, "")
        } else if message.isPrefix, options.isThinking, reasoning.isEmpty {
            (reasoning, answer) = (answer, "")
        }
        prompt.write(reasoning.isEmpty ? closing : opening)
        let isThought = !reasoning.isEmpty && !answer.isEmpty
        prompt.quote(isThought && stripsReasoning ? reasoning.stripped : reasoning)
        if isThought { prompt.write(ChatMark.thinkEnd) }
        prompt.quote(stripsAnswer ? answer.strippedAtStart : answer)
        prompt.close()
    }

    /// The texts of all rules, to be joined by an empty line.
    var rules: [String] { messages.filter { $0.isRule }.map(\.content) }

    /// Writes the rules; returns whether any text was written.
    func writeRules(to prompt: inout ChatPrompt) -> Bool {
        for (index, rule) in rules.enumerated() {
            if index > 0 { prompt.write("\n\n") }
            prompt.quote(rule)
        }
        return rules.count > 1 || rules.first?.isEmpty == false
    }
}

extension ChatMessage {
    /// Whether the message lays down rules.
    var isRule: Bool { role == .system || role == .developer }
}
