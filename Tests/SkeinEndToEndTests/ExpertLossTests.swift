import Foundation
import Testing

/// Experts of a cluster file on processes of their own, and what happens when one is lost.
@Suite(.serialized) struct ExpertLossTests {
    /// Uneven, one expert twice, and one nowhere but with its layer's stage.
    private static func start() async throws -> SeparateNodes {
        try await SeparateNodes(shards: [
            "x": ["layers: 1-5, experts: 0-3", "layers: 2-3, experts: 9-14"],
            "y": ["layers: 1-5, experts: 3-8"],
        ])
    }

    @Test func expertHostsAreShownWithWhatTheyHold() async throws {
        let cluster = try await Self.start()
        let nodes = try await cluster.startNodes()
        let people = try await cluster.health()
        #expect(people.status == 0, "\(people.output)\(people.errors)")
        let row = people.output.split(separator: "\n").first { $0.hasPrefix("x ") } ?? ""
        #expect(row.contains("experts  1-5x0-3 2-3x9-14"), "\(people.output)")
        let run = try await SkeinProgram.run(["health", "--url", cluster.url, "--json"])
        let state = try #require(try run.json()["cluster"] as? [String: Any])
        let found = try #require(state["nodes"] as? [[String: Any]])
        let roles = found.map { $0["role"] as? String }
        #expect(roles == ["node", "node", "node", "experts", "experts"])
        let parts = try #require(found[4]["experts"] as? [[String: Int]])
        let expected = ["first_layer": 1, "last_layer": 5, "first_expert": 3, "last_expert": 8]
        #expect(parts == [expected])
        let metrics = try await RunningProgram(
            command: ["curl", "-sS", "--max-time", "10", cluster.url + "/metrics"]
        ).finish(secondsMax: 15)
        #expect(metrics.output.contains("skein_expert_host_rows_total{node=\"x\"}"))
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aLostExpertHostCostsTimeAndNoToken() async throws {
        let cluster = try await Self.start()
        var nodes = try await cluster.startNodes()
        let stream = try cluster.startStream(tokens: 1_500)
        try #require(await stream.waitForOutput())
        nodes["y"]?.signal(SIGKILL)
        let down = try await cluster.waitForHealth(2)
        let verdict = down.output.split(separator: "\n").last ?? ""
        #expect(verdict.hasPrefix("down: node y: "), "\(down.output)\(down.errors)")
        #expect(stream.isRunning, "the stream ended before its node was killed")
        nodes["y"] = try cluster.startNode("y")
        let back = try await cluster.waitForHealth(0)
        #expect(back.status == 0, "\(back.output)\(back.errors)")
        let disturbed = try StreamText(await stream.finish(secondsMax: 60).output)
        let again = try cluster.startStream(tokens: 1_500)
        let undisturbed = try StreamText(await again.finish(secondsMax: 60).output)
        #expect(disturbed.isWhole && undisturbed.isWhole)
        #expect(!undisturbed.text.isEmpty && disturbed.text == undisturbed.text)
        try await cluster.stop(Array(nodes.values))
    }

    @Test func expertsThatTheModelDoesNotHaveAreRefusedByTheHead() async throws {
        let folder = try ScratchFolder()
        let file = try folder.write(
            """
            cluster: wrong
            model: \(SkeinProgram.gosling)
            placement: linear
            context: 512
            pages: 8
            coordinator:
              address: tcp://127.0.0.1:7100
            nodes:
              - {name: a, address: "tcp://127.0.0.1:7101"}
              - name: x
                address: tcp://127.0.0.1:7102
                experts: [{layers: 1-5, experts: 8-16}]

            """, to: "wrong.yaml")
        let run = try await SkeinProgram.run(["up", file], secondsMax: 30)
        #expect(run.status == 1)
        #expect(
            run.errors
                == "skein: error: node x: holds experts 8-16 of layers 1-5, each of which has "
                + "experts 0 to 15\n")
    }
}
