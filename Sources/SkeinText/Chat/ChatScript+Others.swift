import SkeinCore

extension ChatScript {
    /// Kimi-K2: every turn is framed by marks; calls are counted through the conversation.
    func writeKimi(to prompt: inout ChatPrompt) {
        if !tools.isEmpty {
            prompt.write("<|im_system|>tool_declare<|im_middle|>")
            prompt.quote(JSONValue.array(tools.map(\.definition)).pythonText)
            prompt.write("<|im_end|>")
        }
        if messages.first?.isRule != true {
            prompt.write("<|im_system|>system<|im_middle|>")
            prompt.write("You are Kimi, an AI assistant created by Moonshot AI.<|im_end|>\n")
        }
        var callCount = 0
        var pending: [(id: String, name: String)] = []
        for (index, message) in messages.enumerated() {
            switch message.role {
            case .system, .developer: prompt.write("<|im_system|>system<|im_middle|>")
            case .user: prompt.write("<|im_user|>user<|im_middle|>")
            case .assistant: prompt.write("<|im_assistant|>assistant<|im_middle|>")
            case .tool:
                prompt.write("<|im_system|>tool<|im_middle|>## Return of ")
                // A result belongs to the call it names, and else to the next one without result.
                let named = pending.firstIndex { $0.id == message.toolCallID }
                let place = named ?? pending.indices.first
                prompt.quote(place.map { pending.remove(at: $0).name } ?? message.toolCallID ?? "")
                prompt.write("\n")
            }
            prompt.quote(message.content)
            if isContinued(message, isLast: index + 1 == messages.count) { prompt.close() }
            if !message.toolCalls.isEmpty {
                pending = []
                prompt.write("<|tool_calls_section_begin|>")
                for call in message.toolCalls {
                    let name = "functions.\(call.name):\(callCount)"
                    callCount += 1
                    pending.append((call.id, name))
                    prompt.write("<|tool_call_begin|>")
                    prompt.quote(name)
                    prompt.write("<|tool_call_argument_begin|>")
                    prompt.quote(call.arguments)
                    prompt.write("<|tool_call_end|>")
                }
                prompt.write("<|tool_calls_section_end|>")
            }
            prompt.write("<|im_end|>")
        }
        if options.addsGenerationPrompt { prompt.write("<|im_assistant|>assistant<|im_middle|>") }
    }

    /// GLM-4.7-Flash: reasoning is kept since the last question; calls are keys and values.
    func writeGLM(to prompt: inout ChatPrompt) {
        prompt.write("[gMASK]<sop>")
        writeGLMTools(to: &prompt)
        let last = messages.lastIndex { $0.role == .user } ?? -1
        for (index, message) in messages.enumerated() {
            switch message.role {
            case .system, .developer:
                prompt.write("<|system|>")
                prompt.quote(message.content)
            case .user:
                prompt.write("<|user|>")
                prompt.quote(message.content)
            case .assistant:
                prompt.write("<|assistant|>")
                if isContinued(message, isLast: index + 1 == messages.count) {
                    writeContinued(
                        message, opening: ChatMark.think, closing: ChatMark.thinkEnd, to: &prompt)
                }
                writeGLMAnswer(message, isNew: index > last, to: &prompt)
            case .tool:
                if speaker(before: index) != .tool { prompt.write("<|observation|>") }
                prompt.write("<tool_response>")
                prompt.quote(message.content)
                prompt.write("</tool_response>")
            }
        }
        guard options.addsGenerationPrompt else { return }
        prompt.write("<|assistant|>")
        prompt.write(options.isThinking ? ChatMark.think : ChatMark.thinkEnd)
    }

    private func writeGLMAnswer(_ message: ChatMessage, isNew: Bool, to prompt: inout ChatPrompt) {
        let (reasoning, answer) = message.thoughtAndAnswer
        if isNew, !reasoning.isEmpty {
            prompt.write(ChatMark.think)
            prompt.quote(reasoning.stripped)
        }
        prompt.write(ChatMark.thinkEnd)
        prompt.quote(answer.stripped)
        for call in message.toolCalls {
            prompt.write("<tool_call>")
            prompt.quote(call.name)
            for member in call.parameters {
                prompt.write("<arg_key>")
                prompt.quote(member.name)
                prompt.write("</arg_key><arg_value>")
                prompt.quote(member.value.string ?? member.value.pythonText)
                prompt.write("</arg_value>")
            }
            prompt.write("</tool_call>")
        }
    }

    private func writeGLMTools(to prompt: inout ChatPrompt) {
        guard !tools.isEmpty else { return }
        prompt.write(
            """
            <|system|>
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

            For each function call, output the function name and arguments within the following \
            XML format:
            <tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}\
            </arg_value><arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...\
            </tool_call>
            """)
    }
}
