import SkeinCoordinator
import SkeinCore
import SkeinMembership
import Testing

@Suite struct CoordinatorHealthTests {
    /// A cluster whose patience is short enough for a test.
    private static func impatient() async throws -> FakeCluster {
        try await FakeCluster.start { settings in
            settings.healthPatience.probeWait = .milliseconds(100)
            settings.healthPatience.probeReuse = .milliseconds(50)
            settings.healthPatience.stallAfter = .milliseconds(1_500)
        }
    }

    private static func request(_ tokens: Int) -> GenerationRequest {
        GenerationRequest(promptTokens: [1, 2, 3], newTokensMax: tokens)
    }

    @Test func aProbeGoesThroughEveryStageAndCountsForNobody() async throws {
        let cluster = try await FakeCluster.start()
        let report = await cluster.coordinator.health(probing: true)
        #expect(report.verdict == HealthVerdict(.healthy))
        guard case .answered = report.probe else {
            Issue.record("\(report.probe)")
            return
        }
        let status = await cluster.coordinator.status()
        #expect(status.counts.totals.arrivalCount == 0 && status.counts.totals.prefillRowCount == 0)
        #expect(status.counts.liveCount == 0 && status.counts.ownedPageCount == 0)
        await cluster.stop()
    }

    @Test func whoOnlyLooksSendsNoProbe() async throws {
        let cluster = try await FakeCluster.start()
        let report = await cluster.coordinator.health(probing: false)
        #expect(report.verdict.level == .healthy && report.probe == .none)
        #expect(await cluster.coordinator.status().counts.totals.returnCount == 0)
        await cluster.stop()
    }

    @Test func manyWhoAskTogetherShareOneProbe() async throws {
        let cluster = try await FakeCluster.start()
        await withTaskGroup { askers in
            for _ in 0..<50 {
                askers.addTask {
                    let report = await cluster.coordinator.health(probing: true)
                    #expect(report.verdict.level == .healthy)
                }
            }
        }
        // One micro-batch for all of them: they asked within the second of its result.
        #expect(await cluster.coordinator.status().counts.totals.returnCount == 1)
        await cluster.stop()
    }

    @Test func aRingThatStandsStillIsDegradedThenDownAndNamesTheStage() async throws {
        let cluster = try await Self.impatient()
        cluster.behave(.stuck(stage: 1))
        let first = await cluster.coordinator.health(probing: true)
        #expect(first.verdict.level == .degraded, "\(first.verdict)")
        guard case .late = first.probe else {
            Issue.record("\(first.probe)")
            return
        }
        var last = first.verdict
        let end = ContinuousClock.now + .seconds(20)
        while last.level != .down, ContinuousClock.now < end {
            last = await cluster.coordinator.health(probing: true).verdict
        }
        #expect(last.level == .down)
        let reason = last.reasons.first?.text ?? ""
        #expect(reason.hasSuffix("micro-batch 1 is in stage 1 on b"), "\(last)")
        await cluster.stop()
    }

    @Test func aRingThatMovesIsBusyWhereTheProbeIsLate() async throws {
        let cluster = try await FakeCluster.start { settings in
            settings.healthPatience.probeWait = .milliseconds(10)
        }
        cluster.behave(.slow)
        var report = await cluster.coordinator.health(probing: true)
        let end = ContinuousClock.now + .seconds(20)
        while case .late = report.probe, ContinuousClock.now < end {
            // Its heartbeat is what moves the ring.
            _ = await cluster.coordinator.freshStatus()
            report = await cluster.coordinator.health(probing: true)
        }
        #expect(report.verdict.level == .degraded)
        let reason = report.verdict.reasons.first?.text ?? ""
        #expect(reason.hasPrefix("busy: the probe took "), "\(report.verdict)")
        await cluster.stop()
    }

    @Test func aProbeThatAStageCannotRunIsDown() async throws {
        let cluster = try await FakeCluster.start()
        cluster.behave(.failing(stage: 0))
        let report = await cluster.coordinator.health(probing: true)
        #expect(
            report.verdict
                == HealthVerdict(
                    .down, [HealthReason(.probeFailed, "the probe failed: stage 0 on a: no")]))
        await cluster.stop()
    }

    /// Kills node b, whose connection breaks.
    private static func killB(of cluster: FakeCluster) async {
        await cluster.killNode("b")
        await cluster.coordinator.noteBrokenLink(to: "in-process:b")
    }

    /// Probes again and again until something is so, for 20 seconds at most.
    private static func probe(
        _ cluster: FakeCluster, until isSo: (HealthReport) async -> Bool
    ) async -> HealthVerdict {
        let end = ContinuousClock.now + .seconds(20)
        var report = await cluster.coordinator.health(probing: true)
        // A probe that nobody answers is what paces this loop.
        while await !isSo(report), ContinuousClock.now < end {
            report = await cluster.coordinator.health(probing: true)
        }
        return report.verdict
    }

    @Test func aNodeThatIsGoneIsNamed() async throws {
        let cluster = try await FakeCluster.start()
        await Self.killB(of: cluster)
        let suspicious = await cluster.coordinator.health(probing: false).verdict
        #expect(suspicious.level == .degraded, "\(suspicious)")
        let verdict = await Self.probe(cluster) { $0.verdict.level == .down }
        #expect(verdict.level == .down)
        let isNamed = verdict.reasons.contains { $0.text.hasPrefix("node b: its connection broke") }
        #expect(isNamed, "\(verdict)")
        await cluster.stop()
    }

    /// A node that is started again before anybody missed it used to be given the link to its
    /// former process, and its neighbours an empty address.
    @Test func aNodeThatIsStartedAgainAtOnceTakesUpItsWork() async throws {
        let cluster = try await FakeCluster.start()
        let (_, stream) = try await cluster.coordinator.submit(Self.request(4))
        for try await event in stream { if case .finished = event { break } }
        await cluster.killNode("b")
        cluster.startNode("b", process: 2)
        let (_, after) = try await cluster.coordinator.submit(Self.request(4))
        var count = 0
        for try await event in after { if case .token = event { count += 1 } }
        #expect(count == 4)
        #expect(await cluster.coordinator.status().epoch > Epoch.none.next)
        await cluster.stop()
    }

    @Test func aStandbyTakesThePlaceOfALostNodeAndStreamsGoOn() async throws {
        let cluster = try await FakeCluster.start { $0.standbys = ["s"] }
        #expect(await cluster.coordinator.health(probing: false).verdict.level == .degraded)
        cluster.startNode("s")
        cluster.behave(.slow)
        let (_, stream) = try await cluster.coordinator.submit(Self.request(200))
        cluster.behave(.flowing)
        await Self.killB(of: cluster)
        let verdict = await Self.probe(cluster) { report in
            guard case .answered = report.probe else { return false }
            return await cluster.coordinator.status().epoch > Epoch.none.next
        }
        #expect(verdict.level == .degraded, "\(verdict)")
        let isNamed = verdict.reasons.contains { $0.text.hasPrefix("node b: does not stand by: ") }
        #expect(isNamed, "\(verdict)")
        let nodes = await cluster.coordinator.status().nodes
        #expect(nodes.map(\.name) == ["a", "s", "b"])
        #expect(nodes.map(\.isStandby) == [false, false, true])
        var count = 0
        for try await event in stream { if case .token = event { count += 1 } }
        #expect(count == 200)
        // It comes back without a place, and nobody is disturbed.
        let epoch = await cluster.coordinator.status().epoch
        cluster.startNode("b", process: 2)
        let (_, after) = try await cluster.coordinator.submit(Self.request(4))
        for try await _ in after {}
        #expect(await cluster.coordinator.status().epoch == epoch)
        await cluster.stop()
    }

    @Test func aStandbyThatIsLostDisturbsNobody() async throws {
        let cluster = try await FakeCluster.start(["a"]) { $0.standbys = ["b"] }
        cluster.startNode("b")
        let (_, stream) = try await cluster.coordinator.submit(Self.request(4))
        for try await _ in stream {}
        await Self.killB(of: cluster)
        let (_, after) = try await cluster.coordinator.submit(Self.request(4))
        var count = 0
        for try await event in after { if case .token = event { count += 1 } }
        #expect(count == 4)
        #expect(await cluster.coordinator.status().epoch == Epoch.none.next)
        await cluster.stop()
    }

    @Test func aStandbyWithoutTheMemoryIsNotTaken() async throws {
        let cluster = try await FakeCluster.start { $0.standbys = ["s"] }
        cluster.startNode("s", memoryBytes: 1_000)
        let (_, stream) = try await cluster.coordinator.submit(Self.request(1))
        for try await _ in stream {}
        await Self.killB(of: cluster)
        let verdict = await Self.probe(cluster) { $0.verdict.level == .down }
        #expect(verdict.level == .down)
        #expect(await cluster.coordinator.status().nodes.map(\.name) == ["a", "b", "s"])
        await cluster.stop()
    }

    @Test func statusTellsWhatNodesSay() async throws {
        let cluster = try await FakeCluster.start()
        let status = await cluster.coordinator.freshStatus()
        let node = try #require(status.nodes.first)
        #expect(node.softwareVersion == "test" && node.fingerprint == "f00d")
        #expect(node.instructionSet == "scalar" && node.threadCount == 3)
        #expect(node.weightBytes == 7 && node.usedPageCount == 2 && node.upSeconds == 90)
        #expect(node.lastError == "something was wrong")
        #expect((60..<70).contains(try #require(node.lastErrorAgeSeconds)))
        #expect((0..<5).contains(try #require(node.roundTripSeconds)))
        #expect(node.memoryAvailableBytes == 1 << 40 && node.silentSeconds != nil)
        #expect(status.counts.waitingMax > 0 && status.counts.inFlightCount == 0)
        await cluster.stop()
    }

    @Test func anEndedClusterIsDownAndNobodyWaits() async throws {
        let cluster = try await FakeCluster.start()
        cluster.behave(.stuck(stage: 0))
        async let asking = cluster.coordinator.health(probing: true)
        await cluster.stop()
        let report = await asking
        #expect(report.verdict.level == .down)
        #expect(await cluster.coordinator.health(probing: true).verdict.level == .down)
    }
}
