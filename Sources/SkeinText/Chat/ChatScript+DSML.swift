import SkeinCore

extension ChatScript {
    /// DeepSeek-V3.2: the speaker and the thinking belong to the user's message; tools speak DSML.
    func writeV32(to prompt: inout ChatPrompt) {
        prompt.write(ChatMark.begin)
        let last = messages.lastIndex { $0.role == .user || $0.role == .developer } ?? -1
        var toolsWait = !tools.isEmpty
        if toolsWait, !messages.contains(where: { $0.role == .system }) {
            writeDSMLTools(to: &prompt)
            toolsWait = false
        }
        for (index, message) in messages.enumerated() {
            // Thinking is opened for what is new: the last question and what came after it.
            var opening = options.isThinking && index >= last ? ChatMark.think : ChatMark.thinkEnd
            let endsHere = index + 1 == messages.count && !options.addsGenerationPrompt
            if endsHere { opening = "" }
            switch message.role {
            case .system:
                prompt.quote(message.content)
                if toolsWait { writeDSMLTools(to: &prompt) }
                toolsWait = false
            case .user, .developer:
                prompt.write(ChatMark.user)
                if message.role == .developer { prompt.write("\n\n# The user's message is: ") }
                prompt.quote(message.content)
                prompt.write(endsHere ? "" : ChatMark.assistant + opening)
            case .assistant:
                writeDSMLAnswer(message, at: index, isNew: index > last, to: &prompt)
            case .tool:
                if speaker(before: index) != .tool { prompt.write("\n\n<function_results>") }
                prompt.write("\n<result>")
                prompt.quote(message.content)
                prompt.write("</result>")
                let isLast = index + 1 == messages.count || messages[index + 1].role != .tool
                if isLast { prompt.write("\n</function_results>\n\n" + opening) }
            }
        }
    }

    private func writeDSMLAnswer(
        _ message: ChatMessage, at index: Int, isNew: Bool, to prompt: inout ChatPrompt
    ) {
        // The reference takes thinking only from where it is kept apart.
        let (reasoning, answer) = (message.reasoning ?? "", message.content)
        let isContinued = isContinued(message, isLast: index + 1 == messages.count)
        if isNew, options.isThinking {
            prompt.quote(reasoning)
            if isContinued, answer.isEmpty { prompt.close() }
            prompt.write(ChatMark.thinkEnd)
        }
        prompt.quote(answer)
        if isContinued { prompt.close() }
        writeDSMLCalls(message.toolCalls, to: &prompt)
        prompt.write(ChatMark.end)
    }

    private func writeDSMLCalls(_ calls: [ChatToolCall], to prompt: inout ChatPrompt) {
        guard !calls.isEmpty else { return }
        let dsml = ChatMark.dsml
        prompt.write("\n\n<\(dsml)function_calls>\n")
        for call in calls {
            prompt.write("<\(dsml)invoke name=\"")
            prompt.quote(call.name)
            prompt.write("\">\n")
            // The reference joins lines, of which those of no parameters are an empty one.
            if call.parameters.isEmpty { prompt.write("\n") }
            for member in call.parameters {
                prompt.write("<\(dsml)parameter name=\"")
                prompt.quote(member.name)
                let text = member.value.string
                prompt.write("\" string=\"\(text != nil)\">")
                prompt.quote(text ?? member.value.pythonText)
                prompt.write("</\(dsml)parameter>\n")
            }
            prompt.write("</\(dsml)invoke>\n")
        }
        prompt.write("</\(dsml)function_calls>")
    }

    private func writeDSMLTools(to prompt: inout ChatPrompt) {
        let dsml = ChatMark.dsml
        prompt.write(
            """


            ## Tools
            You have access to a set of tools you can use to answer the user's question.
            You can invoke functions by writing a "<\(dsml)function_calls>" block like the \
            following as part of your reply to the user:
            <\(dsml)function_calls>
            <\(dsml)invoke name="$FUNCTION_NAME">
            <\(dsml)parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE\
            </\(dsml)parameter>
            ...
            </\(dsml)invoke>
            <\(dsml)invoke name="$FUNCTION_NAME2">
            ...
            </\(dsml)invoke>
            </\(dsml)function_calls>
            String and scalar parameters should be specified as is without any escaping or \
            quotes, while lists and objects should use JSON format. The "string" attribute should \
            be set to "true" for string type parameters and "false" for other types (numbers, \
            booleans, arrays, objects).
            If the thinking_mode is enabled, then after function results you should strongly \
            consider outputting a thinking block. Here is an example:
            <\(dsml)function_calls>
            ...
            </\(dsml)function_calls>
            <function_results>
            ...
            </function_results>
            \(ChatMark.think)...thinking about results\(ChatMark.thinkEnd)
            Here are the functions available in JSONSchema format:
            <functions>

            """)
        for tool in tools {
            prompt.quote(tool.function.pythonText)
            prompt.write("\n")
        }
        prompt.write("</functions>\n")
    }
}

extension ChatMessage {
    /// The reasoning and the answer, whether they came apart or in one text with `</think>`.
    var thoughtAndAnswer: (reasoning: String, answer: String) {
        guard let thought = content.before(first: ChatMark.thinkEnd),
            let answer = content.after(first: ChatMark.thinkEnd)
        else { return (reasoning ?? "", content) }
        return (reasoning ?? thought.after(last: ChatMark.think) ?? thought, answer)
    }
}
