import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// What a format's own template does with conversations that few clients send.
@Suite struct ChatScriptTests {
    private static let call = ChatToolCall(id: "1", name: "f", arguments: "{}")

    /// What a format writes, without an opened answer.
    private func text(
        _ format: ChatFormat, _ messages: [ChatMessage], tools: [ChatTool] = [],
        set: (inout ChatOptions) -> Void = { _ in }
    ) throws -> String {
        var options = ChatOptions()
        options.addsGenerationPrompt = false
        set(&options)
        return try format.prompt(messages, tools: tools, options: options).text
    }

    private func tool(_ name: String, _ members: String) throws -> ChatTool {
        let text = #"{"type":"function","function":{"name":"\#(name)"\#(members)}}"#
        return try ChatTool(parsing: JSONValue(parsing: text, subject: "tool"), subject: "tool")
    }

    @Test(arguments: [ChatFormat.deepSeekV3, .deepSeekR1, .deepSeekR1May])
    func resultsAreClosedAtTheEndAndLeftOpenBeforeAQuestion(format: ChatFormat) throws {
        let messages = [
            ChatMessage(.user, "?"), ChatMessage(.assistant, "", toolCalls: [Self.call]),
            ChatMessage(.tool, "1"),
        ]
        #expect(try text(format, messages).hasSuffix("<｜tool▁output▁end｜><｜tool▁outputs▁end｜>"))
        let asked = try text(format, messages + [ChatMessage(.user, "!")])
        #expect(asked.contains("<｜tool▁output▁end｜><｜User｜>!"))
    }

    @Test func v31OpensOnlyTheAnswerToAQuestion() throws {
        let answers = [ChatMessage(.assistant, "a"), ChatMessage(.assistant, "b")]
        let end = ChatMark.end
        let begin = ChatMark.begin
        #expect(
            try text(.deepSeekV31, [ChatMessage(.user, "?")] + answers)
                == "\(begin)<｜User｜>?<｜Assistant｜></think>a\(end)b\(end)")
        #expect(try text(.deepSeekV31, answers) == "\(begin)a\(end)b\(end)")
        #expect(
            try text(.deepSeekV31, [ChatMessage(.system, "Be brief.")]) { options in
                options.addsGenerationPrompt = true
            } == "\(begin)Be brief.")
    }

    @Test func v31CutsThinkingOutOfAnAnswerAlone() throws {
        let thought = "<think>Hm</think>So"
        let messages = [
            ChatMessage(.user, "?"), ChatMessage(.assistant, thought, toolCalls: [Self.call]),
            ChatMessage(.tool, "1"), ChatMessage(.assistant, thought), ChatMessage(.user, "!"),
            ChatMessage(.assistant, thought),
        ]
        let parts = try text(.deepSeekV31, messages).components(separatedBy: "So")
        #expect(parts.count == 4)
        #expect(parts.map { $0.hasSuffix("<think>Hm</think>") } == [true, true, false, false])
    }

    @Test(arguments: [ChatFormat.kimiK2, .kimiK2Thinking, .kimiK25])
    func kimiHeadsATurnByTheNameOfWhoSpeaks(format: ChatFormat) throws {
        var message = ChatMessage(.user, "?")
        message.name = "anna"
        #expect(try text(format, [message]).contains("<|im_user|>anna<|im_middle|>?<|im_end|>"))
    }

    @Test func glmTakesTheAnswerAfterTheLastEndOfThinking() throws {
        let question = ChatMessage(.user, "?")
        func answer(_ message: ChatMessage) throws -> String {
            let whole = try text(.glm47Flash, [question, message])
            return whole.components(separatedBy: "<|assistant|>").last ?? ""
        }
        #expect(
            try answer(ChatMessage(.assistant, "<think>a</think>b</think> c "))
                == "<think>a</think>c")
        #expect(
            try answer(ChatMessage(.assistant, "a</think>b", reasoning: "Hm"))
                == "<think>Hm</think>a</think>b")
        #expect(try answer(ChatMessage(.assistant, "<think>\n\n</think>b")) == "</think>b")
        #expect(
            try answer(ChatMessage(.assistant, "b", reasoning: "\n")) == "<think></think>b")
    }

    /// The end stays as it is: the model goes on right there.
    @Test func glmGoesOnWithAnAnswerAsItWroteItsBeginning() throws {
        let messages = [
            ChatMessage(.user, "?"), ChatMessage(.assistant, "\n It is ", reasoning: " Hm\n"),
        ]
        for (format, thinking) in [(ChatFormat.glm5, "Hm"), (.glm52, " Hm\n")] {
            let prompt = try text(format, messages) { $0.continuesFinalMessage = true }
            #expect(prompt.hasSuffix("<|assistant|><think>\(thinking)</think>It is "))
        }
    }

    @Test func glm52IsNotToldOfToolsThatCanWait() throws {
        let tools = [
            try tool("f", #","defer_loading":true"#), try tool("g", #","defer_loading":false"#),
        ]
        let prompt = try text(.glm52, [ChatMessage(.user, "?")], tools: tools)
        #expect(prompt.contains("<tools>\n{\"name\": \"g\"}\n</tools>"))
    }

    @Test func mistralJoinsWhatOneSpeakerSaysInARow() throws {
        let messages = [
            ChatMessage(.user, "a"), ChatMessage(.user, ""), ChatMessage(.user, "b "),
            ChatMessage(.assistant, "c "), ChatMessage(.assistant, "d ", toolCalls: [Self.call]),
            ChatMessage(.tool, "1"), ChatMessage(.tool, "2"),
        ]
        #expect(
            try text(.mistralLarge3, messages)
                == "<s>[INST]a\n\nb [/INST]c \n\nd[TOOL_CALLS]f[ARGS]{}</s>"
                + "[TOOL_RESULTS]1[/TOOL_RESULTS][TOOL_RESULTS]2[/TOOL_RESULTS]")
    }
}
