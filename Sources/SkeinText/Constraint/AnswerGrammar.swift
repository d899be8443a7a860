import SkeinCore

/// Writes down as a grammar what an answer must be: thinking where it is open, then a JSON value or
/// calls in the marks of the chat format.
struct AnswerGrammar {
    typealias Index = GrammarBuilder.Index

    private let tokenizer: Tokenizer
    private var builder = GrammarBuilder()

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// The grammar of answers that meet a demand.
    mutating func grammar(_ demand: AnswerDemand) throws(Refusal) -> ByteGrammar {
        var answers: [Index] = []
        if let content = demand.content { answers.append(try self.content(content)) }
        if let calls = demand.calls {
            guard let format = demand.format else { throw Refusal("tools", "have no chat format") }
            answers.append(try self.calls(calls, format))
        }
        let answer = builder.either(answers)
        var start = builder.answerSpace(then: answer)
        let mark = Array(ChatMark.thinkEnd.utf8)
        let end = tokenizer.addedToken(ChatMark.thinkEnd)
        switch demand.reasoning {
        case .absent: break
        case .open: start = builder.anything(upTo: mark, token: end, then: start)
        case .optional:
            let inside = builder.anything(upTo: mark, token: end, then: start)
            start = builder.either([start, self.mark(ChatMark.think, then: inside)])
        }
        guard !builder.isFull else {
            throw Refusal(demand.path, "the schema is too large for this server")
        }
        return try ByteGrammar(places: builder.places, start: start, subject: demand.path)
    }

    private mutating func content(_ content: AnswerDemand.Content) throws(Refusal) -> Index {
        switch content {
        case .object: return builder.anyObject
        case .schema(let schema, let path): return try value(schema, path: path)
        }
    }

    private mutating func value(
        _ schema: JSONValue, path: String
    ) throws(Refusal) -> Index {
        guard schema.pythonText.utf8.count <= Limits.constraintSchemaBytesMax else {
            throw Refusal(
                path, "has more than \(Limits.constraintSchemaBytesMax) bytes as a schema")
        }
        var compiler = SchemaCompiler(schema, path: path, into: builder)
        let part = try compiler.part()
        builder = compiler.builder
        return part
    }

    /// Text of the chat format; its control marks are tokens of their own.
    private mutating func mark(_ text: String, then next: Index) -> Index {
        var place = next
        for token in tokenizer.encode(text, matchingAddedTokens: true).reversed() {
            place =
                tokenizer.isAdded(token)
                ? builder.add(.token(token, next: place))
                : builder.literal(tokenizer.bytes(of: token), then: place)
        }
        return place
    }
}

// Calls, as each chat format writes them.
extension AnswerGrammar {
    /// One call or several.
    private mutating func calls(
        _ calls: AnswerDemand.Calls, _ format: ChatFormat
    ) throws(Refusal) -> Index {
        var parts: [Index] = []
        let marks = try Self.marks(of: format)
        for (tool, path) in calls.tools { parts.append(try call(tool, path, marks, format)) }
        let one = builder.either(parts)
        let end = mark(marks.callsEnd, then: GrammarBuilder.end)
        let further = mark(
            marks.between, then: builder.add(.call(one, next: GrammarBuilder.end)))
        let rest = builder.loop(further, least: 0, most: max(0, calls.countMax - 1), then: end)
        return mark(marks.callsBegin, then: builder.add(.call(one, next: rest)))
    }

    /// What stands around and between calls.
    private struct Marks {
        var callsBegin = ""
        var callBegin = ""
        var separator = ""
        var callEnd = ""
        var between = ""
        var callsEnd = ""
    }

    private static func marks(of format: ChatFormat) throws(Refusal) -> Marks {
        switch format {
        case .deepSeekV3, .deepSeekR1, .deepSeekR1May:
            return Marks(
                callsBegin: ChatMark.callsBegin,
                callBegin: ChatMark.callBegin + "function" + ChatMark.separator,
                separator: "\n```json\n", callEnd: "\n```" + ChatMark.callEnd, between: "\n",
                callsEnd: ChatMark.callsEnd)
        case .deepSeekV31:
            return Marks(
                callsBegin: ChatMark.callsBegin, callBegin: ChatMark.callBegin,
                separator: ChatMark.separator, callEnd: ChatMark.callEnd,
                callsEnd: ChatMark.callsEnd)
        case .kimiK2:
            return Marks(
                callsBegin: "<|tool_calls_section_begin|>",
                callBegin: "<|tool_call_begin|>functions.",
                separator: "<|tool_call_argument_begin|>", callEnd: "<|tool_call_end|>",
                callsEnd: "<|tool_calls_section_end|>")
        case .deepSeekV2, .deepSeekV32, .glm47Flash:
            throw Refusal(
                "tool_choice",
                "calls cannot be required in the chat format \(format.rawValue); use \"auto\"")
        }
    }

    private mutating func call(
        _ tool: ChatTool, _ path: String, _ marks: Marks, _ format: ChatFormat
    ) throws(Refusal) -> Index {
        let end = mark(marks.callEnd, then: GrammarBuilder.end)
        let arguments = builder.add(.call(try parameters(of: tool, path), next: end))
        var place = mark(marks.separator, then: arguments)
        if format == .kimiK2 {
            // Kimi counts the calls of a conversation.
            let digit = builder.byte(0x30...0x39, then: GrammarBuilder.end)
            place = builder.literal(":", then: builder.loop(digit, least: 1, most: 4, then: place))
        }
        return mark(marks.callBegin, then: builder.literal(tool.name, then: place))
    }

    /// The part of a call's arguments: always an object.
    private mutating func parameters(
        of tool: ChatTool, _ path: String
    ) throws(Refusal) -> Index {
        guard tool.parameters.members?.isEmpty == false else { return builder.anyObject }
        if tool.parameters["type"] != nil { return try value(tool.parameters, path: path) }
        let typed = JSONValue.object(
            (tool.parameters.members ?? []) + [.init("type", .string("object"))])
        return try value(typed, path: path)
    }
}

extension GrammarBuilder {
    /// What may stand before an answer: at most two line ends, as models like to write after their
    /// thinking.
    mutating func answerSpace(then next: Index) -> Index {
        let one = literal("\n", then: next)
        return either([next, one, literal("\n", then: one)])
    }
}

extension AnswerDemand {
    /// How refusals of the whole name it.
    var path: String {
        if case .schema(_, let path) = content { return path }
        return calls?.tools.first?.path ?? "response_format"
    }
}
