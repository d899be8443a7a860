import SkeinCore

/// Tools as Kimi-K2.5 is told of them: types in the words of TypeScript, names in their order.
enum TypeScriptTools {
    /// The text of all tools; `nil` where a schema says what has no such words.
    static func text(of tools: [ChatTool]) -> String? {
        var text = "# Tools\n\n## functions\nnamespace functions {\n"
        for tool in tools {
            guard let function = TypeScriptFunction(tool) else { return nil }
            text += function.text + "\n"
        }
        return text + "}\n"
    }
}

/// One function, with the types that its definitions name.
private struct TypeScriptFunction {
    private let tool: ChatTool
    private let parameters: JSONValue
    private let definitions: [JSONValue.Member]
    private let refersToItself: Bool

    init?(_ tool: ChatTool) {
        self.tool = tool
        parameters = tool.parameters.asObject.sortedByName
        var survey = TypeScriptSurvey()
        guard survey.hasWords(for: parameters, depth: 0) else { return nil }
        refersToItself = survey.refersToWhole
        definitions = survey.definitions
        for definition in definitions {
            let hasWords = survey.hasWords(for: definition.value, depth: 0)
            guard hasWords, definition.value.members != nil else { return nil }
        }
    }

    var text: String {
        var lines: [String] = []
        let whole = type(parameters, indent: "", depth: 0)
        if refersToItself {
            // Unlike any other object, in one order and with no word about other names.
            let required = requires(parameters)
            let properties = (parameters["properties"]?.members ?? []).map {
                self.property($0, isRequired: required.contains($0.name), indent: "  ")
            }
            let inside = properties.joined(separator: ",\n")
            lines.append("interface parameters {" + (inside.isEmpty ? "" : "\n\(inside)\n") + "}")
        }
        for definition in definitions {
            if let words = definition.value["description"]?.string, !words.isEmpty {
                lines.append(comment(words, indent: ""))
            }
            let type = type(definition.value, indent: "", depth: 0)
            lines.append("interface \(definition.name) \(type)")
        }
        if !tool.summary.isEmpty { lines.append(comment(tool.summary, indent: "")) }
        lines.append("type \(tool.name) = (_: \(refersToItself ? "parameters" : whole)) => any;")
        return lines.joined(separator: "\n")
    }

    private func comment(_ words: String, indent: String) -> String {
        // By bytes: as characters, a line feed behind a carriage return is one with it.
        words.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "\(indent)// \(Substring($0))" }.joined(separator: "\n")
    }

    /// The lines before a type: what it is for, and its bounds.
    private func remarks(on schema: JSONValue, indent: String) -> String {
        var lines = ""
        if let words = schema["description"]?.string, !words.isEmpty {
            lines += comment(words, indent: indent) + "\n"
        }
        var bounds: [String] = []
        for name in boundNames(of: schema) {
            guard let bound = schema[name] else { continue }
            bounds.append("\(name): \(bound.spelt)")
        }
        if !bounds.isEmpty { lines += "\(indent)// \(bounds.joined(separator: ", "))\n" }
        return lines
    }

    /// The bounds that are told of, in order.
    private func boundNames(of schema: JSONValue) -> [String] {
        let isPlain = ["anyOf", "enum", "$ref"].allSatisfy { schema[$0] == nil }
        guard isPlain else { return [] }
        return switch schema["type"]?.string {
        case "string": ["maxLength", "minLength", "pattern"]
        case "number", "integer": ["maximum", "minimum"]
        case "array": ["maxItems", "minItems"]
        default: []
        }
    }

    private func type(_ schema: JSONValue, indent: String, depth: Int) -> String {
        guard depth < TypeScriptSurvey.depthMax else { return "any" }
        if schema == .bool(false) { return "null" }
        if let reference = schema["$ref"]?.string {
            return reference == "#"
                ? "parameters" : reference.split(separator: "/").last.map(String.init) ?? "any"
        }
        if let types = schema["anyOf"]?.array {
            return types.map { type($0, indent: indent, depth: depth + 1) }
                .joined(separator: " | ")
        }
        if let values = schema["enum"]?.array {
            return values.map { $0.string.map { "\"\($0)\"" } ?? $0.spelt }
                .joined(separator: " | ")
        }
        if let types = schema["type"]?.array {
            return types.compactMap { TypeScriptSurvey.names[$0.string ?? ""] }
                .joined(separator: " | ")
        }
        return switch schema["type"]?.string {
        case "object": object(schema, indent: indent, depth: depth)
        case "array": array(schema, indent: indent, depth: depth)
        case let name?: name == "integer" ? "number" : name
        case nil: "any"
        }
    }

    private func array(_ schema: JSONValue, indent: String, depth: Int) -> String {
        guard let items = schema["items"], items.isTrueInPython else { return "Array<any>" }
        let inner = indent + "  "
        let remarks = remarks(on: items, indent: inner)
        guard !remarks.isEmpty else {
            return "Array<\(type(items, indent: indent, depth: depth + 1))>"
        }
        let item = type(items, indent: inner, depth: depth + 1)
        return "Array<\n\(remarks)\(inner)\(item)\n\(indent)>"
    }

    private func requires(_ schema: JSONValue) -> Set<String> {
        Set(schema["required"]?.array?.compactMap(\.string) ?? [])
    }

    private func object(_ schema: JSONValue, indent: String, depth: Int) -> String {
        let required = requires(schema)
        let inner = indent + "  "
        let members = schema["properties"]?.members ?? []
        let properties =
            members.filter { required.contains($0.name) }
            + members.filter { !required.contains($0.name) }
        var lines = properties.map {
            property(
                $0, isRequired: required.contains($0.name), indent: inner, depth: depth + 1)
        }
        if let others = schema["additionalProperties"], others != .null {
            let type =
                switch others.bool {
                case true?: "any"
                case false?: "never"
                case nil: type(others, indent: inner, depth: depth + 1)
                }
            lines.append("\(inner)[k: string]: \(type)")
        }
        return lines.isEmpty ? "{}" : "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }

    private func property(
        _ property: JSONValue.Member, isRequired: Bool, indent: String, depth: Int = 1
    ) -> String {
        var line = remarks(on: property.value, indent: indent)
        if let value = property.value["default"], value != .null {
            let isNumber = value.double != nil || value.bool != nil
            line += "\(indent)// Default: \(isNumber ? value.spelt : value.pythonText)\n"
        }
        let type = type(property.value, indent: indent, depth: depth)
        return line + "\(indent)\(property.name)\(isRequired ? "" : "?"): \(type)"
    }
}

extension JSONValue {
    /// The schema of an object, whatever kind it names.
    fileprivate var asObject: JSONValue {
        .object((members ?? []).filter { $0.name != "type" } + [.init("type", .string("object"))])
    }

    /// The value with the names of all objects in the order of their characters.
    var sortedByName: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.sortedByName))
        case .object(let members):
            .object(
                members.map { Member($0.name, $0.value.sortedByName) }.sorted {
                    $0.name.unicodeScalars.lexicographicallyPrecedes($1.name.unicodeScalars)
                })
        default: self
        }
    }

    /// A value as Python prints it.
    fileprivate var spelt: String {
        switch self {
        case .bool(let flag): flag ? "True" : "False"
        case .null: "None"
        case .string(let text): text
        default: pythonText
        }
    }
}
