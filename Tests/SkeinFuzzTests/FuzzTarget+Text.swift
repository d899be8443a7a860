import SkeinCore

@testable import SkeinText

extension FuzzTarget {
    private static let probe =
        "Hello  world's 12345,\n\n\t naïve 日本語かな ÷ e\u{301} 👩‍🚀 <s> "
        + String(repeating: "ab", count: 60)

    /// `tokenizer.json`, and a text in its tokens.
    static func readTokenizer(_ bytes: [UInt8]) throws {
        let tokenizer = try Tokenizer(parsing: bytes, file: "tokenizer.json")
        _ = tokenizer.encode(probe, matchingAddedTokens: true)
        let tokens = tokenizer.encode(probe, matchingAddedTokens: false)
        for token in tokens {
            try BrokenPromise.unless(
                tokenizer.contains(token) && !tokenizer.isAdded(token),
                "token \(token) stands in plain text")
        }
        let file = try TokenizerFile(parsing: bytes, file: "tokenizer.json")
        guard try !file.composesText() else { return }
        let text = tokenizer.decode(tokens, skippingSpecialTokens: false)
        try BrokenPromise.unless(
            text.utf8.elementsEqual(probe.utf8), "the text comes back as \(text)")
    }

    /// A `tekken.json`, or a `tiktoken.model` where the first byte is that of no object.
    static func readRanks(_ bytes: [UInt8]) throws {
        let parts =
            bytes.first == UInt8(ascii: "{")
            ? try TekkenFile(parsing: bytes, file: "tekken.json").parts
            : try TiktokenFile(parsing: bytes, configuration: nil, file: "tiktoken.model").parts
        let tokenizer = Tokenizer(parts)
        _ = tokenizer.encode(probe, matchingAddedTokens: true)
        let tokens = tokenizer.encode(probe, matchingAddedTokens: false)
        try BrokenPromise.unless(
            tokens.allSatisfy { tokenizer.contains($0) && !tokenizer.isAdded($0) },
            "a control token stands in plain text")
        let text = tokenizer.decode(tokens, skippingSpecialTokens: false)
        try BrokenPromise.unless(
            text.utf8.elementsEqual(probe.utf8), "the text comes back as \(text)")
    }

    /// A pattern of a tokenizer or a schema in the first line, and the text behind it.
    static func readPattern(_ bytes: [UInt8]) throws {
        let lines = bytes.split(
            separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let source = String(decoding: lines[0], as: UTF8.self)
        if let pattern = try? StringPattern(source, subject: "pattern") {
            let most = pattern.most ?? .max
            try BrokenPromise.unless(
                (0...most).contains(pattern.least), "at least \(pattern.least), at most \(most)")
        }
        let pattern = try TextPattern(source, subject: "pattern")
        let text = ScalarText(lines.count > 1 ? String(decoding: lines[1], as: UTF8.self) : "")
        var pieces: [Range<Int>] = []
        pattern.split(0..<text.count, of: text, into: &pieces)
        var end = 0
        for piece in pieces {
            try BrokenPromise.unless(
                piece.lowerBound == end && !piece.isEmpty, "a gap before \(piece)")
            end = piece.upperBound
        }
        try BrokenPromise.unless(end == text.count, "the end is lost")
    }

    private static let format: @Sendable (UInt8) -> ChatFormat = {
        ChatFormat.allCases[Int($0) % ChatFormat.allCases.count]
    }

    private static func tools(_ schema: JSONValue = .object([])) throws -> [ChatTool] {
        try ["f", "search"].map { name in
            try ChatTool(
                parsing: .object([
                    "type": .string("function"),
                    "function": .object(["name": .string(name), "parameters": schema]),
                ]), subject: "tools")
        }
    }

    /// What a model answers: a byte for the format, one for what was asked, and the text.
    static func readAnswer(_ bytes: [UInt8]) throws {
        let asked = bytes.dropFirst().first ?? 0
        let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
        let tools = asked & 1 == 0 ? [] : try tools(answerSchema)
        let prompt = try format(bytes.first ?? 0).prompt(
            [ChatMessage(.user, "?")], tools: tools,
            options: ChatOptions(isThinking: asked & 2 != 0))
        var whole = AnswerParser(answering: prompt, tools: tools)
        let first = joined(whole.push(text) + whole.finish())
        let step = Int(asked >> 2) % 8 + 1
        var parser = AnswerParser(answering: prompt, tools: tools)
        var found: [AnswerPiece] = []
        let scalars = Array(text.unicodeScalars)
        for start in stride(from: 0, to: scalars.count, by: step) {
            var part = ""
            part.unicodeScalars.append(contentsOf: scalars[start...].prefix(step))
            found += parser.push(part)
        }
        let second = joined(found + parser.finish())
        try BrokenPromise.unless(
            first == second, "in parts of \(step) the answer is \(second), whole it is \(first)")
        try BrokenPromise.unless(
            whole.callCount == parser.callCount && whole.hasOpenCall == parser.hasOpenCall,
            "in parts of \(step) the calls are others")
    }

    private static let answerSchema = JSONValue.object([
        "properties": .object([
            "query": .object(["type": .string("string")]),
            "limit": .object(["type": .string("integer")]),
        ])
    ])

    /// The pieces with neighbours of one kind put together.
    private static func joined(_ pieces: [AnswerPiece]) -> [AnswerPiece] {
        var joined: [AnswerPiece] = []
        for piece in pieces {
            switch (joined.last, piece) {
            case (.reasoning(let text)?, .reasoning(let more)):
                joined[joined.count - 1] = .reasoning(text + more)
            case (.content(let text)?, .content(let more)):
                joined[joined.count - 1] = .content(text + more)
            case (.callArguments(let index, let text)?, .callArguments(let same, let more))
            where index == same:
                joined[joined.count - 1] = .callArguments(index: index, text: text + more)
            case (_, .reasoning("")), (_, .content("")), (_, .callArguments(_, "")): break
            default: joined.append(piece)
            }
        }
        return joined
    }

    /// Messages and tools as a client sends them, written in every chat format.
    static func readConversation(_ bytes: [UInt8]) throws {
        let root = try JSONValue(parsing: bytes, subject: "body", rules: .client)
        var messages: [ChatMessage] = []
        for message in root["messages"]?.array ?? [] {
            messages.append(try ChatMessage(parsing: message, subject: "messages"))
        }
        let tools = try (root["tools"]?.array ?? []).map {
            try ChatTool(parsing: $0, subject: "tools")
        }
        var options = ChatOptions(isThinking: root["thinking"]?.bool ?? false)
        options.continuesFinalMessage = root["continue"]?.bool ?? false
        options.addsGenerationPrompt = !options.continuesFinalMessage
        for format in ChatFormat.allCases {
            guard let prompt = try? format.prompt(messages, tools: tools, options: options) else {
                continue
            }
            let tokens = SmallModel.tokenizer.encode(prompt.segments)
            let text = SmallModel.tokenizer.decode(tokens, skippingSpecialTokens: false)
            try BrokenPromise.unless(
                text.utf8.elementsEqual(prompt.text.utf8), "the prompt comes back as \(text)")
        }
    }

    /// A JSON schema: a byte for the format, one for what is demanded, and the schema.
    ///
    /// An answer is drawn under it, and must be what it demands as far as that is JSON.
    static func readSchema(_ bytes: [UInt8]) throws {
        let asked = bytes.dropFirst().first ?? 0
        let schema = try JSONValue(
            parsing: Array(bytes.dropFirst(2)), subject: "schema", rules: .client)
        var demand = AnswerDemand(content: .schema(schema, path: "schema"))
        if asked & 1 != 0, schema.members != nil {
            let tools = try tools(schema)
            demand.calls = .init(tools: tools.map { ($0, "parameters") }, countMax: 2)
            demand.format = format(bytes.first ?? 0)
            if asked & 2 != 0 { demand.content = nil }
        }
        if asked & 4 != 0 { demand.reasoning = .optional }
        let constraint = try SmallModel.constraints.constraint(demand)
        var outcome = constraint.beginning()
        var tokens: [TokenID] = []
        var seed = UInt64(asked) &+ UInt64(bytes.count)
        while case .goesOn(let state, let allowed) = outcome, tokens.count < 48 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let choices = allowed.tokens
            let ends = state.isComplete && seed >> 40 & 1 == 0
            let token = ends ? SmallModel.end : choices[Int(seed >> 33) % choices.count]
            tokens.append(token)
            outcome = constraint.outcome(after: token, in: state)
        }
        if case .stuck(let refusal) = outcome {
            throw BrokenPromise(description: "an allowed token leads nowhere: \(refusal)")
        }
        guard outcome == .complete, demand.calls == nil, demand.reasoning == .absent else { return }
        let text = SmallModel.tokenizer.decode(tokens, skippingSpecialTokens: true)
        do {
            _ = try JSONValue(parsing: text, subject: "answer", rules: .lenient)
        } catch {
            throw BrokenPromise(description: "\(text) is complete and no JSON: \(error)")
        }
    }
}
