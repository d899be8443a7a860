import SkeinCoordinator
import SkeinCore
import Testing

/// Nodes that go in good order, and a head that leaves them as they are.
@Suite struct CoordinatorLeavingTests {
    private static func request(_ tokens: Int) -> GenerationRequest {
        GenerationRequest(promptTokens: [1, 2, 3], newTokensMax: tokens)
    }

    /// Counts the tokens of a stream to its end.
    private static func tokenCount(_ stream: TokenStream) async throws -> Int {
        var count = 0
        for try await event in stream { if case .token = event { count += 1 } }
        return count
    }

    private static func becomes(_ isTrue: () async -> Bool) async -> Bool {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if await isTrue() { return true }
            await Task.yield()
        }
        return false
    }

    @Test func aNodeWithoutAStandbyGoesOnlyWhenForcedAndItsRequestsWait() async throws {
        let cluster = try await FakeCluster.start()
        cluster.behave(.slow)
        let (_, stream) = try await cluster.coordinator.submit(Self.request(4))
        for (name, line) in [
            ("b", "node b: has nobody to take its place"), ("x", "node x: is not in this cluster"),
        ] {
            let error = await #expect(throws: Refusal.self) {
                try await cluster.coordinator.drain(node: name, isForced: false)
            }
            #expect(error?.description.hasPrefix(line) == true, "\(error?.description ?? "")")
        }
        try await cluster.coordinator.drain(node: "b", isForced: true)
        // What is in the ring comes back first.
        #expect(await Self.becomes { await cluster.coordinator.missingNodes == ["b"] })
        #expect(await !cluster.coordinator.isDeserted)
        let gone = await #expect(throws: Refusal.self) {
            try await cluster.coordinator.drain(node: "b", isForced: true)
        }
        #expect(gone?.description == "node b: is not here")
        cluster.behave(.flowing)
        cluster.startNode("b", process: 2)
        #expect(try await Self.tokenCount(stream) == 4)
        await cluster.stop()
    }

    @Test func aStandbyTakesThePlaceOfANodeThatGoes() async throws {
        let cluster = try await FakeCluster.start { $0.standbys = ["s"] }
        cluster.startNode("s")
        #expect(
            await Self.becomes {
                await cluster.coordinator.status().nodes.contains {
                    $0.name == "s" && $0.state == "placed"
                }
            })
        cluster.behave(.slow)
        let (_, stream) = try await cluster.coordinator.submit(Self.request(4))
        try await cluster.coordinator.drain(node: "a", isForced: false)
        cluster.behave(.flowing)
        #expect(try await Self.tokenCount(stream) == 4)
        let status = await cluster.coordinator.status()
        #expect(status.nodes.first?.name == "s" && status.nodes.last?.state == "left")
        await cluster.stop()
    }

    @Test func aHeadThatRetiresEndsItsRequests() async throws {
        let cluster = try await FakeCluster.start()
        cluster.behave(.stuck(stage: 0))
        let (_, stream) = try await cluster.coordinator.submit(Self.request(4))
        await cluster.coordinator.retire()
        let error = await #expect(throws: Refusal.self) { try await Self.tokenCount(stream) }
        #expect(error?.description == "cluster fake: its head was shut down")
        await cluster.killNode("a")
        await cluster.killNode("b")
        await cluster.stop()
    }
}
