import SkeinCoordinator
import SkeinCore
import SkeinTelemetry
import Testing

@Suite struct CoordinatorTraceTests {
    private static func generate(_ cluster: FakeCluster, tokens: Int) async throws {
        let request = GenerationRequest(promptTokens: [1, 2, 3], newTokensMax: tokens)
        let (_, stream) = try await cluster.coordinator.submit(request)
        for try await event in stream { if case .finished = event { break } }
    }

    @Test func aTraceIsOnOneClockHoweverWrongTheNodesClocksAre() async throws {
        let cluster = try await FakeCluster.start(
            clockLeads: ["a": .seconds(5_000), "b": .seconds(10)])
        try await cluster.coordinator.beginTrace()
        try await Self.generate(cluster, tokens: 6)
        let trace = try await cluster.coordinator.endTrace()
        #expect(trace.nodes.map(\.name) == ["coordinator", "a", "b"])
        #expect(trace.nodes.allSatisfy { $0.missedCount == 0 })
        // The two clocks started together, so that they differ by exactly their leads.
        let difference = trace.nodes[1].clockLeadMicroseconds - trace.nodes[2].clockLeadMicroseconds
        let error = trace.clockErrorMicroseconds
        #expect(abs(difference - 4_990_000_000) <= error, "\(difference)")
        #expect(error < 1_000_000)
        let hops = trace.hops
        let passes = Dictionary(grouping: hops, by: \.microBatch)
        #expect(passes.count == 6)
        for (microBatch, hops) in passes {
            // To the first stage, to the second and back, each within the clocks' error.
            #expect(hops.map(\.to) == [.stage(StageIndex(0)), .stage(StageIndex(1)), .coordinator])
            for (earlier, later) in zip(hops, hops.dropFirst()) {
                #expect(
                    later.startMicroseconds + error >= earlier.startMicroseconds, "\(microBatch)")
            }
        }
        let inside = trace.startMicroseconds...trace.endMicroseconds
        for interval in trace.nodes.flatMap(\.intervals) {
            #expect(inside.contains(interval.startMicroseconds))
            #expect(inside.contains(interval.endMicroseconds))
        }
        await cluster.stop()
    }

    @Test func whatHappenedBeforeATraceIsNotPartOfIt() async throws {
        let cluster = try await FakeCluster.start(clockLeads: ["a": .seconds(7), "b": .zero])
        try await Self.generate(cluster, tokens: 4)
        try await cluster.coordinator.beginTrace()
        try await Self.generate(cluster, tokens: 2)
        let trace = try await cluster.coordinator.endTrace()
        let steps = trace.nodes[1].intervals.filter { $0.kind.isCompute }
        #expect(steps.count == 2)
        await cluster.stop()
    }

    @Test func thereIsOneTraceAtATimeAndTheNextMayFollow() async throws {
        let cluster = try await FakeCluster.start(clockLeads: ["a": .zero, "b": .zero])
        try await cluster.coordinator.beginTrace()
        let error = await #expect(throws: Refusal.self) {
            try await cluster.coordinator.beginTrace()
        }
        #expect(error?.description.contains("another one is being taken") == true)
        _ = try await cluster.coordinator.endTrace()
        await #expect(throws: Refusal.self) { try await cluster.coordinator.endTrace() }
        try await cluster.coordinator.beginTrace()
        _ = try await cluster.coordinator.endTrace()
        await cluster.stop()
    }

    @Test func aTraceOfAnEndedClusterIsRefusedAndNobodyWaits() async throws {
        let cluster = try await FakeCluster.start(clockLeads: ["a": .zero, "b": .zero])
        try await cluster.coordinator.beginTrace()
        await cluster.stop()
        await #expect(throws: Refusal.self) { try await cluster.coordinator.endTrace() }
        await #expect(throws: Refusal.self) { try await cluster.coordinator.beginTrace() }
    }
}
