import SkeinCore

/// Writes down as a grammar what an answer must be: thinking where it is open, then a JSON value or
/// calls in the marks of the chat format.
struct AnswerGrammar {
    typealias Index = GrammarBuilder.Index

    private let tokenizer: Tokenizer
    var builder = GrammarBuilder()

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// The grammar of answers that meet a demand.
    mutating func grammar(_ demand: AnswerDemand) throws(Refusal) -> ByteGrammar {
        let forbidden = demand.calls == nil ? nil : demand.format?.traits.callForm?.markScalars
        builder = GrammarBuilder(forbidden: forbidden ?? [])
        var answers: [Index] = []
        if let content = demand.content {
            answers.append(try self.content(content))
        }
        if let calls = demand.calls {
            guard let format = demand.format else { throw Refusal("tools", "have no chat format") }
            answers.append(try self.calls(calls, format))
        }
        var start = builder.either(answers)
        switch demand.reasoning {
        case .absent: break
        case .open: start = anything(upTo: ChatMark.thinkEnd, then: start)
        case .optional:
            let inside = anything(upTo: ChatMark.thinkEnd, then: start)
            let thinking = self.mark(ChatMark.think, then: inside)
            start = builder.either([start, thinking])
        }
        guard !builder.isFull else {
            throw Refusal(demand.path, "the schema is too large for this server")
        }
        return try ByteGrammar(places: builder.places, start: start, subject: demand.path)
    }

    private mutating func content(_ content: AnswerDemand.Content) throws(Refusal) -> Index {
        switch content {
        case .object: return builder.answerSpace(then: builder.anyObject)
        case .schema(let schema, let path):
            return builder.answerSpace(then: try value(schema, path: path))
        case .pattern(let source, let path):
            let pattern = try StringPattern(whole: source, subject: path)
            return builder.pattern(pattern, .raw, then: GrammarBuilder.end)
        case .choice(let texts, let path):
            let bytesCount = texts.reduce(0) { $0 + $1.utf8.count }
            guard !texts.isEmpty, !texts.contains(where: \.isEmpty),
                bytesCount <= Limits.constraintSchemaBytesMax
            else {
                throw Refusal(
                    path,
                    "expected texts that are not empty, at least one, of "
                        + "\(Limits.constraintSchemaBytesMax) bytes together at most")
            }
            let texts = Set(texts.map { Array($0.utf8) })
            return builder.oneOf(Array(texts), then: GrammarBuilder.end)
        }
    }

    /// The part of values of a schema.
    mutating func value(_ schema: JSONValue, path: String) throws(Refusal) -> Index {
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
    mutating func mark(_ text: String, then next: Index) -> Index {
        var place = next
        for token in tokenizer.encode(text, matchingAddedTokens: true).reversed() {
            place =
                tokenizer.isAdded(token)
                ? builder.add(.token(token, next: place))
                : builder.literal(tokenizer.bytes(of: token), then: place)
        }
        return place
    }

    /// Any text up to a mark of the chat format, whether it is spelt or comes as control tokens.
    mutating func anything(upTo mark: String, then next: Index) -> Index {
        let tokens = tokenizer.encode(mark, matchingAddedTokens: true).filter(tokenizer.isAdded)
        return builder.anything(
            upTo: Array(mark.utf8),
            tokens: Array(Set(tokens)).sorted().map { ($0, tokenizer.bytes(of: $0)) }, then: next)
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
        switch content {
        case .schema(_, let path), .pattern(_, let path), .choice(_, let path): return path
        case .object, nil: break
        }
        return calls?.tools.first?.path ?? "response_format"
    }
}
