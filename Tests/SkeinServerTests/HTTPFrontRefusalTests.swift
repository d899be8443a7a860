import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// What a client does wrong, and how it is told.
@Suite struct HTTPFrontRefusalTests {
    /// A wrong chat request and the field that is named.
    struct Wrong: CustomTestStringConvertible, Sendable {
        let fields: String
        let param: String?
        var status = 400
        var path = "/v1/chat/completions"

        var testDescription: String { "\(path) \(fields.prefix(60))" }
    }

    private static let fine = "\"messages\": [{\"role\": \"user\", \"content\": \"A\"}]"

    private static let chats: [Wrong] = [
        Wrong(fields: "", param: "messages"),
        Wrong(fields: "\"messages\": []", param: "messages"),
        Wrong(fields: "\"messages\": \"A\"", param: "messages"),
        Wrong(fields: "\"messages\": [7]", param: "messages[0]"),
        Wrong(
            fields: "\"messages\": [{\"role\": \"king\", \"content\": \"A\"}]",
            param: "messages[0].role"),
        Wrong(
            fields: "\"messages\": [{\"role\": \"user\", \"content\": 5}]",
            param: "messages[0].content"),
        Wrong(fields: "\(fine), \"model\": \"another\"", param: "model", status: 404),
        Wrong(fields: "\(fine), \"model\": 3", param: "model"),
        Wrong(fields: "\(fine), \"temperature\": \"hot\"", param: "temperature"),
        Wrong(fields: "\(fine), \"temperature\": -1", param: "temperature"),
        Wrong(fields: "\(fine), \"temperature\": 3", param: "temperature"),
        Wrong(fields: "\(fine), \"top_p\": 0", param: "top_p"),
        Wrong(fields: "\(fine), \"top_k\": 1.5", param: "top_k"),
        Wrong(fields: "\(fine), \"min_p\": 2", param: "min_p"),
        Wrong(fields: "\(fine), \"repetition_penalty\": 0", param: "repetition_penalty"),
        Wrong(fields: "\(fine), \"presence_penalty\": 5", param: "presence_penalty"),
        Wrong(fields: "\(fine), \"max_tokens\": 0", param: "max_tokens"),
        Wrong(fields: "\(fine), \"max_completion_tokens\": true", param: "max_completion_tokens"),
        Wrong(fields: "\(fine), \"n\": 9", param: "n"),
        Wrong(fields: "\(fine), \"seed\": \"x\"", param: "seed"),
        Wrong(fields: "\(fine), \"stop\": 4", param: "stop"),
        Wrong(fields: "\(fine), \"stop\": [\"\"]", param: "stop"),
        Wrong(fields: "\(fine), \"stop_token_ids\": [999999]", param: "stop_token_ids[0]"),
        Wrong(fields: "\(fine), \"logit_bias\": {\"x\": 1}", param: "logit_bias"),
        Wrong(fields: "\(fine), \"logit_bias\": {\"3\": 101}", param: "logit_bias.3"),
        Wrong(fields: "\(fine), \"top_logprobs\": 3", param: "top_logprobs"),
        Wrong(fields: "\(fine), \"logprobs\": true, \"top_logprobs\": 21", param: "top_logprobs"),
        Wrong(fields: "\(fine), \"stream\": 1", param: "stream"),
        Wrong(
            fields: "\(fine), \"stream_options\": {\"include_usage\": 1}",
            param: "stream_options.include_usage"),
        Wrong(
            fields: "\(fine), \"chat_template_kwargs\": {\"thinking\": \"on\"}",
            param: "chat_template_kwargs.thinking"),
        Wrong(
            fields: "\(fine), \"tools\": [{\"type\": \"function\"}]", param: "tools[0].function"),
        Wrong(fields: "\(fine), \"tool_choice\": \"required\"", param: "tool_choice"),
        Wrong(
            fields: "\(fine), \"response_format\": {\"type\": \"xml\"}",
            param: "response_format.type"),
    ]

    private static let texts: [Wrong] = [
        Wrong(fields: "", param: "prompt", path: "/v1/completions"),
        Wrong(fields: "\"prompt\": []", param: "prompt", path: "/v1/completions"),
        Wrong(fields: "\"prompt\": [1, \"a\"]", param: "prompt[1]", path: "/v1/completions"),
        Wrong(fields: "\"prompt\": [[]]", param: "prompt[0]", path: "/v1/completions"),
        Wrong(fields: "\"prompt\": [-1]", param: "prompt[0]", path: "/v1/completions"),
        Wrong(
            fields: "\"prompt\": \"a\", \"echo\": 1", param: "echo", path: "/v1/completions"),
        Wrong(
            fields: "\"prompt\": \"a\", \"max_tokens\": 0", param: "max_tokens",
            path: "/v1/completions"),
        Wrong(
            fields: "\"prompt\": \"a\", \"suffix\": \"b\"", param: "suffix",
            path: "/v1/completions"),
        Wrong(
            fields: "\"prompt\": \"a\", \"logprobs\": 21", param: "logprobs",
            path: "/v1/completions"),
        Wrong(
            fields: "\"prompt\": \"\(String(repeating: "a b ", count: 1_000))\"", param: "prompt",
            path: "/v1/completions"),
        Wrong(fields: "", param: "prompt", path: "/tokenize"),
        Wrong(fields: "\"tokens\": [1.5]", param: "tokens[0]", path: "/detokenize"),
        Wrong(fields: "", param: nil, status: 404, path: "/v1/nothing"),
        Wrong(fields: "", param: nil, status: 405, path: "/v1/models"),
    ]

    @Test(arguments: chats + texts)
    func aWrongRequestNamesItsField(_ wrong: Wrong) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(wrong.path, "{\(wrong.fields)}")
        #expect(reply.status == wrong.status)
        let error = try #require(try reply.json()["error"] as? [String: Any])
        #expect(error["param"] as? String == wrong.param)
        #expect((error["message"] as? String)?.isEmpty == false)
        #expect(error["type"] as? String == "invalid_request_error")
        #expect(error["code"] != nil)
    }

    @Test(arguments: ["", "{", "[]", "{\"a\": 1} x", "{\"a\": 01}", "nul"])
    func aBodyThatIsNoObjectIsRefused(_ body: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask("/v1/completions", body, method: "POST")
        #expect(reply.status == 400)
    }

    @Test func anUnknownFieldIsIgnored() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/chat/completions", "{\(Self.fine), \"max_tokens\": 1, \"store\": {\"a\": []}}")
        #expect(reply.status == 200)
    }

    @Test func aBodyThatIsTooLargeIsRefused() async throws {
        let server = try await TestServer.shared.value
        let body = String(repeating: " ", count: Limits.httpBodyBytesMax + 1)
        #expect(try await server.ask("/v1/completions", body).status == 413)
    }

    @Test func aServerWithKeysLetsNobodyElseIn() async throws {
        let server = try await TestServer(
            apiKeys: try APIKeys(text: "secret-key\n", file: "keys"))
        let refused = try await server.ask("/v1/models")
        #expect(refused.status == 401)
        #expect(refused.headers["www-authenticate"] == "Bearer")
        #expect(try await server.ask("/v1/models", key: "another-key").status == 401)
        #expect(try await server.ask("/v1/models", key: "secret-key").status == 200)
        #expect(try await server.ask("/health").status == 200)
        await server.stop()
    }

    @Test(arguments: [false, true])
    func aClientThatHangsUpFreesItsPages(_ streams: Bool) async throws {
        let server = try await TestServer()
        let body = TestServer.chat(
            "Write.", "\"ignore_eos\": true, \"max_tokens\": 1000, \"stream\": \(streams)")
        let client = try RawConversation.start(
            "curl",
            [
                "-sS", "--max-time", "60", "-d", body,
                "http://127.0.0.1:\(server.port)/v1/chat/completions",
            ])
        #expect(await server.becomes { $0.counts.ownedPageCount > 0 })
        // A thousand tokens take longer than a hang-up.
        #expect(client.isRunning)
        client.terminate()
        #expect(await server.becomes { $0.counts.liveCount == 0 && $0.counts.ownedPageCount == 0 })
        await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func aStartThatIsCancelledLeavesNothingListening() async throws {
        let server = try await TestServer.shared.value
        let front = HTTPFront(
            service: server.service, host: "127.0.0.1", port: 0, apiKeys: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await withThrowingTaskGroup(of: Int.self) { group in
            // Cancelled before it begins, as by a signal that comes while a cluster forms.
            group.cancelAll()
            group.addTask { try await front.start() }
            let outcome = await group.nextResult()
            #expect(throws: CancellationError.self) { try outcome?.get() }
        }
    }

    @Test func anEndedClusterIsDown() async throws {
        let server = try await TestServer()
        await server.cluster.stop()
        #expect(try await server.ask("/health").status == 503)
        let reply = try await server.ask(
            "/v1/chat/completions", "{\(Self.fine)}")
        #expect(reply.status == 503)
        #expect(reply.headers["retry-after"] == "1")
        await server.stop()
    }
}
