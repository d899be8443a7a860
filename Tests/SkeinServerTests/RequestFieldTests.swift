import Foundation
import SkeinCoordinator
import SkeinCore
import SkeinText
import Testing

@testable import SkeinServer

/// What a request asks is done, or refused by its path, in the words of any server.
@Suite struct RequestFieldTests {
    private static let chat = "/v1/chat/completions"
    private static let text = "/v1/completions"
    private static let prompts = [
        chat: #""messages": [{"role": "user", "content": "What is 47 + 85?"}]"#,
        text: #""prompt": "One goose""#,
    ]

    private static func ask(_ path: String, _ fields: String) async throws -> TestServer.Reply {
        let body = "{\(prompts[path, default: ""]), \"temperature\": 0, \(fields)}"
        return try await TestServer.shared.value.ask(path, body)
    }

    /// Fields with values that ask for something else than what would be done.
    private static let refused: [(fields: String, param: String)] = [
        (#""guided_regex": "(?=a)""#, "guided_regex"), (#""guided_choice": [1]"#, "guided_choice"),
        (#""guided_choice": []"#, "guided_choice"), (#""guided_choice": "a""#, "guided_choice"),
        (#""guided_grammar": "root ::= x""#, "guided_grammar"),
        (#""regex": 5"#, "regex"), (#""ebnf": "root ::= x""#, "ebnf"),
        (#""grammar": "root ::= x""#, "grammar"), (#""structural_tag": "{}""#, "structural_tag"),
        (#""structured_outputs": {"choice": [""]}"#, "structured_outputs.choice"),
        (#""structured_outputs": {"regex": "(a*)*"}"#, "structured_outputs.regex"),
        (
            #""structured_outputs": {"regex": "a", "choice": ["a"]}"#, "structured_outputs.choice"
        ),
        (#""structured_outputs": {"grammar": "a"}"#, "structured_outputs.grammar"),
        (
            #""structured_outputs": {"json": {}, "disable_any_whitespace": true}"#,
            "structured_outputs.disable_any_whitespace"
        ),
        (#""guided_json": 7"#, "guided_json"), (#""guided_json": "{""#, "guided_json"),
        (#""guided_json": {}, "json_schema": "{}""#, "json_schema"),
        (#""response_format": {"type": "json_object"}, "guided_json": {}"#, "guided_json"),
        (#""response_format": {"type": "grammar"}"#, "response_format.type"),
        (#""response_format": {"type": "json_object", "schema": 3}"#, "response_format.schema"),
        (#""min_tokens": 3"#, "min_tokens"), (#""bad_words": ["a"]"#, "bad_words"),
        (#""allowed_token_ids": [5]"#, "allowed_token_ids"),
        (#""use_beam_search": true"#, "use_beam_search"),
        (#""length_penalty": 0.5"#, "length_penalty"), (#""typical_p": 0.9"#, "typical_p"),
        (#""mirostat": 2"#, "mirostat"), (#""repeat_penalty": 1.1"#, "repeat_penalty"),
        (#""no_repeat_ngram_size": 2"#, "no_repeat_ngram_size"),
        (#""xtc_probability": 0.5"#, "xtc_probability"), (#""n_predict": 5"#, "n_predict"),
        (#""max_new_tokens": 5"#, "max_new_tokens"), (#""stop_regex": "a""#, "stop_regex"),
        (#""include_stop_str_in_output": 1"#, "include_stop_str_in_output"),
        (#""prompt_logprobs": 1"#, "prompt_logprobs"),
        (#""prompt_logprobs": 0"#, "prompt_logprobs"),
        (#""truncate_prompt_tokens": 5"#, "truncate_prompt_tokens"),
        (#""return_tokens_as_token_ids": true"#, "return_tokens_as_token_ids"),
        (#""priority": 1"#, "priority"), (#""lora_path": "x""#, "lora_path"),
        (#""detokenize": false"#, "detokenize"),
        (#""logits_processors": ["x"]"#, "logits_processors"),
        (#""return_token_ids": 1"#, "return_token_ids"),
        (#""skip_special_tokens": "no""#, "skip_special_tokens"),
    ]

    private static let refusedInChats: [(fields: String, param: String)] = [
        (#""functions": [{"name": "f"}]"#, "functions"),
        (#""function_call": "auto""#, "function_call"),
        (#""modalities": ["text", "audio"]"#, "modalities"), (#""audio": {"voice": "x"}"#, "audio"),
        (#""verbosity": "low""#, "verbosity"), (#""echo": true"#, "echo"),
        (#""chat_template": "x""#, "chat_template"), (#""prompt": "a""#, "prompt"),
        (#""reasoning": {"effort": "low"}"#, "reasoning"),
        (#""thinking_token_budget": -2"#, "thinking_token_budget"),
        (#""thinking_budget": 3, "thinking_token_budget": 4"#, "thinking_token_budget"),
        (#""max_thinking_tokens": 10"#, "max_thinking_tokens"),
        (#""separate_reasoning": false"#, "separate_reasoning"),
        (#""include_reasoning": false"#, "include_reasoning"),
        (#""add_special_tokens": true"#, "add_special_tokens"),
        (#""enable_thinking": 1"#, "enable_thinking"), (#""thinking": {"type": "x"}"#, "thinking"),
        (#""reasoning_effort": "huge""#, "reasoning_effort"),
        (#""reasoning_effort": "none", "enable_thinking": true"#, "reasoning_effort"),
        (
            #""enable_thinking": true, "chat_template_kwargs": {"thinking": false}"#,
            "enable_thinking"
        ),
        (
            #""chat_template_kwargs": {"thinking": true, "enable_thinking": false}"#,
            "chat_template_kwargs.enable_thinking"
        ),
        (
            #""chat_template_kwargs": {"clear_thinking": false}"#,
            "chat_template_kwargs.clear_thinking"
        ),
        (#""preserve_thinking": true"#, "preserve_thinking"),
        (#""chat_template_kwargs": {"style": 1}"#, "chat_template_kwargs.style"),
    ]

    private static let refusedInTexts: [(fields: String, param: String)] = [
        (#""messages": []"#, "messages"), (#""tools": []"#, "tools"),
        (#""enable_thinking": true"#, "enable_thinking"), (#""suffix": "x""#, "suffix"),
        (#""best_of": 3"#, "best_of"), (#""top_logprobs": 2"#, "top_logprobs"),
        (#""add_special_tokens": 0"#, "add_special_tokens"),
    ]

    private static let cases =
        refused.map { (chat, $0.fields, $0.param) } + refused.map { (text, $0.fields, $0.param) }
        + refusedInChats.map { (chat, $0.fields, $0.param) }
        + refusedInTexts.map { (text, $0.fields, $0.param) }

    @Test(arguments: cases)
    func whatIsNotDoneIsRefusedByItsPath(
        _ path: String, _ fields: String, _ param: String
    ) async throws {
        let reply = try await Self.ask(path, fields)
        #expect(reply.status == 400)
        let error = try #require(try reply.json()["error"] as? [String: Any])
        #expect(error["param"] as? String == param)
        #expect((error["message"] as? String)?.hasPrefix("\(param): ") == true)
    }

    @Test(arguments: [
        #""min_tokens": 0, "bad_words": [], "allowed_token_ids": null, "use_beam_search": false"#,
        #""length_penalty": 1.0, "typical_p": 1, "mirostat": 0, "repeat_penalty": 1.0"#,
        #""guided_regex": null, "grammar": "", "prompt_logprobs": null, "priority": 0"#,
        #""guided_choice": null, "structured_outputs": {"regex": null, "choice": null}"#,
        #""user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto""#,
        #""request_id": "r", "rid": "r", "cache_salt": "s", "prediction": {"type": "content"}"#,
        #""structured_outputs": {}, "include_stop_str_in_output": false, "detokenize": true"#,
        #""skip_special_tokens": true, "spaces_between_special_tokens": true, "n": 1"#,
    ])
    func whatAsksForNothingElsePasses(_ fields: String) async throws {
        for path in [Self.chat, Self.text] {
            let reply = try await Self.ask(path, fields + ", \"max_tokens\": 1")
            #expect(reply.status == 200, "\(String(decoding: reply.body, as: UTF8.self))")
            #expect(reply.headers["x-ignored-fields"] == nil)
        }
    }

    @Test func aFieldThatNobodyKnowsIsIgnoredAndNamed() async throws {
        for path in [Self.chat, Self.text] {
            for more in ["", ", \"stream\": true"] {
                let fields = #""temprature": 3, "x\r\ny": {}, "max_tokens": 1"# + more
                let reply = try await Self.ask(path, fields)
                #expect(reply.status == 200)
                #expect(reply.headers["x-ignored-fields"] == "temprature, xy")
            }
        }
    }

    @Test func everyFieldHasOneRuleForEachKindOfRequest() {
        for requests in [RequestRule.Requests.chat, .text] {
            let names = RequestRule.all.filter { $0.requests.contains(requests) }.flatMap(\.names)
            #expect(names.count == Set(names).count)
        }
    }

    // MARK: The form of an answer

    private static let schema =
        #"{"type": "object", "properties": {"z": {"type": "boolean"}}, "required": ["z"], "#
        + #""additionalProperties": false}"#

    @Test(arguments: [
        "\"guided_json\": \(schema)", "\"structured_outputs\": {\"json\": \(schema)}",
        "\"response_format\": {\"type\": \"json_object\", \"schema\": \(schema)}",
        "\"json_schema\": \"\(schema.replacing("\"", with: "\\\""))\"",
        "\"guided_json\": \"\(schema.replacing("\"", with: "\\\""))\"",
    ])
    func aSchemaIsHeldWhateverItIsCalled(_ fields: String) async throws {
        for path in [Self.chat, Self.text] {
            let choice = try #require(
                try await Self.ask(path, fields + ", \"max_tokens\": 40").choices().first)
            let content =
                choice["text"] as? String
                ?? (choice["message"] as? [String: Any])?["content"] as? String
            let value = try JSONSerialization.jsonObject(with: Data(try #require(content).utf8))
            #expect((value as? [String: Any])?["z"] is Bool)
        }
    }

    @Test func anyObjectIsHeldInVLLMsWordsToo() async throws {
        let fields = "\"structured_outputs\": {\"json_object\": true}, \"max_tokens\": 12"
        let message = try await Self.ask(Self.chat, fields).message()
        let content = try #require(message["content"] as? String)
        #expect(content.trimmingCharacters(in: .whitespacesAndNewlines).hasPrefix("{"))
    }

    // MARK: Thinking and prompts

    @Test(arguments: [
        #""enable_thinking": true"#, #""thinking": true"#, #""thinking": {"type": "enabled"}"#,
        #""reasoning_effort": "low""#, #""chat_template_kwargs": {"enable_thinking": true}"#,
        #""chat_template_kwargs": {"thinking": true, "enable_thinking": true}"#,
        #""chat_template_kwargs": {"reasoning_effort": "high"}"#,
    ])
    func everySwitchOfThinkingIsTheSame(_ fields: String) async throws {
        let reference = try await Self.ask(
            Self.chat, #""chat_template_kwargs": {"thinking": true}, "max_tokens": 100"#)
        let reasoning = try #require(try reference.message()["reasoning_content"] as? String)
        let message = try await Self.ask(Self.chat, fields + ", \"max_tokens\": 100").message()
        #expect(message["reasoning_content"] as? String == reasoning)
    }

    @Test(arguments: [
        #""enable_thinking": false"#, #""thinking": {"type": "disabled"}"#,
        #""reasoning_effort": "none""#,
    ])
    func withoutThinkingThereIsNone(_ fields: String) async throws {
        let message = try await Self.ask(Self.chat, fields + ", \"max_tokens\": 20").message()
        #expect(message["reasoning_content"] == nil)
    }

    @Test func aFormatThatLeavesNoChoiceSaysSo() throws {
        let fields = { (text: String) throws -> RequestFields in
            try RequestFields(body: Array(text.utf8))
        }
        let (on, off) = ("{\"enable_thinking\": true}", "{\"enable_thinking\": false}")
        for format in ChatFormat.allCases {
            let wishes = [on, off].map { text in
                try? ThinkingFields.isThinking(try fields(text), format: format)
            }
            #expect(wishes[0] == (format.thinking == .never ? nil : true))
            #expect(wishes[1] == (format.thinking.isCertain ? nil : false))
            let unsaid = try ThinkingFields.isThinking(try fields("{}"), format: format)
            #expect(unsaid == format.thinking.isCertain)
        }
    }

    @Test func theBoundOfTokensHasTwoNames() async throws {
        for path in [Self.chat, Self.text] {
            for fields in [
                "\"max_completion_tokens\": 3", "\"max_tokens\": 9, \"max_completion_tokens\": 3",
            ] {
                let reply = try await Self.ask(path, fields + ", \"ignore_eos\": true")
                let usage = try #require(try reply.json()["usage"] as? [String: Any])
                #expect(usage["completion_tokens"] as? Int == 3)
            }
        }
    }

    @Test func aPromptBeginsAndEndsAsItIsAsked() async throws {
        let plain = try await Self.ask(Self.text, "\"max_tokens\": 1")
        let bare = try await Self.ask(Self.text, "\"max_tokens\": 1, \"add_special_tokens\": false")
        let counts = try [plain, bare].map { reply in
            let usage = try #require(try reply.json()["usage"] as? [String: Any])
            return try #require(usage["prompt_tokens"] as? Int)
        }
        #expect(counts[0] == counts[1] + 1)
        let server = try await TestServer.shared.value
        let whole = try await server.ask(
            "/tokenize", TestServer.chat("A", "\"add_generation_prompt\": true"))
        let open = try await server.ask(
            "/tokenize", TestServer.chat("A", "\"add_generation_prompt\": false"))
        let tokens = try [whole, open].map { try #require(try $0.json()["tokens"] as? [Int]) }
        #expect(tokens[0].starts(with: tokens[1]) && tokens[0].count > tokens[1].count)
    }

    // MARK: Token ids

    @Test(arguments: [chat, text])
    func theNumbersOfTokensComeBesideTheText(_ path: String) async throws {
        // What detokenizes to the very text: control tokens are part of it.
        let fields =
            "\"return_token_ids\": true, \"max_tokens\": 12, \"n\": 2, "
            + "\"skip_special_tokens\": false"
        let whole = try await Self.ask(path, fields)
        let choices = try whole.choices()
        let ids = try choices.map { try #require($0["token_ids"] as? [Int]) }
        let usage = try #require(try whole.json()["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == ids.map(\.count).reduce(0, +))
        let prompt = path == Self.chat ? try whole.json() : try #require(choices.first)
        let promptIDs = try #require(prompt["prompt_token_ids"] as? [Int])
        #expect(usage["prompt_tokens"] as? Int == promptIDs.count)
        let server = try await TestServer.shared.value
        let list = ids[0].map(String.init).joined(separator: ",")
        let text = try await server.ask("/detokenize", "{\"tokens\": [\(list)]}").json()
        let content =
            choices[0]["text"] as? String
            ?? (choices[0]["message"] as? [String: Any])?["content"] as? String
        #expect((text["prompt"] as? String)?.hasPrefix(try #require(content)) == true)

        let events = try await Self.ask(path, fields + ", \"stream\": true").events()
        var streamed: [[Int]] = [[], []]
        var prompts = 0
        for event in events {
            if event["prompt_token_ids"] as? [Int] == promptIDs { prompts += 1 }
            for choice in event["choices"] as? [[String: Any]] ?? [] {
                if choice["prompt_token_ids"] as? [Int] == promptIDs { prompts += 1 }
                let index = try #require(choice["index"] as? Int)
                streamed[index] += choice["token_ids"] as? [Int] ?? []
            }
        }
        #expect(streamed == ids && prompts == 2)
        let without = try await Self.ask(path, "\"max_tokens\": 2").choices()
        #expect(without[0]["token_ids"] == nil && without[0]["prompt_token_ids"] == nil)
    }

    @Test func aModelWithoutATokenizerAnswersInNumbersOneByOne() async throws {
        let shared = try await TestServer.shared.value
        let server = try await TestServer(cluster: shared.cluster, text: nil)
        let body = #"{"prompt": [0, 345, 77], "temperature": 0, "max_tokens": 5, "#
        let whole = try await server.ask("/v1/completions", body + "\"ignore_eos\": true}")
        let ids = try #require(try whole.choices().first?["token_ids"] as? [Int])
        #expect(ids.count == 5)
        let stream = try await server.ask(
            "/v1/completions", body + "\"ignore_eos\": true, \"stream\": true}")
        let pieces = try stream.events().compactMap { event in
            (event["choices"] as? [[String: Any]])?.first?["token_ids"] as? [Int]
        }
        #expect(pieces.flatMap(\.self) == ids)
        #expect(pieces.filter { $0.count == 1 }.count == 5)
        let silent = try await server.ask(
            "/v1/completions", body + "\"return_token_ids\": false}")
        #expect(try silent.choices().first?["token_ids"] == nil)
        await server.drain()
    }

    @Test func everyChunkTellsTheUsageWhereThatIsWanted() async throws {
        let fields =
            #""max_tokens": 4, "ignore_eos": true, "stream": true, "stream_options": "#
            + #"{"include_usage": true, "continuous_usage_stats": true}"#
        let events = try await Self.ask(Self.text, fields).events()
        let counts = events.compactMap {
            ($0["usage"] as? [String: Any])?["completion_tokens"] as? Int
        }
        #expect(counts.count == events.count && counts == counts.sorted() && counts.last == 4)
    }
}
