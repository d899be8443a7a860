import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore

/// How a name in a cluster file is found.
enum Discovery: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// Names of the domain name system, which may be known only after a while.
    case dns
}

/// Where a process answers supervisors.
struct StatusOption: ParsableArguments {
    @Option(
        name: .customLong("status"),
        help: "HOST:PORT where /livez, /readyz and /metrics of this process are answered.")
    var text: String?

    func validate() throws {
        do { _ = try address() } catch { throw ValidationError("--status: \(error.reason)") }
    }

    /// The address; `nil` where none was given.
    func address() throws(Refusal) -> TCPAddress? {
        guard let text else { return nil }
        let address = try TCPAddress(hostAndPort: text)
        guard address.port != nil else {
            throw Refusal("--status", "found '\(text)', expected a port number")
        }
        return address
    }
}

/// Which part of a cluster file is this host's, where its addresses do not say.
struct PartOptions: ParsableArguments {
    @Option(
        help: "dns: wait until the names in the file can be looked up, as in Kubernetes.")
    var discover: Discovery?

    @Option(
        help: "The node that this is, or 'coordinator' (default: SKEIN_NODE, else the host name).")
    var node: String?

    func validate() throws {
        guard node == nil || discover != nil else {
            throw ValidationError("--node: expected --discover, too")
        }
    }

    /// What is this host's; `nil` where the addresses say so.
    ///
    /// Ends once every name that is needed is known.
    func share(
        in topology: Topology,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> HostShare? {
        guard discover == .dns else { return nil }
        let name = node ?? environment["SKEIN_NODE"].flatMap { $0.isEmpty ? nil : $0 }
        let share = try HostShare.named(
            name, hostName: ProcessInfo.processInfo.hostName, in: topology)
        try await share.waitForNames(in: topology) {
            Console.say("waiting for the name of \($0) to be known")
        }
        return share
    }
}

/// A cluster out of a Slurm allocation, in place of a cluster file.
struct SlurmOptions: ParsableArguments {
    @Flag(
        name: .customLong("slurm"),
        help: "Make a cluster of the Slurm allocation; 'srun' runs this once on each host.")
    var isWanted = false

    @Option(help: "With --slurm: the checkpoint folder, the same path on every host.")
    var model: String?

    @Option(help: "With --slurm: a hosts file with measured rates (default: all are alike).")
    var hosts: String?

    @Option(
        name: .customLong("keys"),
        help: "With --slurm: the folder that 'skein keys init' has filled, seen by all hosts.")
    var keysFolder: String?

    @Option(
        name: .customLong("state"),
        help: "With --slurm: the folder in which the head writes requests down.")
    var stateFolder: String?

    @Option(
        name: .customLong("context"),
        help: "With --slurm: positions that one sequence may have (default: 4096 at most).")
    var contextPositions: Int?

    @Option(help: "With --slurm: sequences of that length at once (default: 8).")
    var concurrency: Int?

    @Flag(
        name: .customLong("print"),
        help: "With --slurm: print the cluster file that would be used, and end.")
    var isPrinted = false

    func validate() throws {
        let isAsked =
            model != nil || hosts != nil || keysFolder != nil || stateFolder != nil
            || contextPositions != nil || concurrency != nil || isPrinted
        guard isWanted || !isAsked else {
            throw ValidationError(
                "--model, --hosts, --keys, --state, --context, --concurrency and --print: expected "
                    + "--slurm, too")
        }
        guard !isWanted || model != nil else {
            throw ValidationError("--slurm: expected --model, too")
        }
        if let contextPositions, !(2...Limits.positionsMax).contains(contextPositions) {
            throw ValidationError(
                "--context: expected 2 to \(Limits.positionsMax), found \(contextPositions)")
        }
        if let concurrency, !(1...Limits.microBatchSpansMax).contains(concurrency) {
            throw ValidationError(
                "--concurrency: expected 1 to \(Limits.microBatchSpansMax), found \(concurrency)")
        }
    }
}
