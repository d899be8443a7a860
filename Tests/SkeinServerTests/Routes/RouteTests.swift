import Foundation
import HTTPTypes
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// The table of paths, and everything that comes from it.
@Suite struct RouteTests {
    @Test(arguments: Route.all.map(\.path))
    func aPathTakesItsMethodOnlyAndSaysWhich(_ path: String) async throws {
        let server = try await TestServer.shared.value
        let route = try #require(Route.all.first { $0.path == path })
        let real = path.replacing("*", with: "gosling")
        let methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        for method in methods where method != route.method.rawValue {
            let reply = try await server.ask(real, method: method)
            #expect(reply.status == 405 && reply.headers["allow"] == route.allowed)
        }
    }

    @Test(arguments: Route.all.map(\.path))
    func aKeyIsNeededWhereTheTableSaysSo(_ path: String) async throws {
        let server = try await Self.guarded.value
        let route = try #require(Route.all.first { $0.path == path })
        let real = path.replacing("*", with: "gosling")
        let body = route.method == .post ? "{}" : nil
        #expect((try await server.ask(real, body).status == 401) == route.needsKey)
        #expect(try await server.ask(real, body, key: "sk-one").status != 401)
        #expect(try await server.ask(real, body, headers: ["X-Api-Key": "sk-one"]).status != 401)
        let wrong = try await server.ask(real, body, headers: ["X-Api-Key": "sk-two"])
        #expect((wrong.status == 401) == route.needsKey)
    }

    private static let guarded = Task {
        try await TestServer(apiKeys: try APIKeys(text: "sk-one\n", file: "keys"))
    }

    @Test func everyPathIsCountedUnderItsNameAndStrangersUnderOne() async throws {
        let server = try await Self.guarded.value
        for route in Route.all {
            _ = try await server.ask(route.path.replacing("*", with: "gosling"), method: "DELETE")
        }
        _ = try await server.ask("/a-stranger-\(UUID().uuidString)")
        let page = String(decoding: try await server.ask("/metrics").body, as: UTF8.self)
        for route in Route.all {
            #expect(page.contains("skein_http_requests_total{path=\"\(route.label)\","))
        }
        #expect(page.contains("{path=\"other\",") && !page.contains("a-stranger"))
    }

    @Test func theFirstPageListsEveryPath() async throws {
        let server = try await TestServer.shared.value
        let page = try await server.ask("/")
        #expect(page.status == 200)
        #expect(page.headers["content-type"] == "text/plain; charset=utf-8")
        let text = String(decoding: page.body, as: UTF8.self)
        for route in Route.all {
            #expect(text.contains(" \(route.path.replacing("*", with: "NAME")) "))
            #expect(text.contains(route.summary))
        }
    }

    @Test func aLiveServerIsNotAlwaysReady() async throws {
        let server = try await TestServer()
        for path in ["/livez", "/ping", "/readyz", "/version"] {
            #expect(try await server.ask(path).status == 200)
        }
        #expect(try await server.ask("/version").json()["version"] as? String == "test")
        await server.cluster.stop()
        #expect(try await server.ask("/livez").status == 200)
        let reply = try await server.ask("/readyz")
        let reasons = try #require(try reply.json()["reasons"] as? [String])
        #expect(reply.status == 503 && !reasons.isEmpty)
        await server.stop()
    }

    @Test func aModelHasAllTheNamesItIsGiven() async throws {
        let shared = try await TestServer.shared.value
        let names = ["org/model v1", "short", "gpt-4o"].map { $0.replacing(" ", with: "-") }
        let server = try await TestServer(
            cluster: shared.cluster, names: names, text: shared.service.text)
        for name in names {
            let body = TestServer.chat("A", "\"model\": \"\(name)\", \"max_tokens\": 1")
            let reply = try await server.ask("/v1/chat/completions", body)
            #expect(try reply.json()["model"] as? String == names[0])
            let path = name.replacing("/", with: "%2F")
            #expect(try await server.ask("/v1/models/\(path)").json()["id"] as? String == name)
        }
        #expect(try await server.ask("/v1/models/org/model-v1").status == 200)
        let body = TestServer.chat("A", "\"model\": \"gosling\"")
        let refused = try await server.ask("/v1/chat/completions", body)
        #expect(refused.status == 404)
        let list = try #require(
            try await server.ask("/v1/models").json()["data"] as? [[String: Any]])
        #expect(list.compactMap { $0["id"] as? String } == names)
        let now = Int(Date().timeIntervalSince1970)
        #expect(list.allSatisfy { abs(now - ($0["created"] as? Int ?? 0)) < 3_600 })
        await server.drain()
    }
}
