import Foundation
import Logging
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// How messages are framed: by method, version and headers, on real connections.
@Suite struct HTTPFramingTests {
    private static let body = "{\"prompt\": \"a\"}"
    private static let stream = "{\"prompt\": \"a\", \"max_tokens\": 2, \"stream\": true}"

    private static func post(
        _ path: String, _ body: String, _ headers: String = "", version: String = "1.1"
    ) -> String {
        "POST \(path) HTTP/\(version)\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n"
            + "\(headers)\r\n\(body)"
    }

    // MARK: HEAD

    @Test(arguments: [
        "/", "/health?probe=0", "/livez", "/readyz", "/version", "/metrics", "/v1/models",
        "/v1/models/gosling", "/v1/models/other", "/v1/cluster", "/tokenizer_info", "/nowhere",
        "/v1/completions", "/health?probe=x",
    ])
    func headHasTheHeadersOfGetAndNoBody(_ path: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await RawSocket.talk(
            port: server.port,
            [
                .send("HEAD \(path) HTTP/1.1\r\nHost: a\r\n\r\n"),
                .send("GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), .untilClosed,
            ])
        try #require(reply.answers.count == 2, "\(reply.text)")
        #expect(reply.statuses[0] == reply.statuses[1])
        #expect(reply.answers[0].body.isEmpty && !reply.answers[1].body.isEmpty)
        let length = try #require(reply.header("content-length", of: 1).flatMap { Int($0) })
        #expect(length == reply.answers[1].body.utf8.count)
        let told = try #require(reply.header("content-length").flatMap { Int($0) })
        // What counts requests or seconds may have grown by a digit.
        #expect(abs(told - length) < 200 && told > 0)
        #expect(reply.header("content-type") == reply.header("content-type", of: 1))
        #expect(reply.header("allow") == reply.header("allow", of: 1))
    }

    // MARK: HTTP/1.0

    @Test(arguments: ["", "Connection: close\r\n", "Connection: Keep-Alive\r\n"])
    func anOldClientGetsAStreamWithoutChunksThatEndsWithItsConnection(
        _ headers: String
    ) async throws {
        let server = try await TestServer.shared.value
        let request = Self.post("/v1/completions", Self.stream, headers, version: "1.0")
        let reply = try await RawSocket.talk(port: server.port, [.send(request), .untilClosed])
        #expect(reply.isClosed && reply.text.hasPrefix("HTTP/1.0 200 "), "\(reply.text)")
        #expect(reply.header("transfer-encoding") == nil)
        #expect(reply.header("connection") == "close")
        #expect(reply.answers[0].body.hasPrefix("id: 1\ndata: {"))
        #expect(reply.answers[0].body.hasSuffix("data: [DONE]\n\n"))
    }

    @Test func anOldClientKeepsItsConnectionWhereItAsksForThatAndTheLengthIsKnown() async throws {
        let server = try await TestServer.shared.value
        let kept = "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        let reply = try await RawSocket.talk(
            port: server.port,
            [
                .send(kept), .until("\"ok\"}"), .send(kept), .send("GET /livez HTTP/1.0\r\n\r\n"),
                .untilClosed,
            ])
        #expect(reply.statuses == [200, 200, 200] && reply.isClosed)
        #expect(reply.header("connection", of: 1) == "keep-alive")
        #expect(reply.header("connection", of: 2) == "close")
    }

    @Test(arguments: [
        "GET /livez HTTP/1.0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
        "HEAD /livez HTTP/1.0\r\n\r\n",
    ])
    func aConnectionThatIsToCloseIsClosedAndWhatFollowsIsNotRead(_ text: String) async throws {
        let server = try await TestServer.shared.value
        let start = ContinuousClock.now
        let reply = try await RawSocket.talk(
            port: server.port, [.send(text + text), .untilClosed])
        #expect(reply.isClosed && reply.statuses == [200], "\(reply.text)")
        #expect(reply.header("connection") == "close")
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func aNewClientGetsChunksAndKeepsItsConnection() async throws {
        let server = try await TestServer.shared.value
        let reply = try await RawSocket.talk(
            port: server.port,
            [
                .send(Self.post("/v1/completions", Self.stream)), .until("0\r\n\r\n"),
                .send("GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), .untilClosed,
            ])
        #expect(reply.header("transfer-encoding") == "chunked")
        #expect(reply.statuses == [200, 200])
    }

    // MARK: Expect

    @Test(arguments: ["100-continue", "100-Continue"])
    func aBodyThatWaitsForLeaveGetsItOnceItIsWanted(_ word: String) async throws {
        let server = try await TestServer.shared.value
        let head =
            "POST /tokenize HTTP/1.1\r\nHost: a\r\nExpect: \(word)\r\n"
            + "Content-Length: \(Self.body.utf8.count)\r\n\r\n"
        let reply = try await RawSocket.talk(
            port: server.port,
            [
                .send(head), .until("100 Continue\r\n\r\n"), .send(Self.body), .until("\"tokens\""),
                .send("GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), .untilClosed,
            ])
        #expect(reply.statuses == [100, 200, 200], "\(reply.text)")
    }

    /// A request whose head is enough to refuse it.
    private static let refusedByHead: [(String, String, Int)] = [
        ("/tokenize", "Content-Length: 100000000000\r\n", 413),
        ("/tokenize", "Content-Length: 14\r\nContent-Encoding: gzip\r\n", 415),
        ("/nowhere", "Content-Length: 14\r\n", 404), ("/livez", "Content-Length: 14\r\n", 405),
    ]

    @Test(arguments: refusedByHead)
    func aBodyThatWaitsForLeaveIsRefusedAtOnceWhereItsHeadIsEnough(
        _ path: String, _ headers: String, _ status: Int
    ) async throws {
        let server = try await TestServer.shared.value
        let head = "POST \(path) HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\(headers)\r\n"
        let reply = try await RawSocket.talk(port: server.port, [.send(head), .untilClosed])
        #expect(reply.statuses == [status] && reply.isClosed, "\(reply.text)")
        #expect(reply.header("connection") == "close")
    }

    @Test func aWishThatIsNotKnownIsRefusedAndAnOldClientHasNone() async throws {
        let server = try await TestServer.shared.value
        let strange = Self.post("/tokenize", Self.body, "Expect: gold\r\nConnection: close\r\n")
        let refused = try await RawSocket.talk(port: server.port, [.send(strange), .untilClosed])
        #expect(refused.statuses == [417] && refused.text.contains("gold"))
        let old = Self.post("/tokenize", Self.body, "Expect: 100-continue\r\n", version: "1.0")
        let reply = try await RawSocket.talk(port: server.port, [.send(old), .untilClosed])
        #expect(reply.statuses == [200])
    }

    // MARK: Bodies and hosts

    @Test(arguments: ["gzip", "deflate", "br", "zstd", "identity, GZIP", "x"])
    func aBodyInACodingIsRefusedByName(_ coding: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/tokenize", Self.body, headers: ["Content-Encoding": coding])
        #expect(reply.status == 415 && reply.headers["accept-encoding"] == "identity")
        let error = try #require(try reply.json()["error"] as? [String: Any])
        let name = coding.split(separator: " ").last ?? ""
        #expect((error["message"] as? String)?.contains("'\(name)'") == true)
    }

    @Test(arguments: ["identity", "Identity", ""])
    func aBodyAsItIsPasses(_ coding: String) async throws {
        let server = try await TestServer.shared.value
        let text = Self.post(
            "/tokenize", Self.body, "Content-Encoding: \(coding)\r\nConnection: close\r\n")
        let reply = try await RawSocket.talk(port: server.port, [.send(text), .untilClosed])
        #expect(reply.statuses == [200], "\(reply.text)")
    }

    @Test(arguments: [("", 400), ("Host: a\r\nHost: b\r\n", 400), ("Host: \r\n", 200)])
    func oneHostIsNeeded(_ hosts: String, _ status: Int) async throws {
        let server = try await TestServer.shared.value
        let reply = try await RawSocket.talk(
            port: server.port,
            [.send("GET /livez HTTP/1.1\r\n\(hosts)Connection: close\r\n\r\n"), .untilClosed])
        #expect(reply.statuses == [status] && reply.text.contains("Host") == (status == 400))
    }

    @Test func chunksAreReadAndWhatIsNoneEndsTheConnectionWithOneAnswer() async throws {
        let server = try await TestServer.shared.value
        let head = "POST /tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        let fine = try await RawSocket.talk(
            port: server.port,
            [
                .send("\(head)Connection: close\r\n\r\n5\r\n{\"pro\r\n"),
                .send("9\r\nmpt\":\"a\"}\r\n0\r\n\r\n"), .untilClosed,
            ])
        #expect(fine.statuses == [200], "\(fine.text)")
        let torn = try await RawSocket.talk(
            port: server.port, [.send("\(head)\r\nxyz\r\n{}\r\n"), .untilClosed])
        #expect(torn.statuses == [400] && torn.isClosed, "\(torn.text)")
    }

    // MARK: Addresses

    private static func front(
        _ server: TestServer, _ host: String, _ port: Int = 0
    ) -> HTTPFront {
        HTTPFront(
            service: server.service, host: host, port: port, apiKeys: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test(arguments: ["::1", "[::1]", "127.0.0.1", "localhost"])
    func whatAFrontCallsItselfIsWhereItIsFound(_ host: String) async throws {
        let server = try await TestServer.shared.value
        let front = Self.front(server, host)
        let url = front.url(port: try await front.start())
        #expect(url.hasPrefix(host.contains(":") ? "http://[::1]:" : "http://\(host):"))
        let text = try await RawConversation.run("curl", ["-sS", "-g", url + "/livez"])
        #expect(text.contains("ok"))
        await front.drain(atMost: .seconds(1))
    }

    @Test func anAddressThatCannotBeListenedOnIsOnePlainLine() async throws {
        let server = try await TestServer.shared.value
        let (used, absent) = ("the address is in use", "this machine has no such address")
        let cases = [
            ("127.0.0.1", server.port, used), ("192.0.2.1", 18_080, absent),
            ("[2001:db8::1]", 80, absent), ("no-such-host.invalid", 80, "the name is not known"),
        ]
        for (host, port, reason) in cases {
            let line = "\(host):\(port): cannot listen there: \(reason)"
            await #expect {
                _ = try await Self.front(server, host, port).start()
            } throws: { error in
                #expect((error as? Refusal)?.description == line)
                return error is Refusal
            }
        }
    }
}
