import SkeinCore

// Calls of tools, as each chat format writes them.
extension AnswerGrammar {
    /// One call or several.
    mutating func calls(
        _ calls: AnswerDemand.Calls, _ format: ChatFormat
    ) throws(Refusal) -> Index {
        guard let form = format.traits.callForm else {
            throw Refusal("tools", "the chat format \(format.rawValue) has no tools")
        }
        let marks = form.spelling
        var parts: [Index] = []
        for (tool, path) in calls.tools { parts.append(try call(tool, path, form)) }
        let one = builder.either(parts)
        let end = mark(marks.sectionEnd, then: GrammarBuilder.end)
        let next = mark(marks.between, then: builder.add(.call(one, next: GrammarBuilder.end)))
        let rest = builder.loop(next, least: 0, most: max(0, calls.countMax - 1), then: end)
        return mark(marks.sectionBegin, then: builder.add(.call(one, next: rest)))
    }

    private mutating func call(
        _ tool: ChatTool, _ path: String, _ form: ToolCallForm
    ) throws(Refusal) -> Index {
        let marks = form.spelling
        let end = mark(marks.callEnd, then: GrammarBuilder.end)
        var arguments: Index
        if let parameter = marks.parameter {
            arguments = try parameters(of: tool, path, parameter, then: end)
        } else {
            arguments = builder.add(.call(try parameters(of: tool, path), next: end))
        }
        arguments = mark(marks.separator, then: arguments)
        if form.numbersCalls {
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
        of tool: ChatTool, _ path: String, _ marks: ToolCallForm.Spelling.Parameter,
        then end: Index
    ) throws(Refusal) -> Index {
        var compiler = SchemaCompiler(Self.typed(tool.parameters), path: path, into: builder)
        let rules = try compiler.topMemberRules()
        let kinds = SchemaKinds(root: tool.parameters)
        var place = end
        if !marks.none.isEmpty, !rules.declared.contains(where: \.isRequired) {
            place = builder.either([end, builder.literal(marks.none, then: end)])
        }
        for declared in rules.declared.reversed() {
            // The parser of answers takes for text what can be nothing but a string.
            let isText = kinds.ofMember(declared.name) == [.string]
            let one = try parameter(
                declared.name, declared.schema, isText: isText, marks, &compiler, then: place)
            place = declared.isRequired ? one : builder.either([one, place])
        }
        return place
    }

    private mutating func parameter(
        _ name: String, _ schema: SchemaCompiler.Located, isText: Bool,
        _ marks: ToolCallForm.Spelling.Parameter, _ compiler: inout SchemaCompiler,
        then next: Index
    ) throws(Refusal) -> Index {
        let end = builder.literal(marks.space, then: next)
        let value: Index
        if isText {
            value = text(try compiler.textRule(schema), upTo: marks.end, then: end)
        } else {
            compiler.builder = builder
            let part = try compiler.part(schema)
            builder = compiler.builder
            value = builder.add(.call(part, next: mark(marks.end, then: end)))
        }
        let opening = mark(isText ? marks.textBegin : marks.jsonBegin, then: value)
        return mark(marks.begin, then: builder.literal(name, then: opening))
    }

    /// A string that stands between marks as it is.
    private mutating func text(
        _ rule: SchemaCompiler.TextRule, upTo close: String, then end: Index
    ) -> Index {
        switch rule {
        case .anything: return anything(upTo: close, then: end)
        case .pattern(let pattern):
            return builder.pattern(pattern, .plain, then: mark(close, then: end))
        case .texts(let texts): return builder.oneOf(texts, then: mark(close, then: end))
        case .either(let rules):
            var places: [Index] = []
            for rule in rules { places.append(text(rule, upTo: close, then: end)) }
            return builder.either(places)
        }
    }
}

extension SchemaCompiler {
    /// What a string is that stands between marks as it is.
    indirect enum TextRule {
        case anything
        case pattern(StringPattern)
        case texts([[UInt8]])
        case either([TextRule])
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
        for name in ["anyOf", "oneOf"] {
            guard let alternatives = flat.schema[name]?.array else { continue }
            guard Set(Self.constraints(of: flat.schema)).isSubset(of: [name, "type"]) else {
                throw Refusal(flat.at(name), "is not known beside other rules for a string here")
            }
            var rules: [TextRule] = []
            for (index, element) in alternatives.enumerated() {
                rules.append(
                    try textRule(Located(schema: element, path: "\(flat.at(name))[\(index)]")))
            }
            return .either(rules)
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
