internal import SkeinCore
internal import SkeinText

/// Reads which tools a request offers and wants called, and what form the answer must have.
struct ToolChoice: Sendable {
    /// What a request says about calling.
    private enum Wish: Equatable {
        case auto, none, required
        case named(String)
    }

    private let tools: [ChatTool]
    private let wish: Wish

    /// Calls that the client takes in one answer; `nil` for any number.
    let callsMax: Int?

    init(_ fields: RequestFields) throws(APIError) {
        var tools: [ChatTool] = []
        let elements = try fields.elements("tools", countMax: Limits.toolsMax) ?? []
        for (index, element) in elements.enumerated() {
            do throws(Refusal) {
                tools.append(try ChatTool(parsing: element, subject: "tools[\(index)]"))
            } catch {
                throw .invalid(error)
            }
        }
        self.tools = tools
        wish = try Self.wish(fields, tools)
        callsMax = try fields.flag("parallel_tool_calls") == false ? 1 : nil
    }

    /// The tools that the prompt tells of: none with `"tool_choice": "none"`.
    var offered: [ChatTool] { wish == .none ? [] : tools }

    private static func wish(
        _ fields: RequestFields, _ tools: [ChatTool]
    ) throws(APIError) -> Wish {
        let expected = "\"auto\", \"none\", \"required\" or a function of tools"
        guard let choice = fields.value("tool_choice") else { return .auto }
        let wish: Wish
        switch choice.string {
        case "auto": wish = .auto
        case "none": wish = .none
        case "required": wish = .required
        default:
            guard choice["type"]?.string == "function",
                let name = choice["function"]?["name"]?.string
            else { throw fields.wrong("tool_choice", expected: expected) }
            guard tools.contains(where: { $0.name == name }) else {
                throw .invalid(
                    "tool_choice.function.name",
                    "tool_choice.function.name: '\(name.prefix(60))' is none of tools")
            }
            wish = .named(name)
        }
        if wish == .required, tools.isEmpty {
            throw .invalid("tool_choice", "tool_choice: is \"required\" without any tools")
        }
        return wish
    }

    /// What the answer must be; `nil` where it may be anything.
    func demand(
        _ fields: RequestFields, _ conversation: CompletionCall.Conversation
    ) throws(APIError) -> AnswerDemand? {
        let content = try AnswerShapeFields.content(fields)
        let paths = tools.indices.map { "tools[\($0)].function.parameters" }
        var wanted = Array(zip(tools, paths)).map { (tool: $0.0, path: $0.1) }
        var countMax = callsMax ?? Limits.toolCallsMax
        switch wish {
        case .none: wanted = []
        case .auto where content == nil: wanted = []
        case .auto, .required: break
        case .named(let name):
            wanted = wanted.filter { $0.tool.name == name }
            countMax = 1
        }
        let calls =
            wanted.isEmpty ? nil : AnswerDemand.Calls(tools: wanted, countMax: countMax)
        var demand = AnswerDemand(
            content: wish == .auto || wish == .none ? content : nil, calls: calls,
            format: conversation.format, answering: conversation.prompt)
        if demand.reasoning != .absent {
            demand.thinkingTokensMax = conversation.thinkingTokensMax
        }
        return demand.isFree && demand.thinkingTokensMax == nil ? nil : demand
    }
}
