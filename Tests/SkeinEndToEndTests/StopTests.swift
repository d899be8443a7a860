import Foundation
import Testing

/// Ends that are asked for, on real processes: none costs more than a kill.
@Suite(.serialized) struct StopTests {
    /// A whole greedy answer of some tokens.
    private static func answer(_ cluster: SeparateNodes, tokens: Int) async throws -> String {
        let stream = try cluster.startStream(tokens: tokens)
        let text = try StreamText(await stream.finish(secondsMax: 60).output)
        #expect(text.isWhole && !text.text.isEmpty)
        return text.text
    }

    private static func run(_ arguments: String...) async throws -> SkeinProgram.Outcome {
        try await SkeinProgram.run(arguments, secondsMax: 60)
    }

    // MARK: The head

    @Test func nodesKeepTheirWeightsWhenTheHeadStopsAndEndWithTheirCluster() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let before = try await Self.answer(cluster, tokens: 40)
        cluster.head.signal(SIGTERM)
        let end = try await cluster.head.finish(secondsMax: 20)
        #expect(end.status == 0, "\(end.errors)")
        for (name, node) in nodes {
            try #require(
                await node.waitForError(containing: "is silent; waiting for it"),
                "\(name): \(node.errors)")
            #expect(node.isRunning)
        }
        try cluster.startNextHead()
        try #require(await cluster.head.waitForError(containing: "ready http"))
        #expect(try await Self.answer(cluster, tokens: 40) == before)
        for (name, node) in nodes {
            #expect(node.isRunning && node.errors.split(separator: "loading 0 %").count <= 2)
            let waits = node.errors.components(separatedBy: "is silent; waiting for it").count - 1
            #expect(waits == 1, "\(name): \(node.errors)")
        }

        let stream = try cluster.startStream(tokens: 600)
        try #require(await stream.waitForOutput())
        let down = try await Self.run("down", cluster.file)
        #expect(down.status == 0 && down.errors.contains("3 node(s)"), "\(down.errors)")
        #expect(try StreamText(await stream.finish(secondsMax: 30).output).isWhole)
        #expect(try await cluster.head.finish(secondsMax: 20).status == 0)
        for (name, node) in nodes {
            let end = try await node.finish(secondsMax: 10)
            #expect(end.status == 0, "\(name): \(end.errors)")
        }
        let again = try await Self.run("down", cluster.file)
        #expect(again.status == 1 && again.errors.contains("cannot be reached"), "\(again.errors)")
    }

    @Test func aClusterThatStillFormsEndsToo() async throws {
        let cluster = try await SeparateNodes()
        let node = try cluster.startNode("a")
        try #require(await node.waitForError(containing: "joined"))
        let down = try await Self.run("down", "--url", cluster.url)
        #expect(down.status == 0, "\(down.errors)")
        #expect(try await cluster.head.finish(secondsMax: 20).status == 0)
        #expect(try await node.finish(secondsMax: 10).status == 0)
    }

    @Test func aHeadWhoseNodesAreGoneEndsAtOnceAndSaysSo() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let stream = try cluster.startStream(tokens: 5_000)
        try #require(await stream.waitForOutput())
        for node in nodes.values { node.signal(SIGKILL) }
        cluster.head.signal(SIGTERM)
        // A broken connection is taken for a death after two seconds; draining may take thirty.
        let end = try await cluster.head.finish(secondsMax: 15)
        #expect(end.status == 0, "\(end.errors)")
        #expect(end.errors.contains("no node is left: 1 running request(s) end now"))
        #expect(try await stream.finish(secondsMax: 10).output.contains("no node is left"))
    }

    @Test func aHeadThatDrainsLetsRunningRequestsFinish() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        let stream = try cluster.startStream(tokens: 600)
        try #require(await stream.waitForOutput())
        try await cluster.stop(Array(nodes.values))
        #expect(try StreamText(await stream.finish(secondsMax: 10).output).isWhole)
    }

    // MARK: A node

    @Test(arguments: [false, true])
    func aNodeThatIsAskedToEndHandsOverToAStandby(byCommand: Bool) async throws {
        let cluster = try await SeparateNodes(standbys: ["s"])
        var nodes = try await cluster.startNodes()
        #expect(try await cluster.waitForHealth(0).status == 0)
        let streams = try (0..<3).map { _ in try cluster.startStream(tokens: 800) }
        for stream in streams { try #require(await stream.waitForOutput()) }
        if byCommand {
            let drain = try await Self.run("drain", "b", cluster.file)
            #expect(drain.status == 0, "\(drain.errors)")
        } else {
            nodes["b"]?.signal(SIGTERM)
        }
        let end = try #require(try await nodes["b"]?.finish(secondsMax: 10))
        #expect(end.status == 0 && end.errors.contains("lets this node go") != byCommand)
        try #require(
            await cluster.head.waitForError(containing: "node s takes the place of node b"))
        let texts = try await Self.wholeTexts(streams)
        let undisturbed = try await Self.answer(cluster, tokens: 800)
        #expect(texts == [undisturbed])
        nodes["b"] = nil
        try await cluster.stop(Array(nodes.values))
    }

    @Test func withoutAStandbyRequestsWaitForTheReturnOfANode() async throws {
        let cluster = try await SeparateNodes()
        var nodes = try await cluster.startNodes()
        let streams = try (0..<3).map { _ in try cluster.startStream(tokens: 800) }
        for stream in streams { try #require(await stream.waitForOutput()) }
        let refused = try await Self.run("drain", "b", cluster.file)
        #expect(refused.status == 1 && refused.errors.split(separator: "\n").count == 1)
        #expect(
            refused.errors.contains("node b: has nobody to take its place"), "\(refused.errors)")
        let unknown = try await Self.run("drain", "x", "--url", cluster.url, "--force")
        #expect(unknown.status == 1 && unknown.errors.contains("its nodes are a, b, c"))
        let forced = try await Self.run("drain", "b", cluster.file, "--force")
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(try await nodes["b"]?.finish(secondsMax: 10).status == 0)
        nodes["b"] = try cluster.startNode("b")
        #expect(try await cluster.waitForHealth(0).status == 0)
        nodes["a"]?.signal(SIGTERM)
        #expect(try await nodes["a"]?.finish(secondsMax: 10).status == 0)
        nodes["a"] = try cluster.startNode("a")
        let texts = try await Self.wholeTexts(streams)
        let undisturbed = try await Self.answer(cluster, tokens: 800)
        #expect(texts == [undisturbed])
        try await cluster.stop(Array(nodes.values))
    }

    private static func wholeTexts(_ streams: [RunningProgram]) async throws -> Set<String> {
        var texts: Set<String> = []
        for stream in streams {
            let text = try StreamText(await stream.finish(secondsMax: 90).output)
            #expect(text.isWhole)
            texts.insert(text.text)
        }
        return texts
    }

    // MARK: Versions

    @Test func aHeadAndNodesOfAdjacentVersionsAnswerAlike() async throws {
        let cluster = try await SeparateNodes()
        var nodes = try await cluster.startNodes()
        let equal = try await Self.answer(cluster, tokens: 60)
        for (head, node) in [("2", "1"), ("1", "2")] {
            cluster.head.signal(SIGTERM)
            #expect(try await cluster.head.finish(secondsMax: 20).status == 0)
            nodes["b"]?.signal(SIGTERM)
            _ = try await nodes["b"]?.finish(secondsMax: 10)
            try cluster.startNextHead(pretending: head)
            nodes["b"] = try cluster.startNode("b", pretending: node)
            try #require(await cluster.head.waitForError(containing: "ready http"))
            #expect(try await Self.answer(cluster, tokens: 60) == equal)
        }
        try await cluster.stop(Array(nodes.values))
    }

    @Test func versionsThatAreFurtherApartAreOneLineThatNamesBoth() async throws {
        let cluster = try await SeparateNodes()
        let node = try cluster.startNode("a", pretending: "4")
        let end = try await node.finish(secondsMax: 20)
        let line = "node a: speaks wire version 4, the coordinator speaks 2"
        #expect(end.status == 1 && end.errors.contains(line), "\(end.errors)")
        #expect(await cluster.head.waitForError(containing: line))
        #expect(cluster.head.errors.components(separatedBy: "wire version").count == 2)
        try await cluster.stop([])
    }
}
