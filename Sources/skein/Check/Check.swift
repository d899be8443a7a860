import ArgumentParser
import SkeinCluster
import SkeinCore

/// Says whether this host is ready for its part of a cluster, before anything starts.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says whether this host is ready for its part of a cluster file.",
        discussion: """
            Looks at the processor, memory, disk, clock, ports, checkpoint and keys, and changes \
            nothing. Run it while the cluster is down on this host: a port that a node of it has \
            is in use. The status is 1 where there is an error.
            """)

    @Argument(help: "The cluster file.")
    var clusterFile: String

    @Option(
        help: "The node that this host is to run, or 'coordinator' (default: by the addresses).")
    var node: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What `--json` prints.
    struct Answer: Encodable {
        let clusterFile: String
        let nodes: [String]
        let isHead: Bool
        let errors: Int
        let warnings: Int
        let findings: [CheckFinding]
    }

    func run() async throws {
        let topology = try ClusterFile.read(path: clusterFile)
        let share: HostShare
        if let node {
            share = try HostShare.named(node, hostName: "", in: topology)
        } else {
            share = try HostShare.local(in: topology)
        }
        guard share.isHead || !share.nodeNames.isEmpty else {
            throw Refusal(
                clusterFile,
                "names no address of this host; run it on the hosts it names, or say "
                    + "--node")
        }
        let findings = HostCheck(topology: topology, share: share).findings()
        let errorCount = findings.count { $0.level == .error }
        if json {
            try Console.json(
                Answer(
                    clusterFile: clusterFile, nodes: share.nodeNames, isHead: share.isHead,
                    errors: errorCount, warnings: findings.count { $0.level == .warning },
                    findings: findings))
        } else {
            try Console.standardOutput(findings.map { $0.text + "\n" }.joined())
        }
        if errorCount > 0 { throw ExitCode(1) }
    }
}
