import Foundation
import Logging
import SkeinCoordinator
import SkeinCore
import SkeinMembership
import SkeinTransport
import SkeinWire
import Synchronization

/// A coordinator with nodes that compute nothing: they join, give signs of life, and do with steps
/// what the test says.
final class FakeCluster: Sendable {
    /// What the nodes do with a step; the last stage's draws answer it.
    enum Behaviour: Sendable {
        /// Pass it on at once; the last stage draws token 1.
        case flowing
        /// Keep it until the next heartbeat, and then pass it on.
        case slow
        /// The stage keeps every step for ever, computing it.
        case stuck(stage: Int)
        /// The stage says that it cannot run it.
        case failing(stage: Int)
    }

    let coordinator: Coordinator
    private let links = FakeLinks()
    private let behaviour = Mutex(Behaviour.flowing)
    private let tasks: Mutex<[Task<Void, Never>]>
    private let clockLeads: [String: Duration]
    /// The zero of the nodes' clocks, but for their leads.
    private let origin = ContinuousClock.now

    /// Starts a ring of one stage for each name, and waits until it is ready.
    ///
    /// - Parameter clockLeads: how far nodes' clocks are ahead; the others' stand still.
    static func start(
        _ names: [String] = ["a", "b"], clockLeads: [String: Duration] = [:],
        change: (inout CoordinatorSettings) -> Void = { _ in }
    ) async throws -> FakeCluster {
        let cluster = try FakeCluster(names, clockLeads, change)
        for name in names { cluster.startNode(name) }
        try await cluster.coordinator.waitUntilReady()
        return cluster
    }

    private init(
        _ names: [String], _ clockLeads: [String: Duration],
        _ change: (inout CoordinatorSettings) -> Void
    ) throws {
        self.clockLeads = clockLeads
        let configuration = try ModelConfiguration(
            json: Array(try Data(contentsOf: Self.gosling.appending(path: "config.json"))))
        var settings = CoordinatorSettings(
            clusterName: "fake", configuration: configuration, fingerprint: "f00d",
            placement: try SkeinMembership.Placement(
                kind: .linear, nodes: names.map { NodeShare(name: $0) },
                layerCount: configuration.layerCount),
            serving: ServingSettings(positionCount: 256, pageCount: 8), softwareVersion: "test")
        change(&settings)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let coordinator = Coordinator(
            settings: settings, inbox: links.inbox("coordinator"), links: links, logger: logger)
        self.coordinator = coordinator
        tasks = Mutex([Task { await coordinator.run() }])
    }

    static let gosling = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "cluster/models/gosling")

    /// From now on the nodes do this with steps.
    func behave(_ next: Behaviour) { behaviour.withLock { $0 = next } }

    /// Starts a node; one with the name of another takes its place.
    func startNode(_ name: String, process: UInt64 = 1, memoryBytes: UInt64 = 1 << 40) {
        let inbox = links.inbox(name)
        let node = FakeNode(
            name: name, process: process, memoryBytes: memoryBytes, inbox: inbox, links: links,
            clock: clockLeads[name].map { FakeClock(origin: origin, lead: $0) },
            behaviour: { [weak self] in self?.behaviour.withLock { $0 } ?? .flowing })
        tasks.withLock { $0.append(Task { await node.run() }) }
    }

    /// Ends a node without a word.
    func killNode(_ name: String) async { await links.inbox(of: name)?.close() }

    /// Ends everything.
    func stop() async {
        await coordinator.shutdown()
        await links.close()
        for task in tasks.withLock({ $0 }) { await task.value }
    }
}

/// Links between the inboxes of one test.
final class FakeLinks: LinkOpening {
    private let inboxes = Mutex<[String: InProcessInbox]>([:])

    func inbox(_ name: String) -> InProcessInbox {
        let inbox = InProcessInbox(name: name)
        inboxes.withLock { $0[inbox.address] = inbox }
        return inbox
    }

    func inbox(of name: String) -> InProcessInbox? {
        inboxes.withLock { $0.values.first { $0.address.hasSuffix(name) } }
    }

    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link {
        guard let inbox = inboxes.withLock({ $0[address] }) else {
            throw Refusal(address, "is no inbox of this test")
        }
        return inbox.link()
    }

    func close() async {
        for inbox in inboxes.withLock({ Array($0.values) }) { await inbox.close() }
    }
}
