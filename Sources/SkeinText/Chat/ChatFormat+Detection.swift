public import SkeinCore

extension ChatFormat {
    /// A chat format with the reason why it was taken.
    public struct Finding: Equatable, Sendable {
        /// The format.
        public let format: ChatFormat

        /// Where it was found, for example `chat_format of tokenizer_config.json`.
        public let source: String

        /// Whether a file names the format, or it was only inferred from something weaker.
        public let isNamed: Bool
    }

    /// Finds out how a model wants its conversations written.
    ///
    /// In this order: the key `chat_format` of `tokenizer_config.json`, which Skein's own folders
    /// have; a template in `chat_template.jinja` or under the key `chat_template`, recognised by
    /// what it prints (Skein does not run templates); the model's family.
    ///
    /// - Parameters:
    ///   - tokenizerConfiguration: The content of `tokenizer_config.json`.
    ///   - templateFile: The content of `chat_template.jinja`.
    ///   - modelType: The `model_type` of `config.json`.
    ///   - file: How refusals name `tokenizer_config.json`.
    /// - Returns: `nil` if nothing tells; the model can still go on with plain text.
    public static func detect(
        tokenizerConfiguration: JSONValue?, templateFile: String?, modelType: String?,
        file: String = "tokenizer_config.json"
    ) throws(Refusal) -> Finding? {
        if let tokenizerConfiguration {
            let root = JSONField(tokenizerConfiguration, file: file)
            if let named = root.optional("chat_format") {
                guard let format = ChatFormat(rawValue: try named.string()) else {
                    throw named.expected(
                        "one of " + allCases.map(\.rawValue).joined(separator: ", "))
                }
                return Finding(
                    format: format, source: "chat_format of tokenizer_config.json", isNamed: true)
            }
        }
        if let format = templateFile.flatMap(recognise(template:)) {
            return Finding(format: format, source: "chat_template.jinja", isNamed: true)
        }
        if let format = try template(of: tokenizerConfiguration, file: file)
            .flatMap(recognise(template:))
        {
            return Finding(
                format: format, source: "chat_template of tokenizer_config.json", isNamed: true)
        }
        if let modelType,
            let format = allCases.first(where: { $0.traits.modelTypes.contains(modelType) })
        {
            return Finding(
                format: format, source: "model_type \(modelType) of config.json", isNamed: false)
        }
        return nil
    }

    /// The template is a string, or a list of named ones of which `default` is for conversations.
    private static func template(
        of configuration: JSONValue?, file: String
    ) throws(Refusal) -> String? {
        guard let configuration else { return nil }
        let root = JSONField(configuration, file: file)
        guard let field = root.optional("chat_template") else { return nil }
        guard field.value.array != nil else { return try field.string() }
        for entry in try field.elements() where entry.value["name"]?.string == "default" {
            return try entry.required("template").string()
        }
        return nil
    }

    /// The format that a Jinja template prints, told by the words only that format has.
    static func recognise(template: String) -> ChatFormat? {
        let bytes = Array(template.utf8)
        func has(_ words: String) -> Bool { bytes.firstPlace(of: Array(words.utf8)) != nil }
        if has(ChatMark.dsml) { return .deepSeekV32 }
        if has("<|im_middle|>") { return .kimiK2 }
        if has("[gMASK]") { return .glm47Flash }
        if has(ChatMark.user) || has(ChatMark.assistant) {
            // Only V3.1 can be told to think or not; only R1's prompt opens the thinking.
            if has("thinking") { return .deepSeekV31 }
            if has(ChatMark.think) { return .deepSeekR1 }
            return has(ChatMark.thinkEnd) ? .deepSeekR1May : .deepSeekV3
        }
        return has("User: ") && has("Assistant:") ? .deepSeekV2 : nil
    }
}
