import Foundation
import Testing

/// A node that stands by, on processes that are killed and started.
@Suite(.serialized) struct StandbyTests {
    private static func roles(_ cluster: SeparateNodes) async throws -> [String: String] {
        let run = try await SkeinProgram.run(["health", "--url", cluster.url, "--json"])
        let state = try #require(try run.json()["cluster"] as? [String: Any])
        let found = try #require(state["nodes"] as? [[String: Any]])
        return Dictionary(
            uniqueKeysWithValues: found.map {
                ($0["name"] as? String ?? "", $0["role"] as? String ?? "")
            })
    }

    /// The standby takes the killed node's place, that one stands by when it is back, and takes its
    /// place again when the other is killed; the stream never knows.
    @Test func everyStreamGoesOnWhicheverNodeIsKilled() async throws {
        let cluster = try await SeparateNodes(standbys: ["s"])
        var nodes = try await cluster.startNodes()
        let sound = try await cluster.waitForHealth(0)
        #expect(sound.status == 0, "\(sound.output)\(sound.errors)")
        let row = sound.output.split(separator: "\n").first { $0.hasPrefix("s ") } ?? ""
        #expect(row.contains("standby"), "\(sound.output)")
        let stream = try cluster.startStream(tokens: 3_000)
        try #require(await stream.waitForOutput())

        nodes["b"]?.signal(SIGKILL)
        try #require(
            await cluster.head.waitForError(containing: "node s takes the place of node b"))
        let failedOver = try await cluster.waitForHealth(1)
        #expect(
            failedOver.output.contains("\ndegraded: node b: does not stand by: "),
            "\(failedOver.output)")
        #expect(
            try await Self.roles(cluster) == [
                "a": "node", "s": "node", "c": "node", "b": "standby",
            ])
        nodes["b"] = try cluster.startNode("b")
        #expect(try await cluster.waitForHealth(0).status == 0)

        nodes["s"]?.signal(SIGKILL)
        try #require(
            await cluster.head.waitForError(containing: "node b takes the place of node s"))
        #expect(try await cluster.waitForHealth(1).status == 1)
        let disturbed = try StreamText(await stream.finish(secondsMax: 90).output)
        let again = try cluster.startStream(tokens: 3_000)
        let undisturbed = try StreamText(await again.finish(secondsMax: 60).output)
        #expect(disturbed.isWhole && undisturbed.isWhole)
        #expect(!undisturbed.text.isEmpty && disturbed.text == undisturbed.text)
        nodes["s"] = nil
        try await cluster.stop(Array(nodes.values))
    }

    /// A lost node need not wait for a standby that comes after it.
    @Test func aStandbyThatComesLaterTakesThePlaceThen() async throws {
        let cluster = try await SeparateNodes(standbys: ["s"])
        var nodes: [String: RunningProgram] = [:]
        for name in SeparateNodes.names { nodes[name] = try cluster.startNode(name) }
        try #require(await cluster.head.waitForError(containing: "ready http"))
        let stream = try cluster.startStream(tokens: 1_000)
        try #require(await stream.waitForOutput())
        nodes["a"]?.signal(SIGKILL)
        #expect(try await cluster.waitForHealth(2).status == 2)
        nodes["s"] = try cluster.startNode("s")
        #expect(try await cluster.waitForHealth(1).status == 1)
        let disturbed = try StreamText(await stream.finish(secondsMax: 60).output)
        let again = try cluster.startStream(tokens: 1_000)
        let undisturbed = try StreamText(await again.finish(secondsMax: 60).output)
        #expect(disturbed.isWhole && disturbed.text == undisturbed.text)
        nodes["a"] = nil
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aHostWithAStandbyGoesOnWithoutAKilledNode() async throws {
        let cluster = try await SeparateNodes(standbys: ["s"], isOneHost: true)
        try #require(await cluster.head.waitForError(containing: "ready http"))
        #expect(try await cluster.waitForHealth(0).status == 0)
        let nodes = ProcessTable.children(of: cluster.head.processID)
        try #require(nodes.count == 4, "\(nodes)")
        kill(try #require(nodes.min()), SIGKILL)
        try #require(
            await cluster.head.waitForError(containing: "node s takes the place of node a"),
            "\(cluster.head.errors)")
        #expect(try await cluster.waitForHealth(1).status == 1)
        let stream = try cluster.startStream(tokens: 20)
        #expect(try StreamText(await stream.finish(secondsMax: 60).output).isWhole)
        try await cluster.stop([])
        #expect(nodes.filter(ProcessTable.isAlive) == [])
    }

    /// It was not dead, only cut off: it gives its memory back and can be called upon again.
    @Test func aNodeWhosePlaceWasTakenWhileItWasSilentStandsBy() async throws {
        let cluster = try await SeparateNodes(standbys: ["s"])
        var nodes = try await cluster.startNodes()
        nodes["b"]?.signal(SIGSTOP)
        try #require(
            await cluster.head.waitForError(containing: "node s takes the place of node b"))
        #expect(try await cluster.waitForHealth(1).status == 1)
        nodes["b"]?.signal(SIGCONT)
        try #require(
            await nodes["b"]?.waitForError(containing: "another node has our place") == true)
        #expect(try await cluster.waitForHealth(0).status == 0)
        nodes["s"]?.signal(SIGKILL)
        try #require(
            await cluster.head.waitForError(containing: "node b takes the place of node s"))
        #expect(try await cluster.waitForHealth(1).status == 1)
        let stream = try cluster.startStream(tokens: 20)
        #expect(try StreamText(await stream.finish(secondsMax: 60).output).isWhole)
        nodes["s"] = nil
        try await cluster.stop(Array(nodes.values))
    }
}
