import ArgumentParser
import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinMembership
import SkeinServer
import SkeinText

/// Starts this host's part of a cluster.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts this host's nodes and, on the head, HTTP; runs in the foreground.")

    @Argument(help: "The cluster file.")
    var clusterFile: String

    @Flag(
        name: .customLong("without-nodes"),
        help: "Start the head only; its host's nodes are started by 'skein node'.")
    var withoutNodes = false

    @OptionGroup var keys: KeysOption
    @OptionGroup var served: ServedOptions
    @OptionGroup var log: LogOption

    func run() async throws {
        let topology = try ClusterFile.read(path: clusterFile)
        let log = log
        // What cannot be read is said before a node is started.
        let front = try HeadFront(
            keys: keys.read(), settings: served.settings(),
            names: served.modelNames(folder: topology.modelPath))
        let banner = ClusterBanner()
        let host = try ClusterHost(
            clusterFile: clusterFile, topology: topology, startsNodes: !withoutNodes,
            softwareVersion: SoftwareVersion.text, logger: log.logger("skein.up"),
            nodeLog: log.nodeLog, onProgress: { banner.show($0) })
        ClusterBanner.showPlacement(of: host)
        // Only the head serves HTTP.
        if host.coordinator != nil, let address = topology.coordinator.httpAddress {
            try keys.warn(host: address.bindName)
        }
        try await Interruptible.run {
            try await withThrowingTaskGroup(of: Void.self) { parts in
                parts.addTask { try await Self.watchNodes(of: host) }
                if let coordinator = host.coordinator {
                    parts.addTask {
                        try await Self.serve(host, coordinator, front: front, log: log)
                    }
                } else {
                    parts.addTask { try await Self.waitForCancellation() }
                }
                // The first part to end, ends the others; the nodes leave before they are waited
                // for, in a task of its own, since this one may be cancelled.
                let first = await parts.nextResult()
                parts.cancelAll()
                await Task { await host.stop() }.value
                if case .failure(let error) = first, !(error is CancellationError) { throw error }
            }
        }
    }

    /// Waits until a node of this host ends.
    ///
    /// The wait is a task of its own: a cancelled one would no longer see the nodes leave.
    private static func watchNodes(of host: ClusterHost) async throws {
        guard !host.nodeNames.isEmpty else { return try await waitForCancellation() }
        let refusal = await Task {
            await host.waitForLostNode { Console.say("\($0)", level: .warning) }
        }.value
        if !Task.isCancelled { throw refusal }
    }

    private static func waitForCancellation() async throws {
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    /// The head's part: HTTP where the file names an address, from the first moment on, so that
    /// a client learns what the cluster waits for; completions are served once it is ready.
    private static func serve(
        _ host: ClusterHost, _ coordinator: Coordinator, front: HeadFront, log: LogOption
    ) async throws {
        var banner = StartBanner(status: await coordinator.status())
        let server = try await listen(host, coordinator, front, log, banner: &banner)
        do {
            try await host.waitUntilReady()
        } catch {
            await server?.drain(atMost: .seconds(1))
            if Task.isCancelled { return }
            throw error
        }
        banner.status = await coordinator.freshStatus()
        banner.show()
        guard let server else { return try await waitForCancellation() }
        try await ServedModel.serve(server, until: coordinator)
    }

    /// The HTTP front of the cluster file, listening; `nil` where the file names no address.
    private static func listen(
        _ host: ClusterHost, _ coordinator: Coordinator, _ front: HeadFront, _ log: LogOption,
        banner: inout StartBanner
    ) async throws -> HTTPFront? {
        guard let http = host.topology.coordinator.httpAddress else { return nil }
        let service = ModelService(
            modelName: front.names[0], aliases: Array(front.names.dropFirst()),
            coordinator: coordinator, text: try TextSetup.inFolder(host.topology.modelPath),
            configuration: host.configuration, positionCountMax: host.topology.serving.positionCount
        )
        let server = HTTPFront(
            service: service, host: http.bindName, port: Int(http.port ?? 0), apiKeys: front.keys,
            settings: front.settings, logger: log.logger("skein.http"))
        _ = try await server.start()
        banner.modelName = service.modelName
        banner.address = "\(front.settings.scheme)://\(http.hostAndPort)"
        banner.hasKeys = front.keys != nil
        return server
    }
}

/// What the head's HTTP needs, read before anything starts.
private struct HeadFront: Sendable {
    let keys: APIKeys?
    let settings: FrontSettings
    /// The model's names; the first is shown.
    let names: [String]
}

extension TCPAddress {
    /// The host as a socket is bound to it.
    var bindName: String {
        switch host {
        case .ipv4(let text), .ipv6(let text), .name(let text): text
        case .all: "0.0.0.0"
        }
    }
}

/// What `up` tells people while the cluster forms.
struct ClusterBanner: Sendable {
    private let loading = LoadingDisplay()

    /// What this host is about to start; what lies where is said once it does.
    static func showPlacement(of host: ClusterHost) {
        let nodes = host.nodeNames.isEmpty ? "no node" : host.nodeNames.joined(separator: ", ")
        let coordinator = host.coordinator == nil ? "" : " and the coordinator"
        let layers = host.configuration.layerCount
        let hops = host.topology.serving.hopForm == .bf16 ? "" : ", hops in FP8"
        Console.say(
            "cluster \(host.topology.name): \(host.topology.nodes.count) nodes, "
                + "\(host.placement.kind.rawValue), \(layers) layers\(hops); "
                + "this host starts \(nodes)\(coordinator)",
            [
                "cluster": "\(host.topology.name)",
                "nodes": .array(host.nodeNames.map { .string($0) }),
                "is_head": .stringConvertible(host.coordinator != nil),
            ])
    }

    /// A line for each step, and how far the nodes have loaded.
    func show(_ progress: ClusterProgress) {
        loading.show(progress)
        switch progress {
        case .joined(let node): Console.say("node \(node) has joined", ["node": "\(node)"])
        case .loading: break
        case .loaded(let node, let weights, let resident):
            Console.say(
                "node \(node) is loaded: weights \(ByteText(weights)), "
                    + "resident \(ByteText(resident))",
                [
                    "node": "\(node)", "weight_bytes": .stringConvertible(weights),
                    "resident_bytes": .stringConvertible(resident),
                ])
        case .ready: Console.say("every stage is loaded")
        case .lost(let node, let refusal):
            Console.say("lost: \(refusal)", level: .error, ["node": "\(node)"])
        case .failedOver(let node, let standby):
            Console.say(
                "node \(standby) takes the place of node \(node)", level: .warning,
                ["node": "\(standby)", "lost_node": "\(node)"])
        }
    }
}
