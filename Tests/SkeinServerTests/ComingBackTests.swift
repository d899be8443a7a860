import Foundation
import SkeinCore
import Testing

@testable import SkeinServer

/// Clients that come back: for the rest of a stream, for an answer, or with the same request.
@Suite struct ComingBackTests {
    private static func body(_ more: String, tokens: Int = 12) -> String {
        "{\"prompt\": \"One goose\", \"temperature\": 0.9, \"max_tokens\": \(tokens), "
            + "\"ignore_eos\": true, \(more)}"
    }

    private static func text(_ events: [[String: Any]]) -> String {
        events.compactMap { ($0["choices"] as? [[String: Any]])?.first?["text"] as? String }
            .joined()
    }

    @Test func theRestOfAStreamComesFromWhereTheClientWas() async throws {
        let server = try await TestServer.shared.value
        let whole = try await server.ask(
            "/v1/completions",
            // By a seed: some answers of as many tokens have few pieces of text.
            Self.body(
                "\"stream\": true, \"seed\": 3, \"stream_options\": {\"include_usage\": true}"))
        let ids = whole.eventIDs
        let events = try whole.events()
        #expect(ids.count == events.count)
        #expect(ids.count > 12)
        #expect(ids.last?.hasSuffix("+1") == true)
        let name = try #require(events[0]["id"] as? String)
        for place in [0, ids.count / 2, ids.count - 1] {
            let rest = try await server.ask(
                "/v1/requests/\(name)/events", headers: ["Last-Event-ID": ids[place]])
            #expect(rest.eventIDs == Array(ids[(place + 1)...]))
            let restEvents = try rest.events()
            #expect(restEvents as NSArray == Array(events[(place + 1)...]) as NSArray)
        }
        let again = try await server.ask("/v1/requests/\(name)/events")
        #expect(again.body == whole.body)
    }

    @Test func severalAnswersAreCountedEachByItself() async throws {
        let server = try await TestServer.shared.value
        let whole = try await server.ask(
            "/v1/completions", Self.body("\"stream\": true, \"n\": 2, \"seed\": 3"))
        let name = try #require(whole.headers["x-request-id"])
        let middle = whole.eventIDs[whole.eventIDs.count / 2]
        let rest = try await server.ask(
            "/v1/requests/\(name)/events", headers: ["Last-Event-ID": middle])
        #expect(rest.eventIDs.last == whole.eventIDs.last)
        #expect(rest.eventIDs.count == whole.eventIDs.count - whole.eventIDs.count / 2 - 1)
        let refused = try await server.ask(
            "/v1/requests/\(name)/events", headers: ["Last-Event-ID": "7"])
        #expect(refused.status == 400)
    }

    @Test func aRepeatedRequestRunsOnce() async throws {
        let server = try await TestServer.shared.value
        let key = ["Idempotency-Key": "twice"]
        let first = try await server.ask(
            "/v1/completions", Self.body("\"top_p\": 0.9"), headers: key)
        let second = try await server.ask(
            "/v1/completions", Self.body("\"top_p\": 0.9"), headers: key)
        #expect(first.status == 200 && first.body == second.body)
        let other = try await server.ask("/v1/completions", Self.body("\"top_p\": 1"), headers: key)
        #expect(other.status == 422)
        let tooLong = try await server.ask(
            "/v1/completions", Self.body("\"top_p\": 1"),
            headers: ["Idempotency-Key": String(repeating: "k", count: 65)])
        #expect(tooLong.status == 400)
    }

    @Test func anAnswerCanBeFetchedByItsName() async throws {
        let server = try await TestServer.shared.value
        let answer = try await server.ask("/v1/completions", Self.body("\"seed\": 9"))
        let name = try #require(try answer.json()["id"] as? String)
        let state = try await server.ask("/v1/requests/\(name)").json()
        #expect(state["status"] as? String == "completed")
        let response = try #require(state["response"] as? [String: Any])
        #expect(response as NSDictionary == (try answer.json()) as NSDictionary)
        #expect(try await server.ask("/v1/requests/req_unknown").status == 404)
    }

    @Test func requestsOfOneKeyAreInvisibleToAnother() async throws {
        let server = try await TestServer(
            apiKeys: try APIKeys(text: "first\nsecond\n", file: "keys"))
        let answer = try await server.ask(
            "/v1/completions", Self.body("\"seed\": 9"), key: "first",
            headers: ["Idempotency-Key": "mine"])
        let name = try #require(try answer.json()["id"] as? String)
        #expect(try await server.ask("/v1/requests/\(name)", key: "first").status == 200)
        #expect(try await server.ask("/v1/requests/\(name)", key: "second").status == 404)
        #expect(try await server.ask("/v1/requests/\(name)/events", key: "second").status == 404)
        #expect(try await server.ask("/v1/requests/\(name)").status == 401)
        // The same idempotency key of another client is another request.
        let other = try await server.ask(
            "/v1/completions", Self.body("\"seed\": 8"), key: "second",
            headers: ["Idempotency-Key": "mine"])
        #expect(other.status == 200)
        #expect(try other.json()["id"] as? String != name)
        await server.stop()
    }
}
