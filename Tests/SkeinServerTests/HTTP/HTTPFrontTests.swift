import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinText
import Testing

@testable import SkeinServer

@Suite struct HTTPFrontTests {
    private static let question = "What is 47 + 85?"
    private static let thinking =
        "\"temperature\": 0, \"chat_template_kwargs\": {\"thinking\": true}"

    @Test func anAnswerIsWhatTheCoordinatorDraws() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, Self.thinking))
        let message = try reply.message()
        let (reasoning, content, count) = try await Self.direct(server)
        #expect(message["content"] as? String == content)
        #expect(message["reasoning_content"] as? String == reasoning)
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == count)
        #expect(usage["prompt_tokens"] as? Int == 17)
        let details = try #require(usage["completion_tokens_details"] as? [String: Int])
        #expect((1..<count).contains(details["reasoning_tokens"] ?? 0))
        #expect(reply.headers["x-request-id"]?.hasPrefix("req_") == true)
    }

    @Test func aStreamHoldsTheSameTextInPieces() async throws {
        let server = try await TestServer.shared.value
        let whole = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, Self.thinking))
        let stream = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(
                Self.question,
                Self.thinking + ", \"stream\": true, \"stream_options\": {\"include_usage\": true}")
        )
        #expect(stream.headers["content-type"]?.hasPrefix("text/event-stream") == true)
        #expect(try stream.deltas("content") == whole.message()["content"] as? String)
        #expect(
            try stream.deltas("reasoning_content")
                == whole.message()["reasoning_content"] as? String)
        let events = try stream.events()
        let last = try #require(events.last)
        #expect((last["choices"] as? [Any])?.isEmpty == true)
        var usage = try #require(last["usage"] as? [String: Any])
        var expected = try #require(try whole.json()["usage"] as? [String: Any])
        // What was cached depends on who asked before.
        #expect(usage.removeValue(forKey: "prompt_tokens_details") != nil)
        #expect(expected.removeValue(forKey: "prompt_tokens_details") != nil)
        #expect(NSDictionary(dictionary: usage) == NSDictionary(dictionary: expected))
        #expect(events.dropLast().allSatisfy { $0["usage"] is NSNull })
    }

    @Test func anAnswerWithoutThinkingHasNoReasoning() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question))
        #expect(try reply.message()["reasoning_content"] == nil)
        #expect(try (reply.message()["content"] as? String)?.hasPrefix("47 + 85 =") == true)
    }

    @Test(arguments: [false, true])
    func anAnswerEndsBeforeAStopString(_ streams: Bool) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(
                Self.question, "\"temperature\": 0, \"stop\": [\" =\"], \"stream\": \(streams)"))
        if streams {
            #expect(try reply.deltas("content") == "47 + 85")
        } else {
            #expect(try reply.message()["content"] as? String == "47 + 85")
            #expect(try reply.choices()[0]["finish_reason"] as? String == "stop")
        }
    }

    @Test func anAnswerEndsAtItsLength() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(Self.question, "\"temperature\": 0, \"max_completion_tokens\": 3"))
        #expect(try reply.choices()[0]["finish_reason"] as? String == "length")
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == 3)
    }

    @Test func logProbabilitiesNameTheTokens() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(
                Self.question, "\"temperature\": 0, \"logprobs\": true, \"top_logprobs\": 3"))
        let logprobs = try #require(try reply.choices()[0]["logprobs"] as? [String: Any])
        let content = try #require(logprobs["content"] as? [[String: Any]])
        let text = content.compactMap { $0["token"] as? String }.joined()
        #expect(try text == reply.message()["content"] as? String)
        for entry in content {
            let best = try #require(entry["top_logprobs"] as? [[String: Any]])
            #expect(best.count == 3)
            // A greedy token is its own best alternative.
            #expect(best[0]["token"] as? String == entry["token"] as? String)
            #expect(try #require(entry["logprob"] as? Double) <= 0)
        }
    }

    @Test func severalAnswersToOneSeedStayTheSame() async throws {
        let server = try await TestServer.shared.value
        let fields = "\"temperature\": 1.5, \"seed\": 7, \"max_tokens\": 24, \"n\": 2"
        let body = TestServer.chat("Write something.", fields)
        let first = try await server.ask("/v1/chat/completions", body).choices()
        let second = try await server.ask("/v1/chat/completions", body).choices()
        let texts = first.map { Self.text($0) }
        #expect(texts == second.map { Self.text($0) })
        #expect(texts.count == 2 && texts[0] != texts[1])
        let alone = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(
                "Write something.", "\"temperature\": 1.5, \"seed\": 7, \"max_tokens\": 24"))
        #expect(try Self.text(alone.choices()[0]) == texts[0])
    }

    @Test func aTextAndItsTokensGoOnAlike() async throws {
        let server = try await TestServer.shared.value
        let tokens = try await server.ask("/tokenize", #"{"prompt": "47 + 85 ="}"#).json()["tokens"]
        let ids = try #require(tokens as? [Int])
        let text = try await server.ask(
            "/v1/completions", #"{"prompt": "47 + 85 =", "temperature": 0, "max_tokens": 6}"#)
        let numbers = try await server.ask(
            "/v1/completions", "{\"prompt\": \(ids), \"temperature\": 0, \"max_tokens\": 6}")
        #expect(try text.choices()[0]["text"] as? String == numbers.choices()[0]["text"] as? String)
        let several = try await server.ask(
            "/v1/completions",
            #"{"prompt": ["47 + 85 =", "A"], "temperature": 0, "max_tokens": 6, "n": 2}"#)
        #expect(try several.choices().count == 4)
        #expect(
            try several.choices()[1]["text"] as? String == text.choices()[0]["text"] as? String)
        let back = try await server.ask("/detokenize", "{\"tokens\": \(ids.dropFirst())}")
        #expect(try back.json()["prompt"] as? String == "47 + 85 =")
    }

    @Test func theClusterTellsItsState() async throws {
        let server = try await TestServer.shared.value
        let state = try await server.ask("/v1/cluster").json()
        #expect(state["ready"] as? Bool == true)
        let nodes = try #require(state["nodes"] as? [[String: Any]])
        #expect(nodes.count == 2)
        #expect((nodes[0]["stages"] as? [[String: Any]])?.count == 1)
        #expect(try await server.ask("/health").status == 200)
        let models = try await server.ask("/v1/models").json()
        let names = (models["data"] as? [[String: Any]])?.map { $0["id"] as? String }
        #expect(names == ["gosling"])
        #expect(try await server.ask("/v1/models/gosling").status == 200)
    }

    // MARK: Rooms

    private static func text(_ choice: [String: Any]) -> String {
        (choice["message"] as? [String: Any])?["content"] as? String ?? ""
    }

    /// The answer as `skein generate` reads it.
    private static func direct(
        _ server: TestServer
    ) async throws -> (reasoning: String, content: String, count: Int) {
        let setup = try #require(server.service.text)
        let format = try #require(setup.chatFormat?.format)
        let prompt = try format.prompt(
            [ChatMessage(.user, question)], options: ChatOptions(isThinking: true))
        var reader = try AnswerReader(
            setup, answering: prompt, options: .init(stopTokens: setup.endTokens))
        let (_, events) = try await server.cluster.coordinator.submit(
            GenerationRequest(
                promptTokens: setup.tokenizer.encode(prompt.segments), newTokensMax: 500,
                stopTokens: setup.endTokens))
        var pieces: [AnswerPiece] = []
        var count = 0
        for try await case .token(let token) in events {
            pieces += reader.push(token.token)
            count += 1
        }
        pieces += reader.finish()
        var texts = (reasoning: "", content: "", count: count)
        for piece in pieces {
            switch piece {
            case .reasoning(let text): texts.reasoning += text
            case .content(let text): texts.content += text
            case .callBegin, .callArguments, .callEnd: Issue.record("a call without tools")
            }
        }
        return texts
    }
}
