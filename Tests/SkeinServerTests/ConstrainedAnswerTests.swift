import Foundation
import SkeinCore
import SkeinText
import Testing

/// Answers that must be JSON, over HTTP: the bundled model knows nothing of JSON, so what comes out
/// right is the constraint's doing.
@Suite struct ConstrainedAnswerTests {
    private static let question = "What is 47 + 85?"
    private static let schema =
        #"{"type":"object","properties":{"sum":{"type":"integer"},"#
        + #""word":{"type":"string","maxLength":12},"sure":{"enum":["yes","no"]}},"#
        + #""required":["sum","word","sure"],"additionalProperties":false}"#
    private static let form =
        #""response_format":{"type":"json_schema","json_schema":{"name":"sum","strict":true,"#
        + "\"schema\":\(schema)}}"
    private static let tools =
        #""tools":[{"type":"function","function":{"name":"get_weather","parameters":"#
        + #"{"type":"object","properties":{"city":{"type":"string","maxLength":8}},"#
        + #""required":["city"]}}},{"type":"function","function":{"name":"add","parameters":"#
        + #"{"type":"object","properties":{"left":{"type":"integer"},"right":{"type":"integer"}},"#
        + #""required":["left","right"]}}}]"#

    @Test(arguments: [
        "\"temperature\":0", "\"temperature\":1.3,\"seed\":3",
        "\"temperature\":2,\"top_p\":0.9,\"seed\":4,\"presence_penalty\":1",
        "\"temperature\":0,\"chat_template_kwargs\":{\"thinking\":true}",
        "\"temperature\":1,\"seed\":5,\"chat_template_kwargs\":{\"thinking\":true}",
        "\"temperature\":1,\"seed\":6,\"stop\":[\"}\",\":\"],\"logprobs\":true,\"top_logprobs\":2",
        "\"temperature\":1,\"seed\":7,\"ignore_eos\":true,\"logit_bias\":{\"5\":100}",
    ])
    func anAnswerFulfilsItsSchemaWholeAndInPieces(_ fields: String) async throws {
        let server = try await TestServer.shared.value
        let body = "\(fields),\(Self.form),\"max_tokens\":400"
        let whole = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, body))
        let choice = try #require(try whole.choices().first)
        let content = try #require(try whole.message()["content"] as? String)
        let isThinking = fields.contains("thinking")
        if choice["finish_reason"] as? String == "length", isThinking {
            // Thinking may take all there is; then nothing is answered.
            return
        }
        #expect(choice["finish_reason"] as? String == "stop")
        try Self.check(content)
        if isThinking { #expect(try whole.message()["reasoning_content"] is String) }
        let stream = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, body + ",\"stream\":true"))
        #expect(try stream.deltas("content") == content)
        if fields.contains("logprobs") {
            let lists = try #require(choice["logprobs"] as? [String: Any])
            let tokens = try #require(lists["content"] as? [[String: Any]])
            #expect(tokens.compactMap { $0["token"] as? String }.joined() == content)
            #expect(tokens.allSatisfy { ($0["top_logprobs"] as? [Any])?.count == 2 })
        }
    }

    @Test(arguments: ["/v1/chat/completions", "/v1/completions"])
    func anAnswerMayBeATextOfAForm(_ path: String) async throws {
        let server = try await TestServer.shared.value
        for (fields, texts) in [
            (#""guided_regex":"(yes|no)!""#, ["yes!", "no!"]),
            (#""structured_outputs":{"regex":"(yes|no)!"}"#, ["yes!", "no!"]),
            (#""guided_choice":["up","down"]"#, ["up", "down"]),
            (#""structured_outputs":{"choice":["up","down"]}"#, ["up", "down"]),
        ] {
            let body = "\"temperature\":1,\"seed\":4,\"max_tokens\":20,\(fields)"
            let isChat = path.contains("chat")
            let reply = try await server.ask(
                path, isChat ? TestServer.chat(Self.question, body) : "{\"prompt\":\"A\",\(body)}")
            let choice = try #require(try reply.choices().first)
            let text =
                choice["text"] as? String
                ?? (choice["message"] as? [String: Any])?["content"] as? String
            #expect(texts.contains(try #require(text)))
            #expect(choice["finish_reason"] as? String == "stop")
        }
    }

    @Test(arguments: ["thinking_budget", "thinking_token_budget"], [0, 7])
    func thinkingEndsWhereItsTokensAreUsedUp(_ name: String, _ tokensMax: Int) async throws {
        let server = try await TestServer.shared.value
        let body =
            "\"temperature\":0,\"max_tokens\":60,\"\(name)\":\(tokensMax),"
            + #""chat_template_kwargs":{"thinking":true}"#
        let reply = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, body))
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        let details = try #require(usage["completion_tokens_details"] as? [String: Any])
        // The mark that ends the thinking is counted with it.
        #expect((details["reasoning_tokens"] as? Int).map { $0 <= tokensMax + 1 } == true)
        let content = try #require(try reply.message()["content"] as? String)
        #expect(!content.isEmpty && !content.contains("</think>"))
    }

    @Test func severalAnswersFulfilItAndRepeatByTheirSeed() async throws {
        let server = try await TestServer.shared.value
        let body = TestServer.chat(
            Self.question, "\"temperature\":1.5,\"seed\":8,\"n\":4,\(Self.form),\"max_tokens\":300")
        let first = try await server.ask("/v1/chat/completions", body).choices()
        let texts = first.map { ($0["message"] as? [String: Any])?["content"] as? String ?? "" }
        #expect(Set(texts).count > 1)
        for text in texts { try Self.check(text) }
        // The same in a crowd: others are under way with other constraints and with none.
        async let crowd = withThrowingTaskGroup(of: Void.self) { requests in
            for seed in 0..<6 {
                let fields = seed % 2 == 0 ? ",\(Self.form)" : ""
                requests.addTask {
                    _ = try await server.ask(
                        "/v1/chat/completions",
                        TestServer.chat(
                            "Write.", "\"seed\":\(seed),\"max_tokens\":60\(fields)"))
                }
            }
            try await requests.waitForAll()
        }
        let second = try await server.ask("/v1/chat/completions", body).choices()
        try await crowd
        #expect(
            second.map { ($0["message"] as? [String: Any])?["content"] as? String ?? "" } == texts)
    }

    @Test(arguments: ["/v1/chat/completions", "/v1/completions"])
    func anyObjectMayBeAskedFor(_ path: String) async throws {
        let server = try await TestServer.shared.value
        let fields =
            "\"temperature\":0,\"max_tokens\":300,\"response_format\":{\"type\":\"json_object\"}"
        let isChat = path.contains("chat")
        let reply = try await server.ask(
            path, isChat ? TestServer.chat("Hello.", fields) : "{\"prompt\":\"A goose\",\(fields)}")
        let choice = try #require(try reply.choices().first)
        let message = choice["message"] as? [String: Any]
        let text = try #require((message?["content"] ?? choice["text"]) as? String)
        // Greedy words may go on for ever; what has ended is whole.
        guard choice["finish_reason"] as? String == "stop" else { return }
        let value = try JSONValue(parsing: text, subject: "answer")
        #expect(value.members != nil)
    }

    @Test func anAnswerThatIsCutIsSaidToBe() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(Self.question, "\"temperature\":0,\(Self.form),\"max_tokens\":4"))
        #expect(try reply.choices()[0]["finish_reason"] as? String == "length")
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == 4)
    }

    @Test func anAnswerThatBecomesWholeWithItsLastTokenIsNotCut() async throws {
        let server = try await TestServer.shared.value
        let form = Self.form(#"{"const":true}"#)
        func ask(_ tokensMax: Int) async throws -> [String: Any] {
            let reply = try await server.ask(
                "/v1/chat/completions",
                TestServer.chat(
                    Self.question, "\"temperature\":0,\(form),\"max_tokens\":\(tokensMax)"))
            return try #require(try reply.choices().first)
        }
        let free = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(Self.question, "\"temperature\":0,\(form),\"max_tokens\":50"))
        let usage = try #require(try free.json()["usage"] as? [String: Any])
        let count = try #require(usage["completion_tokens"] as? Int)
        #expect(try await ask(count)["finish_reason"] as? String == "stop")
        #expect(try await ask(count - 1)["finish_reason"] as? String == "length")
    }

    @Test(
        arguments: [false, true],
        ["\"required\"", #"{"type":"function","function":{"name":"add"}}"#])
    func aToolThatMustBeCalledIsCalled(_ isThinking: Bool, _ choice: String) async throws {
        let server = try await TestServer.shared.value
        let fields =
            "\"temperature\":1,\"seed\":2,\"max_tokens\":600,\(Self.tools),"
            + "\"tool_choice\":\(choice),"
            + "\"chat_template_kwargs\":{\"thinking\":\(isThinking)}"
        let reply = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, fields))
        if try reply.choices()[0]["finish_reason"] as? String == "length", isThinking { return }
        let calls = try #require(try reply.message()["tool_calls"] as? [[String: Any]])
        #expect(try reply.choices()[0]["finish_reason"] as? String == "tool_calls")
        #expect(choice.contains("add") ? calls.count == 1 : !calls.isEmpty)
        for call in calls {
            let function = try #require(call["function"] as? [String: String])
            let arguments = try JSONValue(
                parsing: function["arguments"] ?? "", subject: "arguments")
            if function["name"] == "add" {
                #expect(arguments["left"]?.integer != nil && arguments["right"]?.integer != nil)
            } else {
                #expect(function["name"] == "get_weather" && !choice.contains("add"))
                #expect((arguments["city"]?.string?.unicodeScalars.count ?? 99) <= 8)
            }
        }
        let stream = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, fields + ",\"stream\":true"))
        let pieces = try stream.events().compactMap { event in
            let choice = (event["choices"] as? [[String: Any]])?.first
            return (choice?["delta"] as? [String: Any])?["tool_calls"] as? [[String: Any]]
        }.flatMap { $0 }
        let first = pieces.filter { $0["index"] as? Int == 0 }
        let text = first.compactMap { ($0["function"] as? [String: String])?["arguments"] }.joined()
        #expect((calls[0]["function"] as? [String: String])?["arguments"] == text)
    }

    @Test func oneCallIsEnoughWhereSeveralAreNotWanted() async throws {
        let server = try await TestServer.shared.value
        for seed in 0..<4 {
            let reply = try await server.ask(
                "/v1/chat/completions",
                TestServer.chat(
                    Self.question,
                    "\"temperature\":1.5,\"seed\":\(seed),\"max_tokens\":600,\(Self.tools),"
                        + "\"tool_choice\":\"required\",\"parallel_tool_calls\":false"))
            #expect((try reply.message()["tool_calls"] as? [Any])?.count == 1)
        }
    }

    @Test(arguments: [
        (
            #"{"type":"object","properties":{"a":{"not":{}}}}"#,
            "response_format.json_schema.schema.properties.a.not"
        ),
        (#"{"type":"string","pattern":"\\bx"}"#, "response_format.json_schema.schema.pattern"),
        (#"{"oneOf":[{},{}]}"#, "response_format.json_schema.schema.oneOf[1]"),
    ])
    func aSchemaThatCannotBeKeptIsRefusedByItsPath(_ schema: String, _ path: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions", TestServer.chat(Self.question, Self.form(schema)))
        #expect(reply.status == 400)
        let error = try #require(try reply.json()["error"] as? [String: Any])
        #expect(error["param"] as? String == path)
        #expect(error["type"] as? String == "invalid_request_error")
        #expect((error["message"] as? String)?.hasPrefix(path) == true)
    }

    @Test(arguments: [
        (
            "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"no\"}}",
            "tool_choice.function.name"
        ),
        ("\"tool_choice\":\"any\"", "tool_choice"),
        ("\"response_format\":{\"type\":\"json_schema\"}", "response_format.json_schema"),
        (
            "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}",
            "response_format.json_schema.name"
        ),
        (
            "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\"}}",
            "response_format.json_schema.schema"
        ),
    ])
    func aWrongWishIsNamed(_ fields: String, _ path: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(Self.question, "\(Self.tools),\(fields)"))
        #expect(reply.status == 400)
        let error = try #require(try reply.json()["error"] as? [String: Any])
        #expect(error["param"] as? String == path)
    }

    // MARK: Rooms

    private static func form(_ schema: String) -> String {
        #""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":"#
            + "\(schema)}}"
    }

    private static func check(
        _ text: String, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let value = try JSONValue(parsing: text, subject: "answer")
        #expect(value.members?.map(\.name) == ["sum", "word", "sure"], sourceLocation: location)
        #expect(value["sum"]?.integer != nil, sourceLocation: location)
        #expect(
            (value["word"]?.string?.unicodeScalars.count ?? 99) <= 12, sourceLocation: location)
        #expect(["yes", "no"].contains(value["sure"]?.string), sourceLocation: location)
    }
}
