import Foundation
import SkeinCore
import Testing

@testable import SkeinText

@Suite struct ChatFormatTests {
    @Test(arguments: [("chat", 200), ("chat2", 380)])
    func everyVectorIsWrittenExactly(file: String, atLeast count: Int) throws {
        let cases = try #require(
            try Golden.json("Tests/Golden/oracle/vectors/\(file).json")["cases"]?.array)
        #expect(cases.count > count)
        for entry in cases where entry["agrees_with_specification"]?.bool != false {
            try ChatCase(entry).expectExactPrompt()
        }
    }
}

extension ChatFormatTests {
    static let callFormats = ChatFormat.allCases.filter { $0.traits.callForm != nil }

    /// The client sends back what the model wrote, and the model must find it as it wrote it, even
    /// where that was cut off.
    @Test(
        arguments: callFormats.filter { $0.traits.callForm?.spelling.parameter == nil },
        [
            #"{"x":"\u00e9","y":1.50}"#, #"{"x": "Os"#, "[1]", "null", "{}", "no JSON", "{\n}",
            #"{"a":1,"a":2}"#,
        ])
    func argumentsAreQuotedWordForWord(format: ChatFormat, arguments: String) throws {
        let prompt = try format.prompt(Self.conversation(arguments)).text
        #expect(prompt.contains(arguments))
    }

    @Test(arguments: callFormats)
    func noArgumentsAreAnEmptyObject(format: ChatFormat) throws {
        let empty = try format.prompt(Self.conversation("{}")).text
        for arguments in ["", " \n"] {
            #expect(try format.prompt(Self.conversation(arguments)).text == empty)
        }
    }

    @Test(arguments: callFormats.filter { $0.traits.callForm?.spelling.parameter != nil })
    func argumentsThatAreNoObjectAreOneParameter(format: ChatFormat) throws {
        for arguments in [#"{"x": "Os"#, "[1]", "no JSON"] {
            let prompt = try format.prompt(Self.conversation(arguments)).text
            #expect(prompt.contains(">\(arguments)<") && prompt.contains("arguments"))
        }
    }

    /// A conversation with one call, as a request has it.
    private static func conversation(_ arguments: String) throws -> [ChatMessage] {
        let call = JSONValue.object([
            .init(
                "function",
                .object([
                    .init("name", .string("f")), .init("arguments", .string(arguments)),
                ]))
        ])
        let answer = try ChatMessage(
            parsing: .object([
                .init("role", .string("assistant")), .init("tool_calls", .array([call])),
            ]), subject: "messages[1]")
        return [ChatMessage(.user, "?"), answer, ChatMessage(.tool, "bad")]
    }

    /// Whatever the order in which results come in, each stands where its call does.
    @Test(arguments: callFormats)
    func resultsFollowTheOrderOfTheirCalls(format: ChatFormat) throws {
        let calls = ["f", "g", "h"].map { ChatToolCall(id: $0, name: $0, arguments: "{}") }
        func prompt(_ ids: [String?]) throws -> String {
            try format.prompt(
                [ChatMessage(.user, "?"), ChatMessage(.assistant, "", toolCalls: calls)]
                    + ids.map { ChatMessage(.tool, "of \($0 ?? "none")", toolCallID: $0) }
                    + [ChatMessage(.user, "!")]
            ).text
        }
        let ordered = try prompt(["f", "g", "h"])
        for ids in [["g", "f", "h"], ["h", "g", "f"], ["h", "f", "g"]] {
            #expect(try prompt(ids) == ordered)
        }
        let stray = try prompt(["x", "g", nil, "f"])
        let places = ["of f", "of g", "of x", "of none"].compactMap { stray.range(of: $0) }
        #expect(places.count == 4)
        #expect(zip(places, places.dropFirst()).allSatisfy { $0.lowerBound < $1.lowerBound })
    }

    @Test func contentPartsArePutTogether() throws {
        let text =
            #"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#
        let message = try ChatMessage(
            parsing: JSONValue(parsing: text, subject: "test"), subject: "messages[0]")
        #expect(message == ChatMessage(.user, "ab"))
    }

    @Test(arguments: [
        (#"[]"#, "m: found a list of 0, expected an object"), (#"{}"#, "m: role: is missing"),
        (#"{"role":"bot"}"#, #"m: role: found "bot", expected system, developer"#),
        (#"{"role":"user","content":5}"#, "m: content: found 5, expected a string"),
        (#"{"role":"user","content":[{"type":"image_url"}]}"#, "m: content[0].type: found"),
        (#"{"role":"user","tool_calls":[{"function":{"name":"f"}}]}"#, "m: tool_calls: only"),
        (#"{"role":"assistant","tool_calls":[{}]}"#, "m: tool_calls[0].function: is missing"),
        (
            #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}"#,
            "m: tool_calls[0].function.arguments: found an object of 0, expected a string"
        ),
    ])
    func aBrokenMessageIsRefusedInOneLine(text: String, line: String) throws {
        let value = try JSONValue(parsing: text, subject: "test")
        #expect {
            try ChatMessage(parsing: value, subject: "m")
        } throws: { "\($0)".hasPrefix(line) }
    }

    @Test(arguments: [
        "[]", "{}", #"{"type":"retrieval"}"#, #"{"type":"function"}"#,
        #"{"type":"function","function":{}}"#,
        #"{"type":"function","function":{"name":"f","parameters":[]}}"#,
    ])
    func aBrokenToolIsRefused(text: String) throws {
        let value = try JSONValue(parsing: text, subject: "test")
        #expect { try ChatTool(parsing: value, subject: "tools[0]") } throws: {
            "\($0)".hasPrefix("tools[0]: ")
        }
    }

    @Test func aFormatWithoutToolsSaysSo() throws {
        #expect(throws: Refusal("messages[0]", "the chat format deepseek-v2 has no tools")) {
            try ChatFormat.deepSeekV2.prompt([ChatMessage(.tool, "21 C")])
        }
        #expect(throws: Refusal("messages", "found none, expected one")) {
            try ChatFormat.deepSeekV3.prompt([])
        }
    }

    /// A second call right after a result goes on without a new speaker.
    @Test func aCallAfterAResultGoesOn() throws {
        let call = ChatToolCall(id: "1", name: "f", arguments: "{}")
        let messages = [
            ChatMessage(.user, "?"), ChatMessage(.assistant, "", toolCalls: [call]),
            ChatMessage(.tool, "1"), ChatMessage(.assistant, "", toolCalls: [call]),
            ChatMessage(.tool, "2"),
        ]
        let v3 = try ChatFormat.deepSeekV3.prompt(messages).text
        #expect(v3.contains("<｜tool▁outputs▁end｜><｜tool▁calls▁begin｜>"))
        #expect(v3.hasSuffix("2<｜tool▁output▁end｜><｜tool▁outputs▁end｜>"))
        let v31 = try ChatFormat.deepSeekV31.prompt(messages).text
        #expect(v31.contains("1<｜tool▁output▁end｜><｜tool▁calls▁begin｜>"))
    }

    @Test func kimiGivesAResultToTheCallItNames() throws {
        let calls = ["a", "b"].map { ChatToolCall(id: $0, name: $0, arguments: "{}") }
        let prompt = try ChatFormat.kimiK2.prompt([
            ChatMessage(.system, ""), ChatMessage(.assistant, "", toolCalls: calls),
            ChatMessage(.tool, "2", toolCallID: "b"), ChatMessage(.tool, "1", toolCallID: "a"),
        ])
        #expect(prompt.text.contains("functions.b:1\n2<|im_end|>"))
        #expect(prompt.text.contains("functions.a:0\n1<|im_end|>"))
    }

    @Test(arguments: ChatFormat.allCases)
    func aPromptMayEndInsideTheLastMessage(format: ChatFormat) throws {
        var options = ChatOptions()
        options.continuesFinalMessage = true
        let messages = [ChatMessage(.user, "?"), ChatMessage(.assistant, "The answer is ")]
        let prompt = try format.prompt(messages, options: options)
        #expect(prompt.text.hasSuffix("The answer is ") && !prompt.opensReasoning)
        options.continuesFinalMessage = false
        options.addsGenerationPrompt = false
        let whole = try format.prompt(messages, options: options).text
        // These leave out white space at the end of an answer.
        let strips = [.glm47Flash, .glm5, .glm52, .mistralLarge3].contains(format)
        if !strips { #expect(whole.exact.starts(with: prompt.text.exact)) }
        options.continuesFinalMessage = true
        for last in [
            ChatMessage(.user, "?"),
            ChatMessage(
                .assistant, "", toolCalls: [ChatToolCall(id: "", name: "f", arguments: "{}")]),
        ] {
            #expect {
                try format.prompt([ChatMessage(.user, "?"), last], options: options)
            } throws: { "\($0)".hasPrefix("messages[1]: is no assistant's message") }
        }
    }

    @Test(arguments: ChatFormat.allCases.filter { $0.traits.thinking != .never })
    func aPromptMayEndInsideTheThinking(format: ChatFormat) throws {
        var options = ChatOptions(isThinking: true)
        options.continuesFinalMessage = true
        let question = ChatMessage(.user, "?")
        let thought = ChatMessage(.assistant, "", reasoning: "Let me")
        let open = try format.prompt([question, thought], options: options)
        #expect(open.text.hasSuffix("Let me") && open.opensReasoning)
        let both = ChatMessage(.assistant, "It is", reasoning: "Let me see.")
        let closed = try format.prompt([question, both], options: options)
        #expect(closed.text.hasSuffix("Let me see.</think>It is") && !closed.opensReasoning)
    }
}

extension ChatFormatTests {
    @Test(arguments: ChatFormat.allCases)
    func aPromptWithoutAnOpenAnswerEndsWithTheLastMessage(format: ChatFormat) throws {
        var options = ChatOptions(isThinking: true)
        options.addsGenerationPrompt = false
        let prompt = try format.prompt([ChatMessage(.user, "Hello")], options: options)
        let rest = prompt.text.components(separatedBy: "Hello").last ?? ""
        // The template of R1-0528 opens the answer with every question.
        let open = format == .deepSeekR1May ? "<｜Assistant｜>" : ""
        #expect(["", "\n\n", "<|im_end|>", "[/INST]", open].contains(rest))
        #expect(!prompt.opensReasoning)
    }
}
