import Foundation
import SkeinText
import Testing

@testable import SkeinServer

/// What models really write, through the whole server: the checkpoint says it word for word.
@Suite struct ScriptedAnswerTests {
    /// An answer as a client gets it.
    struct Answer: Equatable {
        var finishReason = ""
        var content: String?
        var reasoning: String?
        var calls: [[String]] = []
    }

    private static let calls = (
        begin: "<｜tool▁calls▁begin｜>", call: "<｜tool▁call▁begin｜>", separator: "<｜tool▁sep｜>",
        end: "<｜tool▁call▁end｜>", over: "<｜tool▁calls▁end｜>"
    )
    static let tools =
        #""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","#
        + #""properties":{"x":{"type":"string"}}}}},{"type":"function","function":{"name":"g"}}]"#

    @Test func aCallWithoutArgumentsHasAnEmptyObject() async throws {
        let (begin, call, separator, end, over) = Self.calls
        let answer = try await Self.answer(
            .deepSeekV31, [begin, call + "f" + separator + end, over], Self.tools)
        #expect(answer == Answer(finishReason: "tool_calls", calls: [["f", "{}"]]))
    }

    @Test func aSecondOpeningMarkIsNoThought() async throws {
        let answer = try await Self.answer(
            .deepSeekR1, ["<think>", "\nabc", "</think>", "answer"])
        #expect(
            answer == Answer(finishReason: "stop", content: "answer", reasoning: "\nabc"))
    }

    @Test(arguments: ["include_stop_str_in_output", "no_stop_trim"])
    func aStopStringStaysWhereARequestWantsIt(_ field: String) async throws {
        let pieces = ["it is 7", "+", "5=12"]
        let cut = try await Self.answer(.deepSeekV3, pieces, "\"stop\":[\"7+5\"]")
        #expect(cut == Answer(finishReason: "stop", content: "it is "))
        let whole = try await Self.answer(
            .deepSeekV3, pieces, "\"stop\":[\"7+5\"],\"\(field)\":true")
        #expect(whole == Answer(finishReason: "stop", content: "it is 7+5"))
    }

    @Test func stopStringsActOnContentAlone() async throws {
        let thinking = "\"chat_template_kwargs\":{\"thinking\":true},\"stop\":[\"7+5\"]"
        let thought = try await Self.answer(
            .deepSeekV31, ["first 7", "+5 then", "</think>", "it is 7", "+", "5=12"], thinking)
        #expect(
            thought
                == Answer(
                    finishReason: "stop", content: "it is ", reasoning: "first 7+5 then"))
        let (begin, call, separator, end, over) = Self.calls
        let called = try await Self.answer(
            .deepSeekV31,
            ["let me", begin, call + "f" + separator, "{\"x\": \"7", "+5\"}", end, over],
            Self.tools + ",\"stop\":\"7+5\"")
        #expect(
            called
                == Answer(
                    finishReason: "tool_calls", content: "let me",
                    calls: [["f", "{\"x\": \"7+5\"}"]])
        )
    }

    /// A call that is cut by the bound is no whole call, and what is there of it is not closed.
    @Test func aCutCallStaysOpen() async throws {
        let (begin, call, separator, end, over) = Self.calls
        let answer = try await Self.answer(
            .deepSeekV31,
            [begin, call, "f", separator, "{\"x\": \"O", "slo", "\"}", end, over],
            Self.tools + ",\"max_tokens\":6")
        #expect(
            answer == Answer(finishReason: "length", calls: [["f", "{\"x\": \"Oslo"]]))
        let ended = try await Self.answer(
            .deepSeekV31, [begin, call, "f", separator, "{\"x\": \"Oslo"], Self.tools)
        #expect(ended == Answer(finishReason: "stop", calls: [["f", "{\"x\": \"Oslo"]]))
    }

    @Test func controlTokensStayOutOfTheText() async throws {
        let chunks = ["a", "<｜Assistant｜>", "b", "<｜▁pad▁｜>", "c<｜place▁holder▁no▁1｜>"]
        let shown = "abc<｜place▁holder▁no▁1｜>"
        #expect(try await Self.answer(.deepSeekV31, chunks).content == shown)
        let offered = try await Self.answer(.deepSeekV31, chunks, Self.tools)
        #expect(offered == Answer(finishReason: "stop", content: shown))
    }

    /// The answer, which must be the same whole and in pieces.
    static func answer(
        _ format: ChatFormat, _ chunks: [String], _ fields: String = "\"max_tokens\":80"
    ) async throws -> Answer {
        let checkpoint = try ScriptedCheckpoint(saying: chunks, format: format)
        let server = try await TestServer(
            model: checkpoint.folder.path(percentEncoded: false), nodeCount: 1)
        let body = TestServer.chat("q", "\"temperature\":0," + fields)
        let whole = try await server.ask("/v1/chat/completions", body)
        let stream = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat("q", "\"temperature\":0,\"stream\":true," + fields))
        await server.stop()
        try checkpoint.remove()
        let answer = try Answer(whole: whole.choices()[0])
        let streamed = try Answer(events: stream.events())
        #expect(streamed == answer)
        return answer
    }
}

extension ScriptedAnswerTests.Answer {
    init(whole choice: [String: Any]) {
        finishReason = choice["finish_reason"] as? String ?? ""
        let message = choice["message"] as? [String: Any] ?? [:]
        content = message["content"] as? String
        reasoning = message["reasoning_content"] as? String
        for call in message["tool_calls"] as? [[String: Any]] ?? [] {
            let function = call["function"] as? [String: String] ?? [:]
            calls.append([function["name"] ?? "", function["arguments"] ?? ""])
        }
    }

    init(events: [[String: Any]]) {
        for event in events {
            let choice = (event["choices"] as? [[String: Any]])?.first ?? [:]
            if let reason = choice["finish_reason"] as? String { finishReason = reason }
            let delta = choice["delta"] as? [String: Any] ?? [:]
            if let text = delta["content"] as? String { content = (content ?? "") + text }
            if let text = delta["reasoning_content"] as? String {
                reasoning = (reasoning ?? "") + text
            }
            for call in delta["tool_calls"] as? [[String: Any]] ?? [] {
                let function = call["function"] as? [String: String] ?? [:]
                let index = call["index"] as? Int ?? 0
                if index == calls.count { calls.append(["", ""]) }
                calls[index][0] += function["name"] ?? ""
                calls[index][1] += function["arguments"] ?? ""
            }
        }
        // A stream opens with an empty content, whether any follows or not.
        if content == "", !calls.isEmpty { content = nil }
    }
}
