import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Synchronization

/// Runs the head of a cluster file for one command; its nodes are started by `skein node`.
struct HeadRun {
    let clusterFile: String
    let topology: Topology
    let log: LogOption

    /// Runs `work` once every stage is loaded; then the head ends, and the nodes wait for another.
    ///
    /// - Throws: a `Refusal` where this host is not the head, or a node cannot take its place.
    func run<Answer: Sendable>(
        _ work: @escaping @Sendable (Coordinator) async throws -> Answer
    ) async throws -> Answer {
        let banner = ClusterBanner()
        let host = try ClusterHost(
            clusterFile: clusterFile, topology: topology, startsNodes: false,
            softwareVersion: SoftwareVersion.text, logger: log.logger("skein"),
            nodeLog: log.nodeLog, onProgress: { banner.show($0) })
        guard let coordinator = host.coordinator else {
            await host.stop()
            throw Refusal(
                clusterFile, "its coordinator's address is not this host's; run this on the head")
        }
        let finished = Mutex<Answer?>(nil)
        let wasInterrupted = try await Interruptible.run {
            do {
                try await host.waitUntilReady()
                let answer = try await work(coordinator)
                finished.withLock { $0 = answer }
                await host.stop()
            } catch {
                await host.stop()
                throw error
            }
        }
        if wasInterrupted { throw CancellationError() }
        guard let answer = finished.withLock({ $0 }) else { throw CancellationError() }
        return answer
    }
}
