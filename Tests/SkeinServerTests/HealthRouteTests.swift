import Foundation
import SkeinCluster
import SkeinServer
import Testing

@Suite struct HealthRouteTests {
    @Test func healthPushesATokenThroughTheRing() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask("/health")
        #expect(reply.status == 200)
        let json = try reply.json()
        #expect(json["status"] as? String == "ok" && (json["reasons"] as? [Any])?.isEmpty == true)
        let probe = try #require(json["probe"] as? [String: Any])
        #expect(probe["ok"] as? Bool == true)
        #expect((0..<5).contains(try #require(probe["seconds"] as? Double)))
    }

    @Test func healthOnlyLooksWhereThatIsAsked() async throws {
        let server = try await TestServer.shared.value
        let json = try await server.ask("/health?probe=0").json()
        #expect(json["status"] as? String == "ok" && json["probe"] is NSNull)
    }

    @Test func aStrangeProbeIsRefusedByName() async throws {
        let server = try await TestServer.shared.value
        for path in ["/health?probe=yes", "/v1/cluster?probe=2"] {
            let reply = try await server.ask(path)
            #expect(reply.status == 400)
            let error = try #require(try reply.json()["error"] as? [String: Any])
            #expect(error["param"] as? String == "probe")
        }
        #expect(try await server.ask("/health", "{}").status == 405)
    }

    @Test func theClusterTellsItsNodesAndItsHealth() async throws {
        let server = try await TestServer.shared.value
        let state = try await server.ask("/v1/cluster?probe=1").json()
        let health = try #require(state["health"] as? [String: Any])
        #expect(health["status"] as? String == "ok")
        #expect((health["probe"] as? [String: Any])?["ok"] as? Bool == true)
        let node = try #require((state["nodes"] as? [[String: Any]])?.first)
        let head = try #require(state["head"] as? [String: Any])
        #expect(node["version"] as? String == head["version"] as? String)
        #expect((node["fingerprint"] as? String)?.count == 64)
        #expect(node["fingerprint"] as? String == head["fingerprint"] as? String)
        #expect(try #require(node["resident_bytes"] as? Int) > 1 << 20)
        #expect(try #require(node["weight_bytes"] as? Int) > 1 << 20)
        #expect(node["threads"] as? Int == 1 && node["steps"] as? Int ?? 0 > 0)
        let step = try #require(node["step_seconds"] as? [String: Double])
        #expect(try #require(step["p50"]) > 0 && step["p50"] ?? 0 <= step["p99"] ?? 0)
        let trip = try #require(node["round_trip_seconds"] as? [String: Any])
        #expect((0..<5).contains(try #require(trip["smoothed"] as? Double)))
        let tally = try #require(state["tally"] as? [String: Int])
        #expect(tally["steps"] ?? 0 > 0 && tally["preemptions"] == 0)
        #expect((state["queue"] as? [String: Int])?["waiting_max"] ?? 0 > 0)
        let quiet = try await server.ask("/v1/cluster").json()["health"] as? [String: Any]
        #expect(quiet?["probe"] is NSNull)
    }

    @Test func aBusyServerIsNotCalledDown() async throws {
        let server = try await TestServer()
        try await withThrowingTaskGroup(of: Void.self) { asking in
            for number in 0..<12 {
                asking.addTask {
                    let body = TestServer.chat(
                        "Tell me \(number).",
                        "\"temperature\": 0, \"max_tokens\": 200, \"ignore_eos\": true")
                    let reply = try await server.ask("/v1/chat/completions", body)
                    #expect(reply.status == 200)
                }
            }
            for _ in 0..<20 {
                asking.addTask {
                    let reply = try await server.ask("/health")
                    #expect(reply.status == 200)
                }
            }
            try await asking.waitForAll()
        }
        let tally = try await server.ask("/v1/cluster").json()["tally"] as? [String: Int]
        #expect(tally?["requests_taken"] == 12)
        await server.stop()
    }

    @Test func healthNeedsNoKeyAndTheClusterDoes() async throws {
        let folder = FileManager.default.temporaryDirectory
        let file = folder.appending(path: "skein-keys-\(UUID().uuidString)")
        try Data("sk-one\n".utf8).write(to: file)
        let keys = try APIKeys(file: file.path(percentEncoded: false))
        try FileManager.default.removeItem(at: file)
        let server = try await TestServer(apiKeys: keys)
        #expect(try await server.ask("/health").status == 200)
        #expect(try await server.ask("/v1/cluster?probe=1").status == 401)
        #expect(try await server.ask("/v1/cluster?probe=1", key: "sk-one").status == 200)
        await server.stop()
    }

    @Test func anEndedClusterSaysWhy() async throws {
        let server = try await TestServer()
        await server.cluster.stop()
        let reply = try await server.ask("/health")
        let json = try reply.json()
        #expect(reply.status == 503 && json["status"] as? String == "down")
        #expect((json["reasons"] as? [String])?.first == "cluster embedded: was shut down")
        await server.stop()
    }
}
