import Foundation
import Logging
import SkeinCore
import SkeinStage
import SkeinTensor
import SkeinTransport
import SkeinWire
import Synchronization

/// Nodes with the bundled model in this process.
///
/// The test is their coordinator, and may tell each of them what it likes.
final class NodeRig: Sendable {
    static let epoch = Epoch(rawValue: 1)

    private static let gosling = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "cluster/models/gosling").path()

    private let names: [String]
    private let links = RigLinks()
    private let tasks = Mutex<[Task<Void, any Error>]>([])

    /// Starts nodes.
    init(_ names: [String]) {
        self.names = names
        let pool = ComputePool(threadCount: 1)
        let thread = ComputeThread(name: "skein-test")
        for name in names {
            let node = NodeService(
                settings: NodeService.Settings(
                    name: name, modelFolder: Self.gosling,
                    coordinatorAddress: links.inbox("coordinator").address,
                    serving: ServingSettings(positionCount: 256, pageCount: 4),
                    softwareVersion: "test"),
                inbox: links.inbox(name), links: links, pool: pool, computeThread: thread,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            tasks.withLock { $0.append(Task { try await node.run() }) }
        }
    }

    /// A placement of the bundled model's six layers.
    static func placement(
        _ ring: [(node: String, layers: Range<Int>)],
        experts: [(node: String, part: ShardPart)] = [], hopForm: RowForm = .bf16,
        speculates: Bool = false
    ) -> Placement {
        var settings = StageSettings(pageCount: 4)
        settings.stepsAtOnce = 1
        settings.hopForm = hopForm
        settings.speculates = speculates
        return Placement(
            epoch: epoch, nodeIndex: 0, kind: .linear,
            ring: ring.enumerated().map { place, stage in
                RingStage(
                    index: StageIndex(place), nodeName: stage.node,
                    address: RigLinks.address(stage.node), publicKey: nil,
                    slice: Slice(
                        layers: stage.layers, holdsEmbedding: place == 0,
                        holdsHead: place == ring.count - 1))
            },
            microBatchesInFlight: 2, fingerprint: "",
            expertHosts: experts.map { node, part in
                ExpertHost(
                    nodeName: node, address: RigLinks.address(node), publicKey: nil, shard: [part])
            }, settings: settings)
    }

    /// Gives each node a placement, and waits until all of them are ready.
    func place(_ placements: [String: Placement]) async throws {
        var fingerprint = ""
        var awaited = Set(names)
        while !awaited.isEmpty {
            let hello = try await next { envelope -> Hello? in
                if case .hello(let hello) = envelope.body { hello } else { nil }
            }
            fingerprint = hello.fingerprint
            awaited.remove(hello.nodeName)
        }
        for (name, placement) in placements {
            var placement = placement
            placement.fingerprint = fingerprint
            try await send(.placement(placement), to: name)
        }
        awaited = Set(placements.keys)
        while !awaited.isEmpty {
            awaited.remove(
                try await next { envelope -> String? in
                    if case .ready = envelope.body { envelope.sender } else { nil }
                })
        }
    }

    /// Sends as the coordinator.
    func send(_ body: Envelope.Body, to name: String, target: StageIndex? = nil) async throws {
        let envelope = Envelope(
            epoch: Self.epoch, sender: "coordinator", target: target, body: body)
        try await links.inbox(name).link().send(envelope.packed())
    }

    /// The next message to a peer that the test plays of which something is wanted; others are
    /// passed over.
    func next<Wanted>(
        to name: String = "coordinator", _ wanted: (Envelope) -> Wanted?
    ) async throws -> Wanted {
        while let arrival = await links.inbox(name).next() {
            let envelope = try Envelope(parsing: arrival.frames, from: arrival.peer)
            if let found = wanted(envelope) { return found }
        }
        throw Refusal(name, "was closed")
    }

    /// Ends the nodes in good order.
    func stop() async throws {
        for name in names { try await send(.shutdown, to: name) }
        for task in tasks.withLock({ $0 }) { try await task.value }
    }
}

/// Links between the inboxes of one test; one that is named is there.
final class RigLinks: LinkOpening {
    private let inboxes = Mutex<[String: InProcessInbox]>([:])

    static func address(_ name: String) -> String { "in-process:\(name)" }

    func inbox(_ name: String) -> InProcessInbox {
        inboxes.withLock { inboxes in
            let inbox = inboxes[Self.address(name)] ?? InProcessInbox(name: name)
            inboxes[inbox.address] = inbox
            return inbox
        }
    }

    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link {
        guard let name = address.split(separator: ":").last else {
            throw Refusal(address, "is no inbox of this test")
        }
        return inbox(String(name)).link()
    }
}
