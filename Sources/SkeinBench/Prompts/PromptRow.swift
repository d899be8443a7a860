import SkeinCore

/// One row of a published data set, in any of the forms that are usual for prompts.
struct PromptRow {
    private let fields: [String: JSONValue]

    /// Fields that hold a conversation: ShareGPT's, OpenAI's, MT-bench's.
    private static let conversationNames = ["conversations", "conversation", "messages", "turns"]
    /// Fields that hold a prompt as it is.
    private static let promptNames = [
        "prompt", "question", "instruction", "query", "text", "input",
    ]
    /// Fields that hold the answer to it.
    private static let answerNames = ["answer", "output", "response", "completion", "chosen"]
    /// Fields that hold the wanted length of the answer in tokens.
    private static let lengthNames = ["output_len", "output_tokens", "max_tokens"]
    /// Who asks, in the words of different files.
    private static let askers = ["human", "user"]

    /// - Throws: where the value is no object.
    init(_ value: JSONValue) throws(Refusal) {
        guard let fields = value.fields else {
            throw Refusal(
                "row", "found \(value.summary), expected an object such as {\"prompt\": \"…\"}")
        }
        self.fields = fields
    }

    /// The prompt and what is known about the length of its answer.
    ///
    /// - Throws: where there is no prompt, or no length though one is needed.
    func entry(needsLength: Bool) throws(Refusal) -> PromptFile.Entry {
        let wanted = try wantedTokenCount()
        var entry: PromptFile.Entry
        if let asked = try conversation() { entry = asked } else { entry = try plain() }
        entry.outputTokenCount = wanted
        guard !needsLength || wanted != nil || entry.answer?.isEmpty == false else {
            throw Refusal("row", "has no answer that tells the wanted length")
        }
        return entry
    }

    private func wantedTokenCount() throws(Refusal) -> Int? {
        for name in Self.lengthNames {
            guard let value = fields[name], value != .null else { continue }
            guard let count = value.count, (1...Limits.positionsMax).contains(count) else {
                throw Refusal(
                    name, "found \(value.summary), expected a number of tokens, at least 1")
            }
            return count
        }
        return nil
    }

    /// A prompt in a field of its own.
    private func plain() throws(Refusal) -> PromptFile.Entry {
        guard let name = Self.promptNames.first(where: { fields[$0] != nil }) else {
            throw Refusal("row", "found no prompt and no conversation")
        }
        var prompt = try Self.text(fields[name], name)
        // Alpaca's instruction may have an input beside it.
        if name == "instruction", let input = fields["input"]?.string, !input.isEmpty {
            prompt += "\n\n" + input
        }
        let answer = Self.answerNames.compactMap { fields[$0]?.string }.first
        return PromptFile.Entry(prompt: prompt, answer: answer)
    }

    /// The first question of a conversation and what is said to it; `nil` where there is none.
    private func conversation() throws(Refusal) -> PromptFile.Entry? {
        guard let name = Self.conversationNames.first(where: { fields[$0] != nil }) else {
            return nil
        }
        guard let turns = fields[name]?.array else {
            throw Refusal(
                name, "found \(fields[name]?.summary ?? "nothing"), expected a list of turns")
        }
        guard let first = turns.firstIndex(where: Self.isQuestion) else {
            throw Refusal(name, "has no turn of \(Self.askers.joined(separator: " or "))")
        }
        let prompt = try Self.text(Self.said(turns[first]), "\(name)[\(first)]")
        guard first + 1 < turns.count, !Self.isAskedByUser(turns[first + 1]) else {
            return PromptFile.Entry(prompt: prompt)
        }
        let answer = Self.said(turns[first + 1])
        guard let text = answer?.string else {
            throw Refusal(
                "\(name)[\(first + 1)]",
                "found \(answer?.summary ?? "nothing"), expected a text")
        }
        // Two texts beside each other without speakers are two questions, as in MT-bench.
        return PromptFile.Entry(prompt: prompt, answer: turns[first].fields == nil ? nil : text)
    }

    /// Whether a turn may be a prompt: its speaker asks, or is not named.
    private static func isQuestion(_ turn: JSONValue) -> Bool {
        speaker(turn).map(askers.contains) ?? true
    }

    private static func isAskedByUser(_ turn: JSONValue) -> Bool {
        speaker(turn).map(askers.contains) ?? false
    }

    private static func speaker(_ turn: JSONValue) -> String? {
        (turn.fields?["from"] ?? turn.fields?["role"])?.string
    }

    /// What a turn says: a text, or the texts of its parts.
    private static func said(_ turn: JSONValue) -> JSONValue? {
        guard let fields = turn.fields else { return turn }
        let value = fields["value"] ?? fields["content"]
        guard let parts = value?.array else { return value }
        let texts = parts.compactMap { $0.fields?["text"]?.string }
        return texts.isEmpty ? value : .string(texts.joined(separator: "\n"))
    }

    private static func text(_ value: JSONValue?, _ place: String) throws(Refusal) -> String {
        guard let text = value?.string, text.contains(where: { !$0.isWhitespace }) else {
            throw Refusal(place, "found \(value?.summary ?? "nothing"), expected a text")
        }
        return text
    }
}
