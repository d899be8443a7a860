import SkeinCore

// Calls of tools, as each chat format writes them.
extension AnswerGrammar {
    /// What stands around and between calls.
    private struct Marks {
        var callsBegin = ""
        var callBegin = ""
        /// Between a function's name and its arguments.
        var separator = ""
        var callEnd = ""
        var between = ""
        var callsEnd = ""
    }

    /// One call or several.
    mutating func calls(
        _ calls: AnswerDemand.Calls, _ format: ChatFormat
    ) throws(Refusal) -> Index {
        let marks = Self.marks(of: format)
        var parts: [Index] = []
        for (tool, path) in calls.tools { parts.append(try call(tool, path, marks, format)) }
        let one = builder.either(parts)
        let end = mark(marks.callsEnd, then: GrammarBuilder.end)
        let next = mark(marks.between, then: builder.add(.call(one, next: GrammarBuilder.end)))
        let rest = builder.loop(next, least: 0, most: max(0, calls.countMax - 1), then: end)
        return mark(marks.callsBegin, then: builder.add(.call(one, next: rest)))
    }

    private static func marks(of format: ChatFormat) -> Marks {
        switch format {
        case .deepSeekV3, .deepSeekR1, .deepSeekR1May:
            Marks(
                callsBegin: ChatMark.callsBegin,
                callBegin: ChatMark.callBegin + "function" + ChatMark.separator,
                separator: "\n```json\n", callEnd: "\n```" + ChatMark.callEnd, between: "\n",
                callsEnd: ChatMark.callsEnd)
        // DeepSeek-V2 has no tools: its conversations with any are refused before.
        case .deepSeekV31, .deepSeekV2:
            Marks(
                callsBegin: ChatMark.callsBegin, callBegin: ChatMark.callBegin,
                separator: ChatMark.separator, callEnd: ChatMark.callEnd,
                callsEnd: ChatMark.callsEnd)
        case .kimiK2:
            Marks(
                callsBegin: "<|tool_calls_section_begin|>",
                callBegin: "<|tool_call_begin|>functions.",
                separator: "<|tool_call_argument_begin|>", callEnd: "<|tool_call_end|>",
                callsEnd: "<|tool_calls_section_end|>")
        case .deepSeekV32:
            Marks(
                callsBegin: "\n\n<\(ChatMark.dsml)function_calls>\n",
                callBegin: "<\(ChatMark.dsml)invoke name=\"", separator: "\">\n",
                callEnd: "</\(ChatMark.dsml)invoke>\n",
                callsEnd: "</\(ChatMark.dsml)function_calls>")
        case .glm47Flash: Marks(callBegin: "<tool_call>", callEnd: "</tool_call>")
        }
    }

    private mutating func call(
        _ tool: ChatTool, _ path: String, _ marks: Marks, _ format: ChatFormat
    ) throws(Refusal) -> Index {
        let end = mark(marks.callEnd, then: GrammarBuilder.end)
        var arguments: Index
        switch format {
        case .deepSeekV32, .glm47Flash:
            arguments = try parameters(of: tool, path, format, then: end)
        default:
            arguments = builder.add(.call(try parameters(of: tool, path), next: end))
        }
        arguments = mark(marks.separator, then: arguments)
        if format == .kimiK2 {
            // Kimi counts the calls of a conversation.
            let digit = builder.byte(0x30...0x39, then: GrammarBuilder.end)
            arguments = builder.literal(
                ":", then: builder.loop(digit, least: 1, most: 4, then: arguments))
        }
        return mark(marks.callBegin, then: builder.literal(tool.name, then: arguments))
    }

    /// The part of a call's arguments as JSON: always an object.
    private mutating func parameters(of tool: ChatTool, _ path: String) throws(Refusal) -> Index {
        guard tool.parameters.members?.isEmpty == false else { return builder.anyObject }
        return try value(Self.typed(tool.parameters), path: path)
    }

    private static func typed(_ parameters: JSONValue) -> JSONValue {
        guard parameters["type"] == nil else { return parameters }
        return .object((parameters.members ?? []) + [.init("type", .string("object"))])
    }

    /// A call's arguments one by one, each between marks; only those that are declared.
    private mutating func parameters(
        of tool: ChatTool, _ path: String, _ format: ChatFormat, then end: Index
    ) throws(Refusal) -> Index {
        var compiler = SchemaCompiler(Self.typed(tool.parameters), path: path, into: builder)
        let rules = try compiler.topMemberRules()
        var place = end
        for declared in rules.declared.reversed() {
            let isText = tool.parameters["properties"]?[declared.name]?["type"]?.string == "string"
            let one = try parameter(
                declared.name, declared.schema, isText: isText, format, &compiler, then: place)
            place = declared.isRequired ? one : builder.either([one, place])
        }
        return place
    }

    private mutating func parameter(
        _ name: String, _ schema: SchemaCompiler.Located, isText: Bool, _ format: ChatFormat,
        _ compiler: inout SchemaCompiler, then next: Index
    ) throws(Refusal) -> Index {
        let isGLM = format == .glm47Flash
        let close = isGLM ? "</arg_value>" : "</\(ChatMark.dsml)parameter>"
        let end = isGLM ? next : builder.literal("\n", then: next)
        var value: Index
        if isText {
            switch try compiler.textRule(schema) {
            case .anything: value = anything(upTo: close, then: end)
            case .pattern(let pattern):
                value = builder.pattern(pattern, .plain, then: mark(close, then: end))
            case .texts(let texts):
                value = builder.oneOf(texts, then: mark(close, then: end))
            }
        } else {
            compiler.builder = builder
            let part = try compiler.part(schema)
            builder = compiler.builder
            value = builder.add(.call(part, next: mark(close, then: end)))
        }
        guard !isGLM else {
            let opening = mark("</arg_key><arg_value>", then: value)
            return mark("<arg_key>", then: builder.literal(name, then: opening))
        }
        let opening = mark("\" string=\"\(isText)\">", then: value)
        return mark(
            "<\(ChatMark.dsml)parameter name=\"", then: builder.literal(name, then: opening))
    }
}

extension SchemaCompiler {
    /// What a string is that stands between marks as it is.
    enum TextRule {
        case anything
        case pattern(StringPattern)
        case texts([[UInt8]])
    }

    /// The members of the whole schema, which must be of an object and nothing else.
    mutating func topMemberRules() throws(Refusal) -> MemberRules {
        let flat = try flattened(root)
        for name in ["anyOf", "oneOf", "enum", "const"] where flat.schema[name] != nil {
            throw Refusal(flat.at(name), "is not known for the arguments of a call")
        }
        guard try kinds(of: flat) == [.object] else {
            throw Refusal(flat.at("type"), "is not \"object\", as arguments of a call are")
        }
        return try memberRules(flat)
    }

    /// What a schema of strings says of a text that is not quoted.
    mutating func textRule(_ located: Located) throws(Refusal) -> TextRule {
        let flat = try flattened(located)
        for name in ["anyOf", "oneOf"] where flat.schema[name] != nil {
            throw Refusal(flat.at(name), "is not known beside \"type\": \"string\" here")
        }
        if flat.schema["enum"] != nil || flat.schema["const"] != nil {
            return .texts(try listedValues(flat).compactMap { $0.string.map { Array($0.utf8) } })
        }
        let pattern = try checkedPattern(flat)
        if let pattern { return .pattern(pattern) }
        let (least, most) = try lengths(flat)
        guard least > 0 || most != nil else { return .anything }
        return .pattern(
            .repeated(.scalar(GrammarBuilder.everyScalar), least: least, most: most))
    }
}

extension ChatFormat {
    /// With what the marks begin that end a call's arguments.
    var marksBegin: GrammarBuilder.Scalars {
        switch self {
        case .kimiK2: [0x7C...0x7C]
        case .glm47Flash: [0x3C...0x3C]
        // The bar of DeepSeek's marks is not the one of ASCII.
        case .deepSeekV2, .deepSeekV3, .deepSeekR1, .deepSeekR1May, .deepSeekV31, .deepSeekV32:
            [0xFF5C...0xFF5C]
        }
    }
}
