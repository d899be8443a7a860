import SkeinCore
import Testing

@testable import SkeinText

@Suite struct AnswerParserTests {
    static let tool = JSONValue.object([
        .init("type", .string("function")),
        .init(
            "function",
            .object([
                .init("name", .string("search")),
                .init(
                    "parameters",
                    .object([
                        .init(
                            "properties",
                            .object([
                                .init("query", .object([.init("type", .string("string"))])),
                                .init("code", .object([.init("type", .string("string"))])),
                            ]))
                    ])),
            ])),
    ])

    static let arguments = """
        {"query": "naïve \\"quotes\\" & <tags>\\n}{ ```", "limit": 3, "exact": true, \
        "after": null, "tags": ["a", "b é"], "range": {"min": 0.5, "max": [1, 2]}, "code": "12"}
        """

    /// What a prompt of the format would show the model, the model writes, and we read back.
    @Test(arguments: ChatFormat.allCases.filter { $0 != .deepSeekV2 })
    func callsAreReadAsTheFormatWritesThem(format: ChatFormat) throws {
        let tools = [try ChatTool(parsing: Self.tool, subject: "tools[0]")]
        let arguments = try JSONValue(parsing: Self.arguments, subject: "arguments")
        // Kimi's models read names out of the ids that we give.
        let calls = [("search", Self.arguments), ("ping", "{}")].enumerated().map { number, call in
            ChatToolCall(
                id: format.callID(of: call.0, number: number) ?? "\(number)", name: call.0,
                arguments: call.1)
        }
        let question = [ChatMessage(.user, "?")]
        var options = ChatOptions()
        let asked = try format.prompt(question, tools: tools, options: options)
        options.addsGenerationPrompt = false
        let answered = try format.prompt(
            question + [ChatMessage(.assistant, "Let me look.", toolCalls: calls)], tools: tools,
            options: options)
        // A past turn carries no thinking, so where the prompt opens it the model must end it.
        let opening = asked.opensReasoning ? "<think>\n" : ""
        let known = asked.text.exact.dropLast(opening.utf8.count)
        #expect(answered.text.exact.starts(with: known))
        var output = String(decoding: answered.text.exact.dropFirst(known.count), as: UTF8.self)
        if asked.opensReasoning { output = "Hmm</think>" + output }
        for end in format.traits.endMarks where output.hasSuffix(end) {
            output.removeLast(end.count)
        }

        for pieces in Cuts.some(of: output) {
            var parser = AnswerParser(answering: asked, tools: tools)
            var found: [AnswerPiece] = []
            for piece in pieces { found += parser.push(piece) }
            found += parser.finish()
            let answer = ParsedAnswer(found)
            #expect(answer.content == "Let me look.")
            #expect(answer.names == ["search", "ping"])
            #expect(answer.endedCount == 2 && parser.callCount == 2)
            try #require(answer.arguments.count == 2)
            #expect(
                try JSONValue(parsing: answer.arguments[0], subject: "arguments") == arguments)
            #expect(
                try JSONValue(parsing: answer.arguments[1], subject: "arguments") == .object([]))
        }
    }

    @Test func argumentsArriveWhileTheyAreWritten() {
        var parser = ToolCallParser(.plain)
        #expect(parser.push("Hi<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f") == [.content("Hi")])
        #expect(
            parser.push("<｜tool▁sep｜>{\"a\":") == [
                .callBegin(index: 0, name: "f"), .callArguments(index: 0, text: "{\"a\":"),
            ])
        #expect(parser.push(" [1") == [.callArguments(index: 0, text: " [1")])
        // The object is whole; a mark that says so may come or not.
        #expect(
            parser.push("]}<｜tool▁call") == [
                .callArguments(index: 0, text: "]}"), .callEnd(index: 0),
            ])
        #expect(parser.push("▁end｜>") == [])
        #expect(parser.push("<｜tool▁calls▁end｜>") == [] && parser.finish() == [])
        #expect(!parser.hasOpenCall)
    }

    @Test func aCallThatBreaksOffShows() {
        var parser = ToolCallParser(.fenced)
        let begin = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\""
        #expect(
            parser.push(begin) == [
                .callBegin(index: 0, name: "f"), .callArguments(index: 0, text: "{\"a\""),
            ])
        #expect(parser.finish() == [] && parser.hasOpenCall)
    }

    @Test func withoutToolsEverythingIsContent() throws {
        let prompt = try ChatFormat.deepSeekV31.prompt([ChatMessage(.user, "?")])
        var parser = AnswerParser(answering: prompt)
        let text = "a<｜tool▁calls▁begin｜>"
        #expect(ParsedAnswer(parser.push(text) + parser.finish()).content == text)
    }

    @Test(arguments: [
        (true, "Hmm</think>Yes", "Hmm", "Yes"), (true, "Hmm", "Hmm", ""),
        (true, "a</thin</think></think>", "a</thin", "</think>"), (true, "</think>Yes", "", "Yes"),
        (false, "<think>Hmm</think>Yes", "Hmm", "Yes"), (false, "\n<think>x", "x", ""),
        (false, "Yes <think>no</think>", "", "Yes <think>no</think>"), (false, "<thi", "", "<thi"),
        (true, "<think>Hmm</think>Yes", "Hmm", "Yes"), (true, "\n<think>a", "a", ""),
        (true, "say <think>", "say <think>", ""), (false, "<think>\n<think>a", "a", ""),
        (false, " \n", "", " \n"), (false, "Yes</think>", "", "Yes</think>"), (false, "", "", ""),
    ])
    func thinkingEndsWhereItShould(
        startsInside: Bool, text: String, reasoning: String, content: String
    ) {
        for pieces in Cuts.some(of: text) {
            var splitter = ReasoningSplitter(startsInside: startsInside)
            var found = ("", "")
            for piece in pieces.flatMap({ splitter.push($0) }) + splitter.finish() {
                switch piece {
                case .reasoning(let text): found.0 += text
                case .content(let text): found.1 += text
                }
            }
            #expect(found == (reasoning, content), "\(pieces)")
        }
    }

    @Test func thePromptSaysWhereTheAnswerBegins() throws {
        let question = [ChatMessage(.user, "?")]
        let thinking = ChatOptions(isThinking: true)
        let opened = try ChatFormat.deepSeekV31.prompt(question, options: thinking)
        var parser = AnswerParser(answering: opened)
        #expect(parser.isInsideReasoning)
        #expect(parser.push("Hmm</think>Yes") == [.reasoning("Hmm"), .content("Yes")])
        let closed = try ChatFormat.deepSeekV31.prompt(question)
        #expect(!AnswerParser(answering: closed).isInsideReasoning)
        #expect(try ChatFormat.deepSeekR1.prompt(question).opensReasoning)
        #expect(try !ChatFormat.deepSeekR1May.prompt(question).opensReasoning)
        #expect(try !ChatFormat.deepSeekV31.prompt([ChatMessage(.user, "<think>")]).opensReasoning)
    }

    /// Whatever a model writes, the parsers neither trap nor invent text.
    @Test func anyTextIsParsed() {
        var numbers = SeededNumbers(seed: 11)
        let words = [
            "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>",
            "<｜tool▁calls▁end｜>", "<｜DSML｜invoke name=\"", "\">", "</｜DSML｜invoke>", "<tool_call>",
            "<｜DSML｜function_calls>", "<｜DSML｜parameter name=\"", "\" string=\"true\">",
            "<arg_key>",
            "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>", "\n", "{", "}", "\"", "f",
            "<think>", "</think>", "```", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
        ]
        for round in 0..<2_000 {
            let forms = [ToolCallForm.plain, .fenced, .kimi, .dsml, .keyed]
            var parser = ToolCallParser(forms[round % forms.count])
            var begun = 0
            var ended = 0
            var found: [AnswerPiece] = []
            for _ in 0..<12 {
                found += parser.push(words[Int.random(in: words.indices, using: &numbers)])
            }
            found += parser.finish()
            for piece in found {
                if case .callBegin(let index, _) = piece {
                    #expect(index == begun)
                    begun += 1
                }
                if case .callEnd(let index) = piece {
                    #expect(index == begun - 1)
                    ended += 1
                }
            }
            #expect(ended <= begun && parser.callCount == begun)
        }
    }
}

/// The pieces of an answer put together.
struct ParsedAnswer {
    var content = ""
    var reasoning = ""
    var names: [String] = []
    var arguments: [String] = []
    var endedCount = 0

    init(_ pieces: [AnswerPiece]) {
        for piece in pieces {
            switch piece {
            case .reasoning(let text): reasoning += text
            case .content(let text): content += text
            case .callBegin(_, let name):
                names.append(name)
                arguments.append("")
            case .callArguments(let index, let text): arguments[index] += text
            case .callEnd: endedCount += 1
            }
        }
    }
}
