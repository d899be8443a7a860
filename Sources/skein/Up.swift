import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinMembership

/// Starts this host's part of a cluster.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts this host's nodes and, on the head, HTTP; runs in the foreground.")

    @Argument(help: "The cluster file.")
    var clusterFile: String

    @OptionGroup var log: LogOption

    func run() async throws {
        let topology = try ClusterFile.read(path: clusterFile)
        let logger = log.logger("skein.up")
        let host = try ClusterHost(
            clusterFile: clusterFile, topology: topology, softwareVersion: SoftwareVersion.text,
            logger: logger, onProgress: { ClusterBanner.show($0) })
        Console.standardError(ClusterBanner.placement(of: host))
        let lost = try await Interruptible.run {
            try await withTaskCancellationHandler {
                let refusal = await host.waitForLostNode()
                if !Task.isCancelled { throw refusal }
            } onCancel: {
                Task { await host.stop() }
            }
        }
        await host.stop()
        _ = lost
    }
}

/// What `up` tells people while the cluster forms.
enum ClusterBanner {
    /// Which layers lie where.
    static func placement(of host: ClusterHost) -> String {
        var lines = [
            "cluster \(host.topology.name): \(host.topology.nodes.count) nodes, "
                + "\(host.placement.kind.rawValue), \(host.configuration.layerCount) layers"
        ]
        for stage in host.placement.stages {
            let isHere = host.nodeNames.contains(stage.node) ? "this host" : "elsewhere"
            lines.append(
                "  stage \(stage.stage.rawValue)  node \(stage.node) (\(isHere))  "
                    + stage.slice.text)
        }
        return lines.joined(separator: "\n")
    }

    /// A line for each step.
    static func show(_ progress: ClusterProgress) {
        switch progress {
        case .joined(let node): Console.standardError("node \(node) has joined")
        case .loading: break
        case .loaded(let node, let weights, let resident):
            Console.standardError(
                "node \(node) is loaded: weights \(ByteText(weights)), "
                    + "resident \(ByteText(resident))")
        case .ready: Console.standardError("ready")
        case .lost(_, let refusal): Console.standardError("lost: \(refusal)")
        }
    }
}
