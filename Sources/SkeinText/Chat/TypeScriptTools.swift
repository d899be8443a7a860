import SkeinCore

/// Tools as Kimi-K2.5 is told of them: types in the words of TypeScript.
///
/// What a schema says beyond the types known here is `any`, as for a schema that says nothing.
enum TypeScriptTools {
    /// The text of all tools.
    @Sendable static func text(of tools: [ChatTool]) -> String {
        let functions = tools.map { TypeScriptFunction($0).text + "\n" }
        return "# Tools\n\n## functions\nnamespace functions {\n" + functions.joined() + "}\n"
    }
}

/// One function, with the types that its definitions name.
private struct TypeScriptFunction {
    private let tool: ChatTool
    private let definitions: [JSONValue.Member]

    init(_ tool: ChatTool) {
        self.tool = tool
        definitions = tool.parameters["$defs"]?.members ?? []
    }

    var text: String {
        var lines: [String] = []
        let refersToItself = refersToWhole(tool.parameters, depth: 0)
        let whole = type(tool.parameters.asObject, indent: "", depth: 0)
        if refersToItself { lines.append("interface parameters \(whole)") }
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

    /// Nesting beyond this is `any`.
    private static let depthMax = 64

    private func refersToWhole(_ schema: JSONValue, depth: Int) -> Bool {
        guard depth < Self.depthMax else { return false }
        if schema["$ref"]?.string == "#" { return true }
        return (schema.members?.map(\.value) ?? schema.array ?? []).contains {
            refersToWhole($0, depth: depth + 1)
        }
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
        guard depth < Self.depthMax else { return "any" }
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
            return types.map { Self.names[$0.string ?? ""] ?? "any" }.joined(separator: " | ")
        }
        return switch schema["type"]?.string {
        case "object": object(schema, indent: indent, depth: depth)
        case "array": array(schema, indent: indent, depth: depth)
        case let name?: name == "integer" ? "number" : name
        case nil: "any"
        }
    }

    private static let names = [
        "string": "string", "number": "number", "integer": "number", "boolean": "boolean",
        "null": "null", "object": "{}", "array": "Array<any>",
    ]

    private func array(_ schema: JSONValue, indent: String, depth: Int) -> String {
        guard let items = schema["items"], items.members?.isEmpty != true else {
            return "Array<any>"
        }
        let inner = indent + "  "
        let remarks = remarks(on: items, indent: inner)
        guard !remarks.isEmpty else {
            return "Array<\(type(items, indent: indent, depth: depth + 1))>"
        }
        let item = type(items, indent: inner, depth: depth + 1)
        return "Array<\n\(remarks)\(inner)\(item)\n\(indent)>"
    }

    private func object(_ schema: JSONValue, indent: String, depth: Int) -> String {
        let required = Set(schema["required"]?.array?.compactMap(\.string) ?? [])
        let inner = indent + "  "
        let properties = (schema["properties"]?.members ?? []).sorted { left, right in
            let isFirst = (required.contains(left.name), required.contains(right.name))
            guard isFirst.0 == isFirst.1 else { return isFirst.0 }
            return left.name.unicodeScalars.lexicographicallyPrecedes(right.name.unicodeScalars)
        }
        var lines = properties.map { property in
            var line = remarks(on: property.value, indent: inner)
            if let value = property.value["default"], value != .null {
                let isNumber = value.double != nil || value.bool != nil
                line += "\(inner)// Default: \(isNumber ? value.spelt : value.pythonText)\n"
            }
            let mark = required.contains(property.name) ? "" : "?"
            let type = type(property.value, indent: inner, depth: depth + 1)
            return line + "\(inner)\(property.name)\(mark): \(type)"
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
}

extension JSONValue {
    /// The schema of an object, whatever kind it names.
    fileprivate var asObject: JSONValue {
        .object((members ?? []).filter { $0.name != "type" } + [.init("type", .string("object"))])
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
