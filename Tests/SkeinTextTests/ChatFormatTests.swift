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
