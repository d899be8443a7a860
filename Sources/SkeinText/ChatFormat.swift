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

    /// GLM-4.7-Flash.
    case glm47Flash = "glm-4.7-flash"

    /// Writes a conversation.
    ///
    /// - Parameters:
    ///   - messages: At least one.
    ///   - tools: What the model may call.
    public func prompt(
        _ messages: [ChatMessage], tools: [ChatTool] = [], options: ChatOptions = .init()
    ) throws(Refusal) -> ChatPrompt {
        guard !messages.isEmpty else { throw Refusal("messages", "found none, expected one") }
        var prompt = ChatPrompt()
        let chat = ChatScript(messages: messages, tools: tools, options: options)
        switch self {
        case .deepSeekV2: try chat.writeV2(to: &prompt)
        case .deepSeekV3, .deepSeekR1, .deepSeekR1May: chat.writeV3(self, to: &prompt)
        case .deepSeekV31: chat.writeV31(to: &prompt)
        case .deepSeekV32: chat.writeV32(to: &prompt)
        case .kimiK2: chat.writeKimi(to: &prompt)
        case .glm47Flash: chat.writeGLM(to: &prompt)
        }
        return prompt
    }

    /// The control marks without which a tokenizer cannot serve this format.
    var neededMarks: [String] {
        switch self {
        case .deepSeekV2: [ChatMark.begin, ChatMark.end]
        case .deepSeekV3: [ChatMark.begin, ChatMark.end, ChatMark.user, ChatMark.assistant]
        case .deepSeekR1, .deepSeekR1May, .deepSeekV31, .deepSeekV32:
            [
                ChatMark.begin, ChatMark.end, ChatMark.user, ChatMark.assistant, ChatMark.think,
                ChatMark.thinkEnd,
            ]
        case .kimiK2: ["<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_end|>"]
        case .glm47Flash: ["[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"]
        }
    }

    /// The control marks with which a turn of the model ends.
    var endMarks: [String] {
        switch self {
        case .deepSeekV2, .deepSeekV3, .deepSeekR1, .deepSeekR1May, .deepSeekV31, .deepSeekV32:
            [ChatMark.end]
        case .kimiK2: ["<|im_end|>"]
        case .glm47Flash: ["<|endoftext|>", "<|user|>", "<|observation|>"]
        }
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
