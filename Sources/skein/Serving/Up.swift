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

    @Flag(
        name: .customLong("remote-orders"),
        help: "Let every holder of an API key end the cluster and send nodes away, from anywhere.")
    var takesRemoteOrders = false

    @OptionGroup var keys: KeysOption
    @OptionGroup var served: ServedOptions
    @OptionGroup var log: LogOption

    func validate() throws {
        guard !takesRemoteOrders || keys.path != nil else {
            throw ValidationError("--remote-orders: expected --api-keys, too")
        }
    }

    func run() async throws {
        let topology = try ClusterFile.read(path: clusterFile)
        let log = log
        // What cannot be read is said before a node is started.
        var settings = try served.settings()
        settings.isHead = true
        settings.takesRemoteOrders = takesRemoteOrders
        let front = try HeadFront(
            keys: keys.read(), settings: settings,
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
        let (keys, served) = (keys, served)
        try await Interruptible.run {
            try await withThrowingTaskGroup(of: Part.self) { parts in
                parts.addTask { try await Self.watchNodes(of: host) }
                parts.addTask {
                    await Self.serve(host, front: front, renewing: (keys, served), log: log)
                }
                // The first part to end, ends the others; the nodes leave before they are waited
                // for, in a task of its own, since this one may be cancelled.
                let ending = await Self.ending(of: &parts)
                parts.cancelAll()
                await Task {
                    if case .cluster = ending { await host.endCluster() } else { await host.stop() }
                }.value
                if case .failure(let error) = ending, !(error is CancellationError) { throw error }
            }
        }
    }

    /// What is left to do when this host's part ends.
    private enum Ending {
        /// Its own nodes and the head end; other hosts' nodes wait for another head.
        case host
        /// Every node of every host ends too.
        case cluster
        /// As for the host, and the reason is told.
        case failure(any Error)
    }

    /// What has come to its end.
    private enum Part {
        /// The watch over this host's nodes, since this host is asked to end.
        case nodes
        /// Every node of a host that is not the head was asked to end.
        case everyNode
        /// What the head serves; on other hosts the wait for being asked to end.
        case serving(Ending)
    }

    /// Waits until this host's part ends: by a loss, or when what it serves has been drained.
    private static func ending(
        of parts: inout ThrowingTaskGroup<Part, any Error>
    ) async -> Ending {
        while let part = await parts.nextResult() {
            switch part {
            case .success(.serving(let ending)): return ending
            case .success(.nodes): continue
            case .success(.everyNode): return .host
            case .failure(let error): return .failure(error)
            }
        }
        return .host
    }

    /// Waits until a node of this host ends.
    ///
    /// The wait is a task of its own: a cancelled one would no longer see the nodes leave.
    private static func watchNodes(of host: ClusterHost) async throws -> Part {
        guard !host.nodeNames.isEmpty else {
            await waitForCancellation()
            return .nodes
        }
        let refusal = await Task {
            await host.waitForLostNode { Console.say("\($0)", level: .warning) }
        }.value
        guard !Task.isCancelled else { return .nodes }
        guard let refusal else { return .everyNode }
        throw refusal
    }

    private static func waitForCancellation() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(3_600)) } catch { return }
        }
    }

    /// This host's part beside its nodes: the head's HTTP, and on every host SIGHUP.
    private static func serve(
        _ host: ClusterHost, front: HeadFront, renewing options: (KeysOption, ServedOptions),
        log: LogOption
    ) async -> Part {
        do {
            var banner: StartBanner?
            var server: HTTPFront?
            if let coordinator = host.coordinator {
                var begun = StartBanner(status: await coordinator.status())
                server = try await listen(host, coordinator, front, log, banner: &begun)
                banner = begun
            }
            let renewal = Renewal(keys: options.0, served: options.1, server: server, host: host)
            let renewals = Task { await renewal.run() }
            defer { renewals.cancel() }
            guard let coordinator = host.coordinator, let banner else {
                await waitForCancellation()
                return .serving(.host)
            }
            try await serve(host, coordinator, server, banner)
            return .serving(server?.isAskedToEnd == true ? .cluster : .host)
        } catch {
            return .serving(.failure(error))
        }
    }

    /// The head's part: HTTP where the file names an address, from the first moment on, so that
    /// a client learns what the cluster waits for; completions are served once it is ready.
    private static func serve(
        _ host: ClusterHost, _ coordinator: Coordinator, _ server: HTTPFront?, _ start: StartBanner
    ) async throws {
        do {
            try await host.waitUntilReady()
        } catch {
            await server?.drain(atMost: .seconds(1))
            if Task.isCancelled || server?.isAskedToEnd == true { return }
            throw error
        }
        var banner = start
        banner.status = await coordinator.freshStatus()
        banner.show()
        guard let server else { return await waitForCancellation() }
        try await ServedModel.serve(server, until: coordinator)
    }

    /// The HTTP front of the cluster file, listening; `nil` where the file names no address.
    private static func listen(
        _ host: ClusterHost, _ coordinator: Coordinator, _ front: HeadFront, _ log: LogOption,
        banner: inout StartBanner
    ) async throws -> HTTPFront? {
        guard let http = host.topology.coordinator.httpAddress else { return nil }
        let text = try TextSetup.inFolder(host.topology.modelPath)
        if let remark = text?.chatRemark { Console.standardError(remark) }
        let service = ModelService(
            modelName: front.names[0], aliases: Array(front.names.dropFirst()),
            coordinator: coordinator, text: text,
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
