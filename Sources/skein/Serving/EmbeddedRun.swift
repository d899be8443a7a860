import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Synchronization

/// Starts a cluster on this machine for one command, and ends it whatever happens.
struct EmbeddedRun {
    let folder: String
    let layout: LayoutOptions
    let serving: ServingSettings
    let log: LogOption
    /// Where requests are written down, if anywhere.
    var statePath: String?

    /// Runs `work` against the cluster; Ctrl-C ends both in good order.
    func run<Answer: Sendable>(
        _ work: @escaping @Sendable (EmbeddedCluster) async throws -> Answer
    ) async throws -> Answer {
        let finished = Mutex<Answer?>(nil)
        let loading = LoadingDisplay()
        let (folder, log, chosen) = (folder, log, layout.layout(serving))
        let statePath = statePath
        let wasInterrupted = try await Interruptible.run {
            let cluster = try await EmbeddedCluster.start(
                model: folder, layout: chosen, softwareVersion: SoftwareVersion.text,
                logger: log.logger("skein"), nodeLogFormat: log.format.rawValue,
                statePath: statePath, onProgress: { loading.show($0) })
            do {
                let answer = try await work(cluster)
                finished.withLock { $0 = answer }
                await cluster.stop()
            } catch {
                await cluster.stop()
                throw error
            }
        }
        if wasInterrupted { throw CancellationError() }
        guard let answer = finished.withLock({ $0 }) else { throw CancellationError() }
        return answer
    }
}

/// Shows how a cluster loads.
final class LoadingDisplay: Sendable {
    /// Loads below this size are over before a person could read about them.
    private static let shownBytesMin = 256 << 20

    private let bytes = Mutex<[String: (done: Int, total: Int)]>([:])
    private let bar = ProgressBar(title: "loading")

    func show(_ progress: ClusterProgress) {
        switch progress {
        case .loading(let node, let done, let total):
            let sum = bytes.withLock { bytes in
                bytes[node] = (done, total)
                return bytes.values.reduce((0, 0)) { ($0.0 + $1.done, $0.1 + $1.total) }
            }
            if sum.1 >= Self.shownBytesMin { bar.show(doneBytes: sum.0, totalBytes: sum.1) }
        case .ready: bar.finish()
        case .joined, .loaded, .lost, .failedOver: break
        }
    }
}

/// How many positions a run needs.
enum PositionBudget {
    /// Positions for a prompt and what follows it, within context and model.
    static func check(
        promptCount: Int, newTokensMax: Int = 0, option: ContextOption,
        configuration: ModelConfiguration
    ) throws(Refusal) -> Int {
        let bound = try configuration.contextLength(option.positionCount)
        guard promptCount + min(newTokensMax, 1) <= bound else {
            throw Refusal(
                "prompt", "has \(promptCount) tokens, the context has \(bound) positions")
        }
        return min(bound, promptCount + newTokensMax)
    }
}
