internal import Foundation
public import Logging
public import SkeinCoordinator
public import SkeinCore
internal import SkeinMembership
internal import SkeinStage
internal import SkeinTensor
internal import SkeinTransport
internal import SkeinWeights

/// A whole cluster on this machine, for the length of one command.
///
/// Its nodes are actors of this process, joined by in-process links, or child processes joined by
/// ZeroMQ on loopback. Both speak the same frames to the same coordinator.
public final class EmbeddedCluster: Sendable {
    /// Takes requests.
    public let coordinator: Coordinator

    /// The checkpoint, as this process sees it.
    public let configuration: ModelConfiguration

    private let tasks: [Task<Void, Never>]
    private let processes: [NodeProcess]
    private let links: any ClusterLinks
    private let folder: TemporaryFolder?

    private init(
        coordinator: Coordinator, configuration: ModelConfiguration, tasks: [Task<Void, Never>],
        processes: [NodeProcess], links: any ClusterLinks, folder: TemporaryFolder?
    ) {
        self.coordinator = coordinator
        self.configuration = configuration
        self.tasks = tasks
        self.processes = processes
        self.links = links
        self.folder = folder
    }

    /// Starts the nodes and waits until every stage is loaded.
    ///
    /// - Parameters:
    ///   - nodeLogFormat: how nodes that are processes write their lines.
    ///   - onProgress: is told how the cluster forms.
    /// - Throws: a `Refusal` where the model cannot be opened, does not fit, or a node fails.
    public static func start(
        model: String, layout: ClusterLayout, softwareVersion: String, logger: Logger,
        nodeLogFormat: String? = nil, statePath: String? = nil,
        onProgress: @escaping @Sendable (ClusterProgress) -> Void = { _ in }
    ) async throws -> EmbeddedCluster {
        let checkpoint = try Checkpoint.open(model)
        let configuration = checkpoint.configuration
        let placement = try layout.placement(of: configuration)
        try layout.checkMemory(of: checkpoint)
        try layout.serving.check(configuration)
        var settings = CoordinatorSettings(
            clusterName: "embedded", configuration: configuration,
            fingerprint: try checkpoint.fingerprint(of: layout.serving.weightForm),
            placement: placement, serving: layout.serving, softwareVersion: softwareVersion)
        settings.sharesCompute = !layout.usesProcesses
        settings.endsWithItsNodes = true
        settings.onProgress = onProgress
        let state = try RequestState.open(statePath, settings: settings) {
            logger.warning("\($0)")
        }
        let cluster =
            layout.usesProcesses
            ? try await startProcesses(
                model: model, layout: layout, settings: settings, logger: logger,
                nodeLogFormat: nodeLogFormat, state: state)
            : try await startActors(
                model: model, layout: layout, settings: settings, logger: logger, state: state)
        do {
            try await cluster.coordinator.waitUntilReady()
        } catch {
            await cluster.stop()
            throw error
        }
        return cluster
    }

    /// Ends every node and waits for it.
    public func stop() async {
        await coordinator.shutdown()
        for process in processes { process.release() }
        for process in processes { await process.waitForEnd(atMost: .seconds(5)) }
        for task in tasks { await task.value }
        await links.close()
        folder?.remove()
    }

    /// What troubles a node comes back as the command's one error; it is not said twice.
    private static func nodeLevel(_ level: Logger.Level) -> Logger.Level {
        level == .warning ? .error : level
    }

    private static func startActors(
        model: String, layout: ClusterLayout, settings: CoordinatorSettings, logger: Logger,
        state: RequestState
    ) async throws -> EmbeddedCluster {
        let links = InProcessLinks()
        let inbox = links.inbox(named: "coordinator")
        let coordinator = Coordinator(
            settings: settings, inbox: inbox, links: links, logger: logger, state: state)
        let pool = ComputePool(threadCount: layout.threadCount)
        let thread = ComputeThread(name: "skein-compute")
        var tasks = [Task { await coordinator.run() }]
        var nodeLogger = logger
        nodeLogger.logLevel = nodeLevel(logger.logLevel)
        for name in settings.placement.nodes {
            let own = NodeService.Settings(
                name: name, modelFolder: model, coordinatorAddress: inbox.address,
                serving: layout.serving, softwareVersion: settings.softwareVersion)
            let node = NodeService(
                settings: own, inbox: links.inbox(named: name), links: links, pool: pool,
                computeThread: thread,
                logger: nodeLogger)
            tasks.append(
                Task {
                    do {
                        try await node.run()
                    } catch {
                        await coordinator.fail(Refusal("node \(name)", "\(error)"))
                    }
                })
        }
        return EmbeddedCluster(
            coordinator: coordinator, configuration: settings.configuration, tasks: tasks,
            processes: [], links: links, folder: nil)
    }

    private static func startProcesses(
        model: String, layout: ClusterLayout, settings: CoordinatorSettings, logger: Logger,
        nodeLogFormat: String?, state: RequestState
    ) async throws -> EmbeddedCluster {
        let links = try ZeroMQLinks(hub: ZeroMQHub())
        let anyPort = TCPAddress(host: .ipv4("127.0.0.1"), port: nil)
        let inbox = try links.hub.bind(anyPort)
        let topology = Topology(
            name: settings.clusterName, modelPath: URL(filePath: model).path(percentEncoded: false),
            placement: layout.kind, serving: layout.serving,
            coordinator: .init(address: try TCPAddress(parsing: inbox.address)),
            nodes: settings.placement.nodes.map {
                Topology.Node(
                    name: $0, address: anyPort, shard: settings.placement.shard(of: $0),
                    threadCount: layout.threadCount)
            })
        let folder = try TemporaryFolder(prefix: "skein-cluster")
        let clusterFile = try folder.write(topology.yaml, to: "cluster.yaml")
        let coordinator = Coordinator(
            settings: settings, inbox: inbox, links: links, logger: logger, state: state)
        var tasks = [Task { await coordinator.run() }]
        var log = NodeLog(level: nodeLevel(logger.logLevel).rawValue, format: nodeLogFormat)
        log.showsProgress = false
        var processes: [NodeProcess] = []
        do throws(Refusal) {
            for name in settings.placement.nodes {
                processes.append(
                    try NodeProcess(
                        program: ThisProgram.path, clusterFile: clusterFile, name: name, log: log))
            }
        } catch {
            for process in processes { process.kill() }
            await coordinator.shutdown()
            await links.close()
            folder.remove()
            throw error
        }
        for process in processes {
            tasks.append(
                Task {
                    let status = await process.waitForEnd()
                    await coordinator.fail(
                        Refusal("node \(process.name)", "ended with status \(status)"),
                        withoutNode: process.name)
                })
        }
        return EmbeddedCluster(
            coordinator: coordinator, configuration: settings.configuration, tasks: tasks,
            processes: processes, links: links, folder: folder)
    }
}
