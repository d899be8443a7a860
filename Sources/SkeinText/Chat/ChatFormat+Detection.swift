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

    /// What the files of a folder tell of the chat format.
    public struct Detection: Equatable, Sendable {
        /// The format; `nil` if nothing tells, and the model can still go on with plain text.
        public var finding: Finding?

        /// One line about a template that is of no known format.
        public var remark: String?
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
    public static func detect(
        tokenizerConfiguration: JSONValue?, templateFile: String?, modelType: String?,
        file: String = "tokenizer_config.json"
    ) throws(Refusal) -> Detection {
        if let tokenizerConfiguration {
            let root = JSONField(tokenizerConfiguration, file: file)
            if let named = root.optional("chat_format") {
                guard let format = ChatFormat(rawValue: try named.string()) else {
                    throw named.expected(
                        "one of " + allCases.map(\.rawValue).joined(separator: ", "))
                }
                return Detection(
                    finding: Finding(
                        format: format, source: "chat_format of tokenizer_config.json",
                        isNamed: true))
            }
        }
        var unknown: [String] = []
        let templates = [
            (templateFile, "chat_template.jinja"),
            (
                try template(of: tokenizerConfiguration, file: file),
                "chat_template of tokenizer_config.json"
            ),
        ]
        for case (let template?, let source) in templates {
            if let format = recognise(template: template) {
                return Detection(finding: Finding(format: format, source: source, isNamed: true))
            }
            unknown.append(source)
        }
        var detection = Detection()
        if let modelType,
            let format = allCases.first(where: { $0.traits.modelTypes.contains(modelType) })
        {
            detection.finding = Finding(
                format: format, source: "model_type \(modelType) of config.json", isNamed: false)
        }
        if let source = unknown.first {
            let taken = detection.finding.map { "\($0.format.rawValue) by \($0.source)" }
            detection.remark =
                "\(source) is of no chat format that is known here; taken is "
                + (taken ?? "none, and conversations are refused")
        }
        return detection
    }

    /// The format whose control marks no other format has, where no file tells more.
    static func detect(marksOf tokenizer: Tokenizer, file: String) -> Finding? {
        let row = tellingMarks.first { row in
            row.marks.allSatisfy { tokenizer.addedToken($0) != nil }
        }
        return row.map {
            Finding(format: $0.format, source: "control marks of \(file)", isNamed: false)
        }
    }

    private static let tellingMarks: [(format: ChatFormat, marks: [String])] = [
        (.mistralLarge3, ["<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[ARGS]"])
    ]

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

    /// The words by which a template is told, in the order in which they are looked for.
    private struct Fingerprint {
        let format: ChatFormat
        /// What the template has, all of it.
        let has: [String]
        /// What it has not.
        var lacks: [String] = []
    }

    private static let fingerprints: [Fingerprint] = [
        // V4 speaks DSML too, and calls its calls otherwise.
        Fingerprint(
            format: .deepSeekV32, has: [ChatMark.dsml], lacks: [ChatMark.dsml + "tool_calls"]),
        Fingerprint(format: .kimiK25, has: ["<|im_middle|>", "tools_ts_str"]),
        Fingerprint(format: .kimiK25, has: ["<|im_middle|>", "preserve_thinking"]),
        Fingerprint(format: .kimiK2Thinking, has: ["<|im_middle|>", ChatMark.think]),
        Fingerprint(format: .kimiK2, has: ["<|im_middle|>"]),
        Fingerprint(format: .glm52, has: ["[gMASK]", "Reasoning Effort"]),
        // GLM-4.5 and 4.6 ask with a word of their own not to think.
        Fingerprint(format: .glm47Flash, has: ["[gMASK]"], lacks: ["/nothink"]),
        // Mistral's later forms think between marks.
        Fingerprint(
            format: .mistralLarge3, has: ["[INST]", "[TOOL_CALLS]", "[ARGS]"],
            lacks: ["[THINK]", "[CALL_ID]"]),
        // Only V3.1 can be told to think or not; only R1's prompt opens the thinking.
        Fingerprint(
            format: .deepSeekV31, has: [ChatMark.user, "thinking"], lacks: [ChatMark.dsml]),
        Fingerprint(
            format: .deepSeekV31, has: [ChatMark.assistant, "thinking"], lacks: [ChatMark.dsml]),
        Fingerprint(
            format: .deepSeekR1, has: [ChatMark.assistant, ChatMark.think], lacks: [ChatMark.dsml]),
        Fingerprint(
            format: .deepSeekR1May, has: [ChatMark.assistant, ChatMark.thinkEnd],
            lacks: [ChatMark.dsml]),
        Fingerprint(format: .deepSeekV3, has: [ChatMark.assistant], lacks: [ChatMark.dsml]),
        Fingerprint(format: .deepSeekV3, has: [ChatMark.user], lacks: [ChatMark.dsml]),
        Fingerprint(format: .deepSeekV2, has: ["User: ", "Assistant:"]),
    ]

    /// The format that a Jinja template prints, told by the words only that format has.
    static func recognise(template: String) -> ChatFormat? {
        let bytes = Array(template.utf8)
        func has(_ words: String) -> Bool { bytes.firstPlace(of: Array(words.utf8)) != nil }
        return fingerprints.first { row in
            row.has.allSatisfy(has) && !row.lacks.contains(where: has)
        }?.format
    }
}
