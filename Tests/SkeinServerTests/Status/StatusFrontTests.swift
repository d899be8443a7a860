import Foundation
import FoundationNetworking
import Logging
import SkeinCore
import SkeinTelemetry
import Synchronization
import Testing

@testable import SkeinServer

/// The port for supervisors, asked over a real connection.
@Suite struct StatusFrontTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withFront(
        _ report: @escaping @Sendable () async -> StatusReport,
        _ body: (Int) async throws -> Void
    ) async throws {
        let front = StatusFront(
            address: try TCPAddress(hostAndPort: "127.0.0.1:*"), logger: Self.logger,
            report: report)
        let port = try await front.start()
        try await body(port)
        await front.stop()
    }

    private func ask(_ path: String, _ port: Int, method: String = "GET") async throws -> (
        status: Int, text: String
    ) {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        var request = URLRequest(url: url)
        request.httpMethod = method
        let (bytes, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        return (status, String(decoding: bytes, as: UTF8.self))
    }

    @Test func aNodeThatWaitsIsAliveAndSaysWhatItWaitsFor() async throws {
        try await withFront {
            StatusReport(NodeFigures(name: "a"), version: "1")
        } _: { port in
            #expect(try await ask("/livez", port).status == 200)
            let readiness = try await ask("/readyz", port)
            #expect(readiness.status == 503)
            #expect(readiness.text == "it waits for the head\n")
        }
    }

    @Test func aNodeThatHoldsItsPartIsReady() async throws {
        try await withFront {
            StatusReport(MetricsTests.busyNode, version: "1")
        } _: { port in
            let readiness = try await ask("/readyz", port)
            #expect(readiness.status == 200 && readiness.text == "ok\n")
            let page = try await ask("/metrics", port)
            #expect(page.status == 200)
            #expect(page.text.contains("skein_node_ready{node=\"a\"} 1\n"))
            #expect(page.text.contains("skein_node_sent_bytes_total{node=\"a\"} 2\n"))
            #expect(page.text.contains("skein_build_info{version=\"1\"} 1\n"))
        }
    }

    @Test(arguments: [("/", "GET", 404), ("/livez/", "GET", 404), ("/livez", "POST", 405)])
    func whatIsNotThereIsRefused(_ path: String, _ method: String, _ status: Int) async throws {
        try await withFront {
            StatusReport(waitsFor: nil, version: "1")
        } _: { port in
            let answer = try await ask(path, port, method: method)
            #expect(answer.status == status)
        }
    }

    @Test func anAddressThatIsTakenIsOneLine() async throws {
        try await withFront {
            StatusReport(waitsFor: nil, version: "1")
        } _: { port in
            let second = StatusFront(
                address: try TCPAddress(hostAndPort: "127.0.0.1:\(port)"), logger: Self.logger
            ) { StatusReport(waitsFor: nil, version: "1") }
            let refusal = await #expect(throws: Refusal.self) { try await second.start() }
            #expect(refusal?.subject == "status 127.0.0.1:\(port)")
            #expect(refusal?.reason.contains("in use") == true)
        }
    }
}
