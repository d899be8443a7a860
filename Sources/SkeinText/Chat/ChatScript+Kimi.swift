import SkeinCore

extension ChatScript {
    /// What tells the formats of the Kimi family apart.
    struct KimiStyle {
        /// The first turn where the first message lays down no rules.
        var usualRules: String?

        /// Whether calls are numbered through the conversation, whatever ids they have.
        var renumbersCalls = false

        /// Whether an answer begins with its thinking, be it empty.
        var hasThinking = true

        /// How tools are told.
        var tools: @Sendable ([ChatTool]) -> String

        static let k2 = KimiStyle(
            usualRules: rules + "\n", renumbersCalls: true, hasThinking: false
        ) { JSONValue.array($0.map(\.definition)).pythonText }
        static let k2Thinking = KimiStyle(usualRules: rules) {
            JSONValue.array($0.map(\.definition)).line
        }
        static let k25 = KimiStyle { tools in
            TypeScriptTools.text(of: tools)
                ?? JSONValue.array(tools.map(\.definition.sortedByName)).line
        }

        private static let rules =
            "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI."
            + "<|im_end|>"
    }

    /// Kimi: every turn is framed by marks; calls have ids that count them.
    func writeKimi(_ style: KimiStyle, to prompt: inout ChatPrompt) {
        if !tools.isEmpty {
            prompt.write("<|im_system|>tool_declare<|im_middle|>")
            prompt.quote(style.tools(tools))
            prompt.write("<|im_end|>")
        }
        if messages.first?.isRule != true { prompt.write(style.usualRules ?? "") }
        // Thinking is kept in the calls since the last answer that was none.
        let thinks = prompt.format.thinking.isCertain || options.isThinking
        let answered = messages.lastIndex { $0.role == .assistant && $0.toolCalls.isEmpty } ?? -1
        var calls = KimiCalls(renumbers: style.renumbersCalls)
        for (index, message) in messages.enumerated() {
            writeKimiHead(of: message, &calls, to: &prompt)
            let isContinued = isContinued(message, isLast: index + 1 == messages.count)
            if style.hasThinking, message.role == .assistant {
                if isContinued {
                    writeContinued(
                        message, opening: ChatMark.think,
                        closing: ChatMark.think + ChatMark.thinkEnd, to: &prompt)
                }
                prompt.write(ChatMark.think)
                if thinks && index > answered || options.keepsReasoning {
                    prompt.quote(message.reasoning ?? "")
                }
                prompt.write(ChatMark.thinkEnd)
            }
            prompt.quote(message.content)
            if isContinued { prompt.close() }
            writeKimiCalls(message.toolCalls, &calls, to: &prompt)
            prompt.write("<|im_end|>")
        }
        guard options.addsGenerationPrompt else { return }
        prompt.write("<|im_assistant|>assistant<|im_middle|>")
        guard prompt.format.traits.thinking == .byRequest else { return }
        prompt.write(ChatMark.think + (options.isThinking ? "" : ChatMark.thinkEnd))
    }

    private func writeKimiHead(
        of message: ChatMessage, _ calls: inout KimiCalls, to prompt: inout ChatPrompt
    ) {
        let (mark, role) =
            switch message.role {
            case .system, .developer: ("<|im_system|>", "system")
            case .user: ("<|im_user|>", "user")
            case .assistant: ("<|im_assistant|>", "assistant")
            case .tool: ("<|im_system|>", "tool")
            }
        prompt.write(mark)
        if let name = message.name, !name.isEmpty {
            prompt.quote(name)
        } else {
            prompt.write(role)
        }
        prompt.write("<|im_middle|>")
        guard message.role == .tool else { return }
        prompt.write("## Return of ")
        prompt.quote(calls.answered(by: message))
        prompt.write("\n")
    }

    private func writeKimiCalls(
        _ made: [ChatToolCall], _ calls: inout KimiCalls, to prompt: inout ChatPrompt
    ) {
        guard !made.isEmpty else { return }
        calls.pending = []
        prompt.write("<|tool_calls_section_begin|>")
        for call in made {
            prompt.write("<|tool_call_begin|>")
            prompt.quote(calls.name(of: call))
            prompt.write("<|tool_call_argument_begin|>")
            prompt.quote(call.arguments)
            prompt.write("<|tool_call_end|>")
        }
        prompt.write("<|tool_calls_section_end|>")
    }
}

/// The ids of calls through a conversation.
private struct KimiCalls {
    let renumbers: Bool
    private var callCount = 0

    /// Calls without a result: the ids they came with, and those they are written with.
    var pending: [(id: String, name: String)] = []

    init(renumbers: Bool) { self.renumbers = renumbers }

    /// The id with which a call is written.
    mutating func name(of call: ChatToolCall) -> String {
        let isOwn = renumbers || call.id.isEmpty
        let name = isOwn ? "functions.\(call.name):\(callCount)" : call.id
        callCount += 1
        pending.append((call.id, name))
        return name
    }

    /// The id of the call that a result answers: the one it names, and else the next one that has
    /// no result.
    mutating func answered(by result: ChatMessage) -> String {
        let named = pending.firstIndex { $0.id == result.toolCallID }
        let place = named ?? (renumbers || result.toolCallID == nil ? pending.indices.first : nil)
        return place.map { pending.remove(at: $0).name } ?? result.toolCallID ?? ""
    }
}
