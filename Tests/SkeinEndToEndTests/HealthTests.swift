import Foundation
import Testing

/// `skein health` against real processes: what it shows, and that it tells the truth while nodes
/// stop, die and come back.
@Suite(.serialized) struct HealthTests {
    @Test func everyNodeIsShownAndAHealthyClusterExitsWithZero() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let people = try await cluster.health()
        #expect(people.status == 0 && people.errors == "", "\(people.errors)")
        let lines = people.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 8 && lines.allSatisfy { $0.count <= 80 }, "\(people.output)")
        #expect(lines.first == "cluster separate at \(cluster.url)")
        #expect(lines.dropFirst().first?.hasPrefix("epoch 1, 0 running, 0 waiting,") == true)
        #expect(lines.dropFirst(2).first?.hasPrefix("NODE         ROLE     SLICE") == true)
        for (place, name) in SeparateNodes.names.enumerated() {
            let row = lines.first { $0.hasPrefix("\(name) ") } ?? ""
            #expect(row.contains("stage \(place)") && row.contains("ready"), "\(row)")
            #expect(row.contains(" 127.0.0.1:"), "\(row)")
        }
        #expect(lines.last?.hasPrefix("healthy: a token went through every stage in ") == true)
        let programs = try await SkeinProgram.run(["health", "--cluster", cluster.file, "--json"])
        #expect(programs.status == 0)
        let json = try programs.json()
        #expect(json["status"] as? String == "ok" && json["exit_code"] as? Int == 0)
        let state = try #require(json["cluster"] as? [String: Any])
        #expect((state["nodes"] as? [[String: Any]])?.count == 3)
        #expect(programs.output.split(separator: "\n").count == 1)
        let banner = cluster.head.errors
        for part in [
            "serving model: 3 node(s), linear", "node b: stage 1", "256 pages of 64 positions",
            "API keys off", "next: skein health --url \(cluster.url)",
        ] { #expect(banner.contains(part), "\(banner)") }
        #expect(banner.components(separatedBy: "next: skein health").count == 2)
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aClusterThatFormsIsLoadingAndSaysForWhomItWaits() async throws {
        let cluster = try await SeparateNodes()
        let a = try cluster.startNode("a")
        try #require(await cluster.head.waitForError(containing: "node a has joined"))
        let found = try await cluster.waitForHealth(2)
        #expect(found.status == 2)
        #expect(found.output.contains("\nloading: "), "\(found.output)\(found.errors)")
        #expect(found.output.contains("node b: has not joined\n  node c: has not joined\n"))
        let json = try await cluster.health("--json").json()
        let details = try #require(json["details"] as? [[String: Any]])
        #expect(details.map { $0["node"] as? String }.suffix(2) == ["b", "c"])
        #expect(details.map { $0["code"] as? String }.suffix(2) == ["node_absent", "node_absent"])
        let reply = try await RunningProgram(
            command: [
                "curl", "-sS", "-i", "--max-time", "5", "-d", "{\"prompt\": \"a\"}",
                cluster.url + "/v1/completions",
            ]
        ).finish(secondsMax: 10)
        #expect(reply.output.contains("503") && reply.output.contains("the cluster is loading"))
        try await cluster.stop([a])
    }

    /// The promise of the design: a lost node costs time, never a token.
    @Test func aKilledNodeIsDownAndItsStreamsGoOnWhenItIsBack() async throws {
        let cluster = try await SeparateNodes()
        var nodes = try await cluster.startNodes()
        let stream = try cluster.startStream(tokens: 2_000)
        try #require(await stream.waitForOutput())
        nodes["b"]?.signal(SIGKILL)
        let start = ContinuousClock.now
        let down = try await cluster.waitForHealth(2)
        #expect(down.status == 2, "\(down.output)\(down.errors)")
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(down.output.contains("\ndown: node b: "), "\(down.output)")
        #expect(stream.isRunning, "the stream ended before its node was killed")
        try await expectMetrics(
            of: cluster,
            [
                "skein_node_up{node=\"b\"} 0", "skein_node_state{node=\"b\",state=\"dead\"} 1",
                "skein_node_up{node=\"a\"} 1", "skein_cluster_verdict{verdict=\"down\"} 1",
                "skein_health_reasons{code=\"node_dead\",node=\"b\"} 1",
            ],
            without: [
                "skein_node_resident_bytes{node=\"b\"}", "skein_node_silence_seconds{node=\"b\"}",
                "skein_stage_busy_seconds_total{node=\"b\"",
            ])
        nodes["b"] = try cluster.startNode("b")
        let back = try await cluster.waitForHealth(0)
        #expect(back.status == 0, "\(back.output)\(back.errors)")
        let disturbed = try StreamText(await stream.finish(secondsMax: 60).output)
        let again = try cluster.startStream(tokens: 2_000)
        let undisturbed = try StreamText(await again.finish(secondsMax: 60).output)
        #expect(disturbed.isWhole && undisturbed.isWhole)
        #expect(!undisturbed.text.isEmpty && disturbed.text == undisturbed.text)
        try await cluster.stop(Array(nodes.values))
    }

    /// What is not known of a lost node is not there, and nothing is 0 that was not measured.
    private func expectMetrics(
        of cluster: SeparateNodes, _ lines: [String], without parts: [String]
    ) async throws {
        let page = try await RunningProgram(
            command: ["curl", "-sS", "--max-time", "10", cluster.url + "/metrics"]
        ).finish(secondsMax: 15).output
        for line in lines { #expect(page.contains("\n\(line)\n"), "\(line)") }
        for part in parts { #expect(!page.contains(part), "\(part)") }
    }

    /// The nodes stay as they are; a head that knows nothing takes them over.
    @Test func aHeadThatIsStartedAgainTakesItsNodesOver() async throws {
        let cluster = try await SeparateNodes()
        var nodes = try await cluster.startNodes()
        // So that epochs have been counted.
        nodes["b"]?.signal(SIGKILL)
        #expect(try await cluster.waitForHealth(2).status == 2)
        nodes["b"] = try cluster.startNode("b")
        #expect(try await cluster.waitForHealth(0).status == 0)
        let before = try cluster.startStream(tokens: 50)
        let expected = try StreamText(await before.finish(secondsMax: 60).output)
        for _ in 0..<2 {
            try await cluster.replaceHead()
            try #require(
                await cluster.head.waitForError(containing: "ready http"), "\(cluster.head.errors)")
            #expect(try await cluster.waitForHealth(0).status == 0)
            let after = try cluster.startStream(tokens: 50)
            let found = try StreamText(await after.finish(secondsMax: 60).output)
            #expect(found.isWhole && found.text == expected.text && !found.text.isEmpty)
        }
        #expect(nodes.values.filter { !$0.isRunning }.isEmpty)
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aStoppedNodeIsSuspectAndHealthyAgainWhenItGoesOn() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        nodes["c"]?.signal(SIGSTOP)
        let degraded = try await cluster.waitForHealth(1, secondsMax: 10)
        #expect(degraded.status == 1)
        // The connection stands: it is silent, and that is what is said.
        #expect(
            degraded.output.contains("\ndegraded: node c: has been silent for "),
            "\(degraded.output)")
        #expect(!degraded.output.contains("busy: "), "\(degraded.output)")
        nodes["c"]?.signal(SIGCONT)
        #expect(try await cluster.waitForHealth(0).status == 0)
        // One that is stopped for longer is lost, and comes back as itself.
        nodes["c"]?.signal(SIGSTOP)
        let down = try await cluster.waitForHealth(2)
        #expect(down.output.contains("down: node c: gave no sign of life"), "\(down.output)")
        nodes["c"]?.signal(SIGCONT)
        let back = try await cluster.waitForHealth(0)
        #expect(back.status == 0, "\(back.output)\(back.errors)")
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aRequestIsFoundByItsNameInTheLogOfEveryNode() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let answer = try StreamText(
            await cluster.startStream(tokens: 20).finish(secondsMax: 60).output)
        #expect(answer.requestID.hasPrefix("req_"))
        for (place, name) in SeparateNodes.names.enumerated() {
            let node = try #require(nodes[name])
            let mark = "request=\(answer.requestID)"
            try #require(await node.waitForError(containing: "a sequence has left"))
            let lines = node.errors.split(separator: "\n").filter { $0.contains(mark) }
            #expect(lines.allSatisfy { $0.contains("stage=\(place)") })
            #expect(lines.allSatisfy { $0.contains("node=\(name)") })
            #expect(lines.count { $0.contains("the first rows of a sequence") } == 1)
            #expect(lines.count { $0.contains(" step") && $0.contains("phase=prefill") } == 1)
            #expect(lines.count { $0.contains(" step") && $0.contains("phase=decode") } == 19)
            #expect(lines.count { $0.contains("a sequence has left") } == 1, "\(lines)")
        }
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aWatchEndsWithTheCodeOfItsLastVerdict() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let watch = try SkeinProgram.start(
            ["health", "--url", cluster.url, "--watch", "--interval", "0.1"])
        try #require(await watch.waitForOutput())
        nodes["a"]?.signal(SIGKILL)
        _ = try await cluster.waitForHealth(2)
        try #require(await watch.waitForOutput(containing: "down: node a: "))
        watch.signal(SIGINT)
        let end = try await watch.finish(secondsMax: 15)
        #expect(end.status == 2, "\(end.errors)")
        let lines = end.output.split(separator: "\n")
        #expect(lines.first?.contains("Z healthy: a token went through") == true, "\(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("20") })
        try await cluster.stop(Array(nodes.values))
    }
}
