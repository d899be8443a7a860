internal import Foundation
public import Logging
public import SkeinCoordinator
public import SkeinCore
public import SkeinMembership
internal import SkeinTransport
internal import SkeinWeights

/// This host's part of a cluster file: its nodes as child processes and, on the head, the
/// coordinator in this process.
public final class ClusterHost: Sendable {
    /// The cluster.
    public let topology: Topology

    /// Present on the head.
    public let coordinator: Coordinator?

    /// The checkpoint's shape, as this host reads it.
    public let configuration: ModelConfiguration

    /// Who holds what.
    public let placement: Placement

    /// Names of the nodes that run here.
    public let nodeNames: [String]

    let clusterFile: String
    let processes: [NodeProcess]
    let links: ZeroMQLinks?
    private let loop: Task<Void, Never>?

    /// The nodes of this host that have ended by themselves, until it is stopped.
    private let losses: AsyncStream<Loss>
    private let loss: AsyncStream<Loss>.Continuation

    /// A node of this host that has ended, and how.
    private struct Loss {
        let name: String
        let status: Int32

        var refusal: Refusal {
            Refusal(
                "node \(name)",
                status == 0
                    ? "has ended, as it was asked to" : "its process ended with status \(status)")
        }
    }

    /// Starts this host's part.
    ///
    /// - Parameters:
    ///   - share: what belongs to this host; `nil` for what has an address of this machine.
    ///   - startsNodes: whether its nodes are started here; else a service manager running starts
    ///     each with `skein node`.
    ///   - nodeLog: how the nodes that are started here say what happens.
    ///   - statusAddress: where the only node that is started here answers supervisors.
    /// - Throws: a `Refusal` where nothing in the file belongs to this host, or something of it
    ///   cannot start.
    public init(
        clusterFile: String, topology: Topology, share: HostShare? = nil,
        startsNodes: Bool = true, softwareVersion: String, logger: Logger, nodeLog: NodeLog,
        statusAddress: TCPAddress? = nil,
        onProgress: @escaping @Sendable (ClusterProgress) -> Void
    ) throws {
        self.topology = topology
        self.clusterFile = clusterFile
        let share = try share ?? HostShare.local(in: topology)
        nodeNames = startsNodes ? share.nodeNames : []
        let isHead = share.isHead
        guard isHead || !nodeNames.isEmpty else {
            throw Refusal(
                clusterFile, "names no address of this host; run it on the hosts it names")
        }
        let checkpoint = try Checkpoint.open(topology.modelPath)
        configuration = checkpoint.configuration
        placement = try topology.placement(of: configuration)
        try topology.serving.check(configuration, subject: "\(clusterFile): context")
        if isHead {
            var settings = CoordinatorSettings(
                clusterName: topology.name, configuration: configuration,
                fingerprint: try checkpoint.fingerprint(of: topology.serving.weightForm),
                placement: placement, serving: topology.serving,
                softwareVersion: softwareVersion)
            settings.publicKeys = topology.nodeKeys
            settings.standbys = topology.standbys.map(\.name)
            settings.onProgress = onProgress
            let links = try ClusterKeys.links(of: ClusterKeys.coordinatorName, in: topology)
            let inbox = try links.hub.bind(topology.coordinator.address)
            settings.refusesUnwritten = topology.unwritten == .refused
            let state = try RequestState.open(topology.statePath, settings: settings) {
                logger.warning("\($0)")
            }
            let coordinator = Coordinator(
                settings: settings, inbox: inbox, links: links, logger: logger, state: state)
            links.logEvents(to: logger) { event in
                switch event.kind {
                case .disconnected: await coordinator.noteBrokenLink(to: event.address)
                case .notReached: await coordinator.noteNobodyListens(at: event.address)
                default: break
                }
            }
            self.links = links
            self.coordinator = coordinator
            loop = Task { await coordinator.run() }
        } else {
            links = nil
            coordinator = nil
            loop = nil
        }
        var nodeLog = nodeLog
        nodeLog.showsProgress = !isHead
        var processes: [NodeProcess] = []
        for name in nodeNames {
            processes.append(
                try NodeProcess(
                    program: ThisProgram.path, clusterFile: clusterFile, name: name, log: nodeLog,
                    statusAddress: isHead ? nil : statusAddress))
        }
        self.processes = processes
        (losses, loss) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Limits.nodesMax))
    }

    /// On the head, waits until every node is loaded and a first token has been through all stages.
    ///
    /// A wait that is cancelled ends this host.
    ///
    /// - Throws: the reason for which the cluster ended before.
    public func waitUntilReady() async throws {
        try await withTaskCancellationHandler {
            try await coordinator?.waitUntilReady()
        } onCancel: {
            Task { await stop() }
        }
        await coordinator?.openRing()
    }

    /// Waits until one of this host's nodes ends by itself and the cluster cannot do without, or
    /// this host is stopped.
    ///
    /// May be called once. A node that was asked to end is no loss: others go on, and away from the
    /// head the host has come to its end with the last one. Where nodes stand by, a cluster that
    /// has been ready goes on, and so does a host that has nodes left.
    ///
    /// - Parameter onLoss: is told of each end with which this host goes on.
    /// - Returns: what happened, in one line; `nil` where every node was asked to end.
    public func waitForLostNode(onLoss: @Sendable (Refusal) -> Void) async -> Refusal? {
        var leftCount = processes.count
        for process in processes {
            // Not children of this task: they wait on while one loss ends it.
            Task { [loss] in
                let status = await process.waitForEnd()
                loss.yield(Loss(name: process.name, status: status))
            }
        }
        for await end in losses {
            leftCount -= 1
            if end.status == 0 {
                onLoss(end.refusal)
                if coordinator == nil, leftCount == 0 { return nil }
                continue
            }
            let canGoOn = await coordinator?.hasBeenReady ?? (leftCount > 0)
            guard canGoOn, !topology.standbys.isEmpty else { return end.refusal }
            onLoss(end.refusal)
        }
        return Refusal("this host", "was asked to end")
    }

    /// Ends this host's part: the nodes that were started here, and the head.
    ///
    /// Nodes of other hosts, and those that `skein node` runs, keep their weights and wait for a
    /// head to come back.
    public func stop() async {
        loss.finish()
        await coordinator?.retire(ending: nodeNames)
        await end()
    }

    /// Ends the whole cluster: every node of every host, and this host's part.
    public func endCluster() async {
        loss.finish()
        await coordinator?.shutdown()
        await end()
    }

    private func end() async {
        for process in processes { process.release() }
        let bound = Duration.seconds(Limits.leaveSecondsMax + 5)
        for process in processes { await process.waitForEnd(atMost: bound) }
        await loop?.value
        await links?.close()
    }
}
