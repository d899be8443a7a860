import SkeinCore
import Testing

@testable import SkeinText

/// A conversation with the prompt that a format's own encoder makes of it.
struct ChatCase {
    static let formats: [String: ChatFormat] = [
        "v2": .deepSeekV2, "v3": .deepSeekV3, "r1": .deepSeekR1, "r1-0528": .deepSeekR1May,
        "v3.1": .deepSeekV31, "v3.2": .deepSeekV32, "kimi-k2": .kimiK2,
        "glm-4.7-flash": .glm47Flash, "kimi-k2-thinking": .kimiK2Thinking, "kimi-k2.5": .kimiK25,
        "glm-5": .glm5, "glm-5.2": .glm52, "mistral-large-3": .mistralLarge3,
    ]

    let name: String
    let format: ChatFormat
    var messages: [ChatMessage]
    let tools: [ChatTool]
    var options = ChatOptions()
    let expected: String

    /// Reads a case; its messages and tools are those of OpenAI's interface.
    init(_ entry: JSONValue) throws {
        name = try #require(entry["name"]?.string)
        format = try #require(Self.formats[entry["format"]?.string ?? ""])
        expected = try #require(entry["expected"]?.string)
        messages = try #require(entry["messages"]?.array).map {
            try ChatMessage(parsing: $0, subject: "messages")
        }
        // The reference read the arguments and wrote them again.
        for message in messages.indices {
            for call in messages[message].toolCalls.indices {
                let text = messages[message].toolCalls[call].arguments
                messages[message].toolCalls[call].arguments =
                    try JSONValue(parsing: text, subject: "arguments").pythonText
            }
        }
        tools = try (entry["tools"]?.array ?? []).map {
            try ChatTool(parsing: $0, subject: "tools")
        }
        let asked = entry["options"]
        options.isThinking = asked?["thinking"]?.bool == true
        options.addsGenerationPrompt = asked?["add_generation_prompt"]?.bool == true
        options.continuesFinalMessage = asked?["continue_final_message"]?.bool == true
        options.keepsReasoning =
            asked?["clear_thinking"]?.bool == false || asked?["preserve_thinking"]?.bool == true
        options.effort = asked?["reasoning_effort"]?.string.flatMap(ReasoningEffort.init)
    }

    /// Holds the prompt against the encoder's, byte by byte.
    func expectExactPrompt() throws {
        let prompt = try format.prompt(messages, tools: tools, options: options)
        #expect(prompt.text.exact == expected.exact, "\(name)\n\(prompt.text)\n\(expected)")
        let isOpen = ["<think>", "<think>\n"].contains { expected.hasSuffix($0) }
        let continuesThinking = messages.last?.isPrefix == true && options.isThinking
        #expect(prompt.opensReasoning == (isOpen || continuesThinking), "\(name)")
    }
}
