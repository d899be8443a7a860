internal import Foundation
public import Logging
public import SkeinCore
public import SkeinStage
public import SkeinTelemetry
internal import SkeinTensor
internal import SkeinTransport

/// Runs one node of a cluster file in this process, until it is asked to end.
public enum NodeHost {
    /// Asks a node how it is; an answer at all shows that it is alive.
    public typealias Figures = @Sendable () async -> NodeFigures

    /// Joins the cluster and works.
    ///
    /// - Parameters:
    ///   - renewals: the cluster file, each time that it was read again; its keys are taken up.
    ///   - onOpen: is given a way to ask the node how it is, before it begins to work.
    ///   - onProgress: is told how the node joins and loads.
    /// - Throws: a `Refusal` where the node is not in the file, cannot listen, has no keys, cannot
    ///   open its checkpoint, or is refused by the coordinator.
    public static func run(
        name: String, topology: Topology, softwareVersion: String, logger: Logger,
        renewals: AsyncStream<Topology>? = nil,
        onOpen: (@escaping Figures) async throws -> Void = { _ in },
        onProgress: @escaping @Sendable (NodeProgress) -> Void = { _ in }
    ) async throws {
        let node = try topology.node(named: name)
        let links = try ClusterKeys.links(of: name, in: topology)
        let inbox = try links.hub.bind(node.address)
        var logger = logger
        logger[metadataKey: "node"] = "\(name)"
        logger.info("listening on \(inbox.address)")
        var settings = NodeService.Settings(
            name: name, modelFolder: topology.modelPath(of: node),
            coordinatorAddress: topology.coordinator.address.description,
            coordinatorKey: topology.coordinator.publicKey, serving: topology.serving,
            softwareVersion: softwareVersion)
        settings.onProgress = onProgress
        let service = NodeService(
            settings: settings, inbox: inbox, links: links,
            pool: ComputePool(threadCount: node.threadCount ?? ClusterLayout.coreCount),
            computeThread: ComputeThread(name: "skein-compute"), logger: logger)
        links.logEvents(to: logger) { event in
            if case .connected = event.kind { await service.noteConnected(to: event.address) }
        }
        let isStandby = node.isStandby
        let figures: Figures = { [hub = links.hub] in
            var figures = await service.figures()
            figures.isStandby = isStandby
            figures.traffic = hub.traffic
            return figures
        }
        do {
            try await onOpen(figures)
        } catch {
            await inbox.close()
            await links.close()
            throw error
        }
        let renewal = Task { [logger] in
            guard let renewals else { return }
            for await renewed in renewals {
                do throws(Refusal) { try links.allow(renewed) } catch { logger.error("\(error)") }
            }
        }
        defer { renewal.cancel() }
        // A task of its own: one that is cancelled would hear no more, and so could not be let go.
        let work = Task { try await service.run() }
        do {
            try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                Task { await service.endInGoodOrder() }
            }
        } catch {
            await links.close()
            throw error
        }
        await links.close()
    }
}
