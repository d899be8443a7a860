import SkeinCore
import Testing

@testable import SkeinText

@Suite struct ChatFormatTests {
    static let names: [String: ChatFormat] = [
        "v2": .deepSeekV2, "v3": .deepSeekV3, "r1": .deepSeekR1, "r1-0528": .deepSeekR1May,
        "v3.1": .deepSeekV31, "v3.2": .deepSeekV32, "kimi-k2": .kimiK2,
        "glm-4.7-flash": .glm47Flash,
    ]

    @Test func everyVectorIsWrittenExactly() throws {
        let cases = try #require(
            try Golden.json("Tests/Golden/oracle/vectors/chat.json")["cases"]?.array)
        #expect(cases.count > 200)
        for entry in cases where entry["agrees_with_specification"]?.bool != false {
            let name = try #require(entry["name"]?.string)
            let format = try #require(Self.names[entry["format"]?.string ?? ""])
            let messages = try #require(entry["messages"]?.array).map {
                try ChatMessage(parsing: $0, subject: "messages")
            }
            let tools = try (entry["tools"]?.array ?? []).map {
                try ChatTool(parsing: $0, subject: "tools")
            }
            var options = ChatOptions()
            options.isThinking = entry["options"]?["thinking"]?.bool == true
            options.addsGenerationPrompt = entry["options"]?["add_generation_prompt"]?.bool == true
            let prompt = try format.prompt(messages, tools: tools, options: options)
            let expected = try #require(entry["expected"]?.string)
            #expect(prompt.text.exact == expected.exact, "\(name)\n\(prompt.text)\n\(expected)")
            let opens = ["<think>", "<think>\n"].contains { expected.hasSuffix($0) }
            #expect(prompt.opensReasoning == opens, "\(name)")
        }
    }
}

extension ChatFormatTests {
    @Test func argumentsAreParsedOnceAndWrittenOnce() throws {
        let text =
            #"{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":"#
            + #"{"name":"f","arguments":"{\"b\":1,\"a\":\"é\"}"}}]}"#
        let message = try ChatMessage(
            parsing: JSONValue(parsing: text, subject: "test"), subject: "messages[0]")
        #expect(message.toolCalls.first?.arguments.pythonText == #"{"b": 1, "a": "é"}"#)
        #expect(message.content == "")
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
            #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}"#,
            "m: tool_calls[0].function.arguments: is not valid JSON"
        ),
        (
            #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"[1]"}}]}"#,
            "m: tool_calls[0].function.arguments: found a list of 1, expected an object"
        ),
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
        let call = ChatToolCall(id: "1", name: "f", arguments: .object([]))
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
        let calls = ["a", "b"].map { ChatToolCall(id: $0, name: $0, arguments: .object([])) }
        let prompt = try ChatFormat.kimiK2.prompt([
            ChatMessage(.system, ""), ChatMessage(.assistant, "", toolCalls: calls),
            ChatMessage(.tool, "2", toolCallID: "b"), ChatMessage(.tool, "1", toolCallID: "a"),
        ])
        #expect(prompt.text.contains("functions.b:1\n2<|im_end|>"))
        #expect(prompt.text.contains("functions.a:0\n1<|im_end|>"))
    }
}
