import SkeinCore

extension ChatScript {
    /// Mistral Large 3: rules, tools, questions and results stand between marks; calls have no ids.
    func writeMistral(to prompt: inout ChatPrompt) {
        let messages = Self.joiningSpeakers(messages)
        prompt.write("<s>")
        let first = messages.firstIndex { $0.role == .user }
        for (index, message) in messages.enumerated() {
            if index == first { writeMistralTools(to: &prompt) }
            switch message.role {
            case .system, .developer:
                prompt.write("[SYSTEM_PROMPT]")
                prompt.quote(message.content)
                prompt.write("[/SYSTEM_PROMPT]")
            case .user:
                prompt.write("[INST]")
                prompt.quote(message.content)
                prompt.write("[/INST]")
            case .assistant:
                let isContinued = isContinued(message, isLast: index + 1 == messages.count)
                writeMistralAnswer(message, isContinued: isContinued, to: &prompt)
            case .tool:
                prompt.write("[TOOL_RESULTS]")
                prompt.quote(message.content)
                prompt.write("[/TOOL_RESULTS]")
            }
        }
        if first == nil { writeMistralTools(to: &prompt) }
    }

    /// The messages with those of one user or model that follow each other as one.
    private static func joiningSpeakers(_ messages: [ChatMessage]) -> [ChatMessage] {
        var joined: [ChatMessage] = []
        for message in messages {
            let isSpoken = message.role == .user || message.role == .assistant
            guard isSpoken, joined.last?.role == message.role else {
                joined.append(message)
                continue
            }
            let place = joined.count - 1
            let hasBoth = !joined[place].content.isEmpty && !message.content.isEmpty
            joined[place].content += (hasBoth ? "\n\n" : "") + message.content
            joined[place].toolCalls += message.toolCalls
        }
        return joined
    }

    private func writeMistralTools(to prompt: inout ChatPrompt) {
        guard !tools.isEmpty else { return }
        prompt.write("[AVAILABLE_TOOLS]")
        prompt.quote(JSONValue.array(tools.map(\.definition)).pythonText)
        prompt.write("[/AVAILABLE_TOOLS]")
    }

    private func writeMistralAnswer(
        _ message: ChatMessage, isContinued: Bool, to prompt: inout ChatPrompt
    ) {
        if isContinued {
            prompt.quote(message.content)
            return prompt.close()
        }
        // The reference leaves out blanks at the end of an answer, and blanks alone.
        let text = message.content.unicodeScalars
        let end = text.lastIndex { $0 != " " }.map { text.index(after: $0) } ?? text.startIndex
        prompt.quote(String(text[..<end]))
        for call in message.toolCalls {
            prompt.write("[TOOL_CALLS]")
            prompt.quote(call.name)
            prompt.write("[ARGS]")
            prompt.quote(call.arguments)
        }
        prompt.write("</s>")
    }
}
