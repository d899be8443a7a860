import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinServer
import Testing

/// What bytes on a connection may do: get an answer or a closed connection, in bounded time.
@Suite struct HardeningTests {
    private static func post(_ path: String, _ body: String, _ headers: String = "") -> Data {
        Data(
            ("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n"
                + "\(headers)\r\n\(body)").utf8)
    }

    /// What is sent, the status that must come, and whether the connection is closed then.
    struct Sent: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: Data
        let status: Int?
        var testDescription: String { name }

        init(_ name: String, _ text: String, _ status: Int?) {
            self.name = name
            bytes = Data(text.utf8)
            self.status = status
        }

        init(_ name: String, bytes: Data, _ status: Int?) {
            self.name = name
            self.bytes = bytes
            self.status = status
        }
    }

    private static let closing = "Connection: close\r\n"

    private static let sent: [Sent] = [
        Sent("no HTTP at all", "\u{0}\u{1}\u{2}\r\n\r\n", 400),
        Sent("another protocol's hello", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n", 400),
        Sent(
            "a header larger than allowed",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n",
            400),
        Sent(
            "more headers than allowed",
            "GET /health HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 20_000))\r\n", 400),
        Sent(
            "a negative length", "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            400),
        Sent("HEAD", "HEAD /health HTTP/1.1\r\nHost: a\r\n\(closing)\r\n", 200),
        Sent("HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", 200),
        Sent("an unknown method", "BREW /health HTTP/1.1\r\nHost: a\r\n\(closing)\r\n", 400),
        Sent(
            "a path that climbs", "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\(closing)\r\n", 404
        ),
        Sent(
            "invalid UTF-8",
            bytes: Data(
                "POST /tokenize HTTP/1.1\r\nHost: a\r\n\(closing)Content-Length: 16\r\n\r\n".utf8)
                + Data("{\"prompt\": \"".utf8) + Data([0xFF, 0xC0, 0x80]) + Data("\"}".utf8), 400),
        Sent(
            "deep JSON",
            bytes: post("/tokenize", String(repeating: "[", count: 200_000), closing), 400),
        Sent(
            "a number beyond all bounds",
            bytes: post("/v1/completions", "{\"prompt\": \"a\", \"temperature\": 1e400}", closing),
            400),
        Sent(
            "a number with thousands of digits",
            bytes: post(
                "/v1/completions",
                "{\"prompt\": \"a\", \"seed\": \(String(repeating: "9", count: 5_000))}", closing),
            400),
        Sent(
            "a name that comes twice",
            bytes: post("/tokenize", "{\"prompt\": \"a\", \"prompt\": \"b\"}", closing), 400),
        Sent(
            "half a surrogate",
            bytes: post("/tokenize", "{\"prompt\": \"\\ud800\"}", closing), 400),
        Sent("an empty body", bytes: post("/v1/chat/completions", "", closing), 400),
    ]

    @Test(arguments: sent)
    func whateverComesIsAnsweredOrRefused(_ sent: Sent) async throws {
        let server = try await TestServer.shared.value
        let reply = try await RawConversation.hold(
            port: server.port, sent.bytes, secondsMax: 10)
        let status = reply.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        #expect(status == sent.status, "\(reply.prefix(300))")
        #expect(try await server.ask("/health").status == 200)
    }

    @Test func requestsInOneBreathAreAnsweredInOrder() async throws {
        let server = try await TestServer.shared.value
        let texts = ["a", "b c", "d e f"]
        var bytes = Data()
        for (place, text) in texts.enumerated() {
            bytes += Self.post(
                "/tokenize", "{\"prompt\": \"\(text)\"}",
                "X-Request-Id: number-\(place)\r\n" + (place == 2 ? Self.closing : ""))
        }
        let reply = try await RawConversation.hold(port: server.port, bytes, secondsMax: 10)
        let names = reply.matches(of: /number-\d/).map { String($0.output) }
        #expect(names == ["number-0", "number-1", "number-2"])
        #expect(reply.components(separatedBy: "HTTP/1.1 200").count == 4)
    }

    @Test(arguments: [
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Half",
        "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{\"prompt",
        "GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func aConnectionThatRestsIsClosed(_ text: String) async throws {
        var settings = FrontSettings()
        settings.idleBound = .milliseconds(700)
        let server = try await TestServer(settings: settings)
        let start = ContinuousClock.now
        _ = try await RawConversation.hold(port: server.port, Data(text.utf8), secondsMax: 30)
        #expect(ContinuousClock.now - start < .seconds(20))
        await server.stop()
    }

    @Test func whatComesAfterTooLargeABodyIsNotRead() async throws {
        let server = try await TestServer.shared.value
        // The length is only said: an answer that waited for the body would never come.
        let head =
            "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n{"
        let start = ContinuousClock.now
        let reply = try await RawConversation.hold(
            port: server.port, Data(head.utf8), secondsMax: 30)
        #expect(reply.hasPrefix("HTTP/1.1 413 "))
        #expect(reply.lowercased().contains("connection: close"))
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func anOldClientGetsAStreamThatEndsWithItsConnection() async throws {
        let server = try await TestServer.shared.value
        let body = TestServer.chat("What is 47 + 85?", "\"temperature\": 0, \"stream\": true")
        let reply = try await RawConversation.run(
            "curl",
            [
                "--http1.0", "-sS", "-i", "--max-time", "30", "-d", body,
                "http://127.0.0.1:\(server.port)/v1/chat/completions",
            ])
        #expect(reply.contains("data: [DONE]"))
    }

    @Test func aClientThatNeverReadsIsCutOff() async throws {
        var settings = FrontSettings()
        settings.requestBound = .seconds(2)
        let server = try await TestServer(settings: settings)
        let start = ContinuousClock.now
        let reply = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat("Write.", "\"ignore_eos\": true, \"max_tokens\": 1000, \"n\": 4"))
        #expect(reply.status == 504)
        let error = try #require(try reply.json()["error"] as? [String: Any])
        #expect(error["code"] as? String == "request_timeout")
        let stream = try await server.ask(
            "/v1/chat/completions",
            TestServer.chat(
                "Write.", "\"ignore_eos\": true, \"max_tokens\": 1000, \"n\": 4, \"stream\": true"))
        let text = String(decoding: stream.body, as: UTF8.self)
        #expect(text.contains("request_timeout") && !text.contains("[DONE]"))
        #expect(ContinuousClock.now - start < .seconds(30))
        #expect(await server.becomes { $0.counts.liveCount == 0 })
        await server.stop()
    }
}
