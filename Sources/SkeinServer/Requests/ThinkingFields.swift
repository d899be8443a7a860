internal import SkeinCore
internal import SkeinText

/// Reads what a request says of thinking, in the words of all servers.
///
/// DeepSeek's and Kimi's templates have `thinking`, GLM's `enable_thinking`; some clients put them
/// beside `chat_template_kwargs`, or send OpenAI's `reasoning_effort`. A model that can think or
/// not knows no degrees: every effort but `none` lets it think.
struct ThinkingFields {
    private static let switches = ["thinking", "enable_thinking"]
    private static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    private var wishes: [(path: String, thinks: Bool)] = []

    /// Whether the model is to think first.
    ///
    /// - Throws: an error that names a field which contradicts another, or asks for what the
    ///   model's chat format leaves no choice about.
    static func isThinking(
        _ fields: RequestFields, format: ChatFormat
    ) throws(APIError) -> Bool {
        var thinking = ThinkingFields()
        if let options = try fields.fields("chat_template_kwargs") {
            for name in options.names where options.value(name) != nil {
                guard switches.contains(name) || name == "reasoning_effort" else {
                    throw .invalid(
                        options.param(name),
                        "\(options.param(name)): this server writes the model's format itself and "
                            + "knows thinking, enable_thinking and reasoning_effort only")
                }
            }
            try thinking.read(options)
        }
        try thinking.read(fields)
        guard let first = thinking.wishes.first else { return format.thinking.isCertain }
        if let other = thinking.wishes.first(where: { $0.thinks != first.thinks }) {
            throw .invalid(other.path, "\(other.path): contradicts \(first.path)")
        }
        if first.thinks, format.thinking == .never {
            throw .invalid(first.path, "\(first.path): this model's format has no thinking")
        }
        if !first.thinks, format.thinking.isCertain {
            throw .invalid(first.path, "\(first.path): this model always thinks first")
        }
        return first.thinks
    }

    private mutating func read(_ fields: RequestFields) throws(APIError) {
        for name in Self.switches {
            guard let value = fields.value(name) else { continue }
            // DeepSeek's and Zhipu's own services write {"type": "enabled"}.
            switch (value.bool, value["type"]?.string) {
            case (let flag?, _): wishes.append((fields.param(name), flag))
            case (nil, "enabled"): wishes.append((fields.param(name), true))
            case (nil, "disabled"): wishes.append((fields.param(name), false))
            default:
                throw fields.wrong(
                    name, expected: "true or false, or {\"type\": \"enabled\"} or \"disabled\"")
            }
        }
        guard let effort = try fields.text("reasoning_effort") else { return }
        guard Self.efforts.contains(effort) else {
            throw fields.wrong(
                "reasoning_effort", expected: "one of \(Self.efforts.joined(separator: ", "))")
        }
        wishes.append((fields.param("reasoning_effort"), effort != "none"))
    }
}
