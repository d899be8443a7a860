import SkeinCore

extension ChatScript {
    /// Plain words for the speakers; no tools and no thinking.
    func writeV2(to prompt: inout ChatPrompt) throws(Refusal) {
        guard tools.isEmpty else {
            throw Refusal("tools", "the chat format deepseek-v2 has no tools")
        }
        prompt.write(ChatMark.begin)
        for (index, message) in messages.enumerated() {
            guard message.role != .tool, message.toolCalls.isEmpty else {
                throw Refusal("messages[\(index)]", "the chat format deepseek-v2 has no tools")
            }
            switch message.role {
            case .user: prompt.write("User: ")
            case .assistant: prompt.write("Assistant: ")
            case .system, .developer, .tool: break
            }
            prompt.quote(message.content)
            if isContinued(message, isLast: index + 1 == messages.count) { prompt.close() }
            prompt.write(message.role == .assistant ? ChatMark.end : "\n\n")
        }
        if options.addsGenerationPrompt { prompt.write("Assistant:") }
    }

    /// DeepSeek-V3 and the two R1.
    func writeV3(_ format: ChatFormat, to prompt: inout ChatPrompt) {
        prompt.write(ChatMark.begin)
        let hasRules = writeRules(to: &prompt)
        writeV3Tools(isFirst: !hasRules, to: &prompt)
        let spoken = messages.filter { !$0.isRule }
        for (index, message) in spoken.enumerated() {
            let followsTool = index > 0 && spoken[index - 1].role == .tool
            switch message.role {
            case .tool:
                prompt.write(followsTool ? "\n" : ChatMark.outputsBegin)
                prompt.write(ChatMark.outputBegin)
                prompt.quote(message.content)
                prompt.write(ChatMark.outputEnd)
            case .assistant:
                // After tool results the answer goes on without a new speaker.
                prompt.write(followsTool ? ChatMark.outputsEnd : ChatMark.assistant)
                let thinks = format.traits.thinking != .never
                let isContinued = isContinued(message, isLast: index + 1 == spoken.count)
                if isContinued, thinks {
                    writeContinued(
                        message, opening: ChatMark.think + "\n", closing: "", to: &prompt)
                }
                let answer = thinks ? message.content.after(last: ChatMark.thinkEnd) : nil
                prompt.quote(answer ?? message.content)
                if isContinued { prompt.close() }
                writeV3Calls(message.toolCalls, to: &prompt)
                prompt.write(ChatMark.end)
            case .user, .system, .developer:
                // The template leaves results open that somebody asks something after.
                prompt.write(ChatMark.user)
                prompt.quote(message.content)
            }
        }
        if spoken.last?.role == .tool { return prompt.write(ChatMark.outputsEnd) }
        // The template of R1-0528 brings the answer's opening with every user's message.
        let isOpen = format == .deepSeekR1May && spoken.last?.role == .user
        guard options.addsGenerationPrompt || isOpen else { return }
        prompt.write(ChatMark.assistant)
        if format == .deepSeekR1 { prompt.write(ChatMark.think + "\n") }
    }

    private func writeV3Calls(_ calls: [ChatToolCall], to prompt: inout ChatPrompt) {
        guard !calls.isEmpty else { return }
        prompt.write(ChatMark.callsBegin)
        for (index, call) in calls.enumerated() {
            if index > 0 { prompt.write("\n") }
            prompt.write(ChatMark.callBegin + "function" + ChatMark.separator)
            prompt.quote(call.name)
            prompt.write("\n```json\n")
            prompt.quote(call.arguments)
            prompt.write("\n```" + ChatMark.callEnd)
        }
        prompt.write(ChatMark.callsEnd)
    }

    /// The published format does not say how tools are offered; this is what servers add to it.
    private func writeV3Tools(isFirst: Bool, to prompt: inout ChatPrompt) {
        guard !tools.isEmpty else { return }
        if !isFirst { prompt.write("\n\n") }
        prompt.write(
            """
            # Tools

            You may call one or more functions to assist with the user query.

            You are provided with function signatures within <tools></tools> XML tags:
            <tools>

            """)
        for tool in tools {
            prompt.quote(tool.definition.pythonText)
            prompt.write("\n")
        }
        prompt.write(
            """
            </tools>

            For function call returns, you should first print \(ChatMark.callsBegin)
            For each function call, you should return object like:
            \(ChatMark.callBegin)function\(ChatMark.separator)<function_name>
            ```json
            <function_arguments_in_json_format>
            ```\(ChatMark.callEnd)
            At the end of function call returns, you should print \
            \(ChatMark.callsEnd)\(ChatMark.end)
            """)
    }

    /// DeepSeek-V3.1: every past answer to a question begins with a lone `</think>`; what the model
    /// says after results or after itself goes on.
    func writeV31(to prompt: inout ChatPrompt) {
        prompt.write(ChatMark.begin)
        let hasRules = writeRules(to: &prompt)
        writeV31Tools(isFirst: !hasRules, to: &prompt)
        let spoken = messages.filter { !$0.isRule }
        for (index, message) in spoken.enumerated() {
            switch message.role {
            case .tool:
                prompt.write(ChatMark.outputBegin)
                prompt.quote(message.content)
                prompt.write(ChatMark.outputEnd)
            case .assistant:
                let before = index > 0 ? spoken[index - 1].role : nil
                if before == .user { prompt.write(ChatMark.assistant) }
                let closing = before == .user ? ChatMark.thinkEnd : ""
                if isContinued(message, isLast: index + 1 == spoken.count) {
                    writeContinued(
                        message, opening: ChatMark.think, closing: closing, to: &prompt)
                }
                prompt.write(closing)
                // Only an answer that follows no results can have its thinking in one text with it.
                let isWhole = before != .tool && message.toolCalls.isEmpty
                let answer = isWhole ? message.content.after(first: ChatMark.thinkEnd) : nil
                prompt.quote(answer ?? message.content)
                writeV31Calls(message.toolCalls, to: &prompt)
                prompt.write(ChatMark.end)
            case .user, .system, .developer:
                prompt.write(ChatMark.user)
                prompt.quote(message.content)
            }
        }
        // After a tool result the model goes on by itself.
        guard options.addsGenerationPrompt, spoken.last?.role == .user else { return }
        prompt.write(ChatMark.assistant)
        prompt.write(options.isThinking ? ChatMark.think : ChatMark.thinkEnd)
    }

    private func writeV31Calls(_ calls: [ChatToolCall], to prompt: inout ChatPrompt) {
        guard !calls.isEmpty else { return }
        prompt.write(ChatMark.callsBegin)
        for call in calls {
            prompt.write(ChatMark.callBegin)
            prompt.quote(call.name)
            prompt.write(ChatMark.separator)
            prompt.quote(call.arguments)
            prompt.write(ChatMark.callEnd)
        }
        prompt.write(ChatMark.callsEnd)
    }

    private func writeV31Tools(isFirst: Bool, to prompt: inout ChatPrompt) {
        guard !tools.isEmpty else { return }
        if !isFirst { prompt.write("\n\n") }
        prompt.write("## Tools\nYou have access to the following tools:\n")
        for tool in tools {
            prompt.write("\n### ")
            prompt.quote(tool.name)
            prompt.write("\nDescription: ")
            prompt.quote(tool.summary)
            prompt.write("\n\nParameters: ")
            prompt.quote(tool.parameters.pythonText)
            prompt.write("\n")
        }
        let calls = ChatMark.callsBegin + ChatMark.callBegin + "tool_call_name"
        prompt.write(
            """

            IMPORTANT: ALWAYS adhere to this exact format for tool use:
            \(calls)\(ChatMark.separator)tool_call_arguments\(ChatMark.callEnd)\
            {{additional_tool_calls}}\(ChatMark.callsEnd)

            Where:
            - `tool_call_name` must be an exact match to one of the available tools
            - `tool_call_arguments` must be valid JSON that strictly follows the tool's \
            Parameters Schema
            - For multiple tool calls, chain them directly without separators or spaces
            """)
    }
}
