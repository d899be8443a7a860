import Foundation
import Synchronization
import Testing

@Suite struct TraceRouteTests {
    @Test func aTraceTellsWhatEveryStageDid() async throws {
        let server = try await TestServer()
        let isTraced = Mutex(false)
        let tracing = Task {
            defer { isTraced.withLock { $0 = true } }
            return try await server.ask("/v1/trace?seconds=0.5", "")
        }
        while !isTraced.withLock({ $0 }) {
            let reply = try await server.ask(
                "/v1/completions", "{\"prompt\": \"a\", \"max_tokens\": 8, \"ignore_eos\": true}")
            #expect(reply.status == 200)
        }
        let reply = try await tracing.value
        #expect(reply.status == 200, "\(String(decoding: reply.body, as: UTF8.self))")
        let json = try reply.json()
        let seconds = try #require(json["window_seconds"] as? Double)
        #expect((0.5..<5).contains(seconds))
        let kinds = try #require(json["interval_kinds"] as? [String])
        #expect(kinds.contains("prefill") && kinds.contains("waiting_in"))
        let nodes = try #require(json["nodes"] as? [[String: Any]])
        #expect(nodes.count == 3 && nodes[0]["name"] as? String == "coordinator")
        for node in nodes.dropFirst() {
            let lanes = try #require(node["lanes"] as? [[String: Any]])
            let lane = try #require(lanes.first)
            #expect(lanes.count == 1 && lane["role"] as? String == "stage")
            let starts = try #require(lane["start"] as? [Int])
            let ends = try #require(lane["end"] as? [Int])
            #expect(!starts.isEmpty && starts.count == ends.count)
            #expect(zip(starts, ends).allSatisfy { $0 >= 0 && $0 <= $1 })
        }
        let requests = try #require(json["requests"] as? [String])
        #expect(!requests.isEmpty && requests.allSatisfy { $0.hasPrefix("req_") })
        let carried = try #require(json["micro_batches"] as? [String: Any])
        let rows = try #require(carried["rows"] as? [Int])
        let names = try #require(carried["requests"] as? [[Int]])
        #expect((carried["id"] as? [Int])?.count == rows.count && rows.count == names.count)
        #expect(!rows.isEmpty && rows.allSatisfy { $0 > 0 })
        #expect(names.contains { !$0.isEmpty })
        #expect(names.joined().allSatisfy { requests.indices.contains($0) })
        let stages = try #require(json["stages"] as? [[String: Any]])
        for stage in stages {
            let figures = try #require(stage["figures"] as? [String: Any])
            let busy = try #require(figures["busy_share"] as? Double)
            #expect(busy > 0 && busy <= 1)
        }
        await server.stop()
    }

    @Test func aStrangeWindowIsRefusedByName() async throws {
        let server = try await TestServer.shared.value
        for text in ["soon", "0", "61", "nan"] {
            let reply = try await server.ask("/v1/trace?seconds=\(text)", "")
            #expect(reply.status == 400)
            let error = try #require(try reply.json()["error"] as? [String: Any])
            #expect(error["param"] as? String == "seconds")
        }
        #expect(try await server.ask("/v1/trace").status == 405)
    }
}
