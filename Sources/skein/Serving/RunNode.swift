import ArgumentParser
import Foundation
import Logging
import SkeinCluster
import SkeinCore
import SkeinStage
import Synchronization

/// Runs one node of a cluster file.
struct RunNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Runs one node of a cluster file, in the foreground.")

    @Option(help: "The cluster file.")
    var cluster: String

    @Option(help: "The node's name in it.")
    var name: String

    @OptionGroup var status: StatusOption
    @OptionGroup var log: LogOption

    @Flag(
        name: .customLong("exit-with-input"),
        help: ArgumentHelp("Leave when standard input closes.", visibility: .hidden))
    var exitsWithInput = false

    @Flag(
        name: .customLong("without-progress"),
        help: ArgumentHelp("Leave it to the head to tell how it loads.", visibility: .hidden))
    var isWithoutProgress = false

    func run() async throws {
        let topology = try ClusterFile.read(path: cluster)
        let logger = log.logger("skein.node")
        let display = isWithoutProgress ? nil : NodeDisplay(name: name)
        let (renewals, renewed) = AsyncStream.makeStream(
            of: Topology.self, bufferingPolicy: .bufferingNewest(1))
        let (cluster, name) = (cluster, name)
        let node = try topology.node(named: name)
        let supervisor = NodeSupervisor(
            isStandby: node.isStandby, address: try status.address() ?? node.statusAddress,
            logger: logger)
        let hangups = Task {
            await Hangups.each { Self.renew(cluster, name, renewed) }
        }
        defer { hangups.cancel() }
        try await Interruptible.run(
            // A child is told to leave by its parent; the terminal's Ctrl-C is for the parent.
            ignoringInterrupts: exitsWithInput, watchingInput: exitsWithInput
        ) {
            try await withTaskCancellationHandler {
                try await NodeHost.run(
                    name: name, topology: topology, softwareVersion: SoftwareVersion.text,
                    logger: logger, renewals: renewals,
                    onOpen: { try await supervisor.open($0) },
                    onProgress: {
                        display?.show($0)
                        supervisor.show($0)
                    })
            } onCancel: {
                supervisor.stopping()
            }
        }
        await supervisor.close()
    }

    /// Reads the peers' keys again.
    private static func renew(
        _ cluster: String, _ name: String, _ renewed: AsyncStream<Topology>.Continuation
    ) {
        do throws(Refusal) {
            let topology = try ClusterFile.read(path: cluster)
            guard topology.keysPath != nil else { return }
            renewed.yield(topology)
            Console.say("node \(name): read again: the keys in \(cluster)")
        } catch {
            Console.say(
                "node \(name): not read again, the former stays: \(error)", level: .error)
        }
    }
}

/// Tells people how a node joins and loads, a line a step; several nodes of a host may share a
/// terminal, so none draws a bar.
final class NodeDisplay: Sendable {
    /// Loads below this size are over before a person could follow them.
    private static let followedBytesMin = 256 << 20

    private let name: String
    private let lastTenth = Mutex<Int?>(nil)
    private let hasJoined = Mutex(false)

    /// Opens a display for the node of a name.
    init(name: String) { self.name = name }

    /// Says a step; while it loads, every tenth.
    func show(_ progress: NodeProgress) {
        guard let line = line(of: progress) else { return }
        Console.say("node \(name): \(line)", fields(of: progress))
    }

    /// What there is to say, `nil` for what was said already.
    func line(of progress: NodeProgress) -> String? {
        switch progress {
        case .waiting(let address):
            return hasJoined.withLock { $0 }
                ? "the coordinator at \(address) is silent; waiting for it, weights in memory"
                : "waiting for the coordinator at \(address)"
        case .joined:
            hasJoined.withLock { $0 = true }
            return "joined"
        case .replaced: return "another node has our place; standing by"
        case .ready(let stages, let weights, let resident):
            lastTenth.withLock { $0 = nil }
            let held = stages.map { "stage \($0.rawValue)" }.joined(separator: ", ")
            return "ready, \(held.isEmpty ? "experts" : held); weights \(ByteText(weights)), "
                + "resident \(ByteText(resident))"
        case .loading(let done, let total):
            let percent = total == 0 ? 100 : done * 100 / total
            let isNews = lastTenth.withLock { last in
                let tenth = percent / 10
                defer { last = max(last ?? 0, tenth) }
                guard let last else { return true }
                return tenth > last && total >= Self.followedBytesMin
            }
            return isNews ? "loading \(percent) % of \(ByteText(total))" : nil
        }
    }

    private func fields(of progress: NodeProgress) -> Logger.Metadata {
        var fields: Logger.Metadata = ["node": "\(name)"]
        switch progress {
        case .waiting(let address):
            fields["state"] = "waiting"
            fields["coordinator"] = "\(address)"
        case .joined: fields["state"] = "joined"
        case .replaced: fields["state"] = "standby"
        case .ready(let stages, let weights, let resident):
            fields["state"] = "ready"
            fields["stages"] = .array(stages.map { .stringConvertible($0.rawValue) })
            fields["weight_bytes"] = .stringConvertible(weights)
            fields["resident_bytes"] = .stringConvertible(resident)
        case .loading(let done, let total):
            fields["state"] = "loading"
            fields["loaded_bytes"] = .stringConvertible(done)
            fields["total_bytes"] = .stringConvertible(total)
        }
        return fields
    }
}
