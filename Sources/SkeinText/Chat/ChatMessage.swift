public import SkeinCore

/// One message of a conversation, as OpenAI's interface has it.
public struct ChatMessage: Equatable, Sendable {
    /// Who speaks.
    public enum Role: String, Sendable {
        /// Rules that hold for the whole conversation.
        case system

        /// Rules too; DeepSeek-V3.2 takes them for a user's message in a frame.
        case developer

        /// The person asking.
        case user

        /// The model.
        case assistant

        /// The result of a call that the model made.
        case tool
    }

    /// Who speaks.
    public var role: Role

    /// What is said; may be empty beside tool calls.
    public var content: String

    /// What the model thought before it answered, if it is kept apart from `content`.
    public var reasoning: String?

    /// The calls that the model made.
    public var toolCalls: [ChatToolCall]

    /// The call that a tool's message answers.
    public var toolCallID: String?

    /// How the one who speaks is called, for formats that write it.
    public var name: String?

    /// Whether an assistant's message, the last one, is the beginning of what the model is to write
    /// in the mode that is asked for: of its thinking where it is to think.
    public var isPrefix = false

    /// Makes a message.
    public init(
        _ role: Role, _ content: String, reasoning: String? = nil, toolCalls: [ChatToolCall] = [],
        toolCallID: String? = nil
    ) {
        self.role = role
        self.content = content
        self.reasoning = reasoning
        self.toolCalls = toolCalls
        self.toolCallID = toolCallID
    }

    /// Reads a message of a request.
    ///
    /// `content` is a string, `null`, or a list of `{"type": "text", "text": …}` parts, which are
    /// put together as they are; other kinds of parts are refused.
    ///
    /// - Parameter subject: Where the message stands, for example `messages[3]`.
    public init(parsing value: JSONValue, subject: String) throws(Refusal) {
        let field = JSONField(value, file: subject)
        _ = try field.members()
        let roleField = try field.required("role")
        guard let role = Role(rawValue: try roleField.string()) else {
            throw roleField.expected("system, developer, user, assistant or tool")
        }
        let content = try field.optional("content").map(Self.text) ?? ""
        let reasoning = try field.optional("reasoning_content").map(Self.text)
        var calls: [ChatToolCall] = []
        for call in try field.optional("tool_calls")?.elements() ?? [] {
            calls.append(try ChatToolCall(call))
        }
        guard calls.isEmpty || role == .assistant else {
            throw Refusal("\(subject): tool_calls", "only an assistant's message has tool calls")
        }
        let callID = try field.optional("tool_call_id")?.string()
        self.init(role, content, reasoning: reasoning, toolCalls: calls, toolCallID: callID)
        name = try field.optional("name")?.string()
        isPrefix = try field.flag("prefix", otherwise: false)
    }

    private static func text(_ field: JSONField) throws(Refusal) -> String {
        guard field.value.array != nil else { return try field.string() }
        var text = ""
        for part in try field.elements() {
            let type = try part.required("type")
            guard type.value.string == "text" else { throw type.expected("\"text\"") }
            text += try part.required("text").string()
        }
        return text
    }
}

/// A call of a tool that the model made earlier in the conversation.
public struct ChatToolCall: Equatable, Sendable {
    /// The name by which the tool's result refers to the call.
    public var id: String

    /// The function.
    public var name: String

    /// The arguments, word for word as the client sent them: usually a JSON object, but a model's
    /// answer that was cut off comes back too, and models know what they wrote by its spelling.
    public var arguments: String

    /// Makes a call.
    public init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }

    /// Reads `{"id", "type": "function", "function": {"name", "arguments"}}`; without arguments,
    /// those are `{}`.
    init(_ field: JSONField) throws(Refusal) {
        if let type = field.optional("type"), type.value.string != "function" {
            throw type.expected("\"function\"")
        }
        let function = try field.required("function")
        name = try function.required("name").string()
        id = try field.optional("id")?.string() ?? ""
        let text = try function.optional("arguments")?.string() ?? ""
        arguments = text.allSatisfy(\.isWhitespace) ? "{}" : text
    }

    /// The arguments one by one, for formats that write them so.
    ///
    /// What is no JSON object is one parameter named `arguments`, as DeepSeek's own encoder has it.
    var parameters: [JSONValue.Member] {
        do throws(Refusal) {
            let value = try JSONValue(parsing: arguments, subject: "arguments", rules: .lenient)
            if let members = value.members { return members }
        } catch {}
        return [.init("arguments", .string(arguments))]
    }
}

/// A tool that a request offers to the model.
public struct ChatTool: Equatable, Sendable {
    /// The whole definition, as the client spelt it: `{"type": "function", "function": …}`.
    public let definition: JSONValue

    /// The `function` of the definition.
    public let function: JSONValue

    /// The function's name.
    public let name: String

    /// What the function does; may be empty.
    public let summary: String

    /// The JSON schema of its arguments.
    public let parameters: JSONValue

    /// Reads one entry of a request's `tools`.
    ///
    /// - Parameter subject: Where the entry stands, for example `tools[0]`.
    public init(parsing value: JSONValue, subject: String) throws(Refusal) {
        let field = JSONField(value, file: subject)
        _ = try field.members()
        let type = try field.required("type")
        guard type.value.string == "function" else { throw type.expected("\"function\"") }
        let function = try field.required("function")
        definition = value
        self.function = function.value
        name = try function.required("name").string()
        summary = try function.optional("description")?.string() ?? ""
        let parameters = function.optional("parameters")
        guard parameters == nil || parameters?.value.members != nil else {
            throw parameters?.expected("an object") ?? Refusal(subject, "has no parameters")
        }
        self.parameters = parameters?.value ?? .object([])
    }
}
