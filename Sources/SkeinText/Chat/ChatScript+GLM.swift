import SkeinCore

extension ChatScript {
    /// What tells the formats of the GLM family apart.
    struct GLMStyle {
        /// What stands for thinking that is not there.
        var emptyThinking = ChatMark.thinkEnd

        /// Whether white space around the thinking is left out.
        var stripsReasoning = true

        /// Whether the first turn says how much to think.
        var saysEffort = false

        /// Whether tools are told without OpenAI's wrapping.
        var tellsFunctionsOnly = false

        static let glm47 = GLMStyle()
        static let glm52 = GLMStyle(
            emptyThinking: ChatMark.think + ChatMark.thinkEnd, stripsReasoning: false,
            saysEffort: true, tellsFunctionsOnly: true)
    }

    /// GLM: reasoning is kept since the last question; calls are keys and values.
    func writeGLM(_ style: GLMStyle, to prompt: inout ChatPrompt) {
        prompt.write("[gMASK]<sop>")
        if style.saysEffort, options.isThinking {
            prompt.write("<|system|>Reasoning Effort: " + (thinksLess ? "High" : "Max"))
        }
        writeGLMTools(style, to: &prompt)
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
                        message, opening: ChatMark.think, closing: style.emptyThinking,
                        stripsReasoning: style.stripsReasoning, stripsAnswer: true, to: &prompt)
                }
                let keepsReasoning = index > last || options.keepsReasoning
                writeGLMAnswer(message, style, keepsReasoning: keepsReasoning, to: &prompt)
            case .tool:
                if speaker(before: index) != .tool { prompt.write("<|observation|>") }
                prompt.write("<tool_response>")
                prompt.quote(message.content)
                prompt.write("</tool_response>")
            }
        }
        guard options.addsGenerationPrompt else { return }
        prompt.write("<|assistant|>")
        prompt.write(options.isThinking ? ChatMark.think : style.emptyThinking)
    }

    /// GLM-5.2 knows two degrees, of which the higher one is usual.
    private var thinksLess: Bool {
        switch options.effort {
        case nil, .max, .xhigh: false
        case .some: true
        }
    }

    private func writeGLMAnswer(
        _ message: ChatMessage, _ style: GLMStyle, keepsReasoning: Bool,
        to prompt: inout ChatPrompt
    ) {
        let (reasoning, answer) = message.thoughtAndLastAnswer
        // Line feeds alone, in one text with the answer, are no thinking for the older template.
        let skipsLineFeeds = style.stripsReasoning && message.reasoning == nil
        let isThere = reasoning.unicodeScalars.contains { !skipsLineFeeds || $0 != "\n" }
        if keepsReasoning, isThere {
            prompt.write(ChatMark.think)
            prompt.quote(style.stripsReasoning ? reasoning.stripped : reasoning)
            prompt.write(ChatMark.thinkEnd)
        } else {
            prompt.write(style.emptyThinking)
        }
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

    private func writeGLMTools(_ style: GLMStyle, to prompt: inout ChatPrompt) {
        guard !tools.isEmpty else { return }
        let told = style.tellsFunctionsOnly ? tools.compactMap(\.told) : tools.map(\.definition)
        prompt.write(
            """
            <|system|>
            # Tools

            You may call one or more functions to assist with the user query.

            You are provided with function signatures within <tools></tools> XML tags:
            <tools>

            """)
        for tool in told {
            prompt.quote(tool.pythonText)
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

extension ChatMessage {
    /// The reasoning and the answer: in one text, the answer follows the last `</think>`; a text
    /// beside reasoning that came apart is all answer.
    fileprivate var thoughtAndLastAnswer: (reasoning: String, answer: String) {
        guard reasoning == nil, let answer = content.after(last: ChatMark.thinkEnd) else {
            return (reasoning ?? "", content)
        }
        return (thoughtAndAnswer.reasoning, answer)
    }
}

extension ChatTool {
    /// The function without what says how the client wants it handled; `nil` for one that the model
    /// is to hear of later.
    fileprivate var told: JSONValue? {
        guard function["defer_loading"] != .bool(true) else { return nil }
        guard let members = function.members else { return function }
        return .object(members.filter { !["defer_loading", "strict"].contains($0.name) })
    }
}
