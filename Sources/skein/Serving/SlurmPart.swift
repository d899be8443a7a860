import Foundation
import SkeinCluster
import SkeinCore
import SkeinPlanning
import SkeinWeights

/// This task's part of a cluster that was derived from a Slurm allocation.
struct SlurmPart {
    /// The cluster.
    let topology: Topology

    /// What of it this task runs.
    let share: HostShare

    /// Derives the cluster; every task of a job derives the same.
    init(
        _ options: SlurmOptions,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        let allocation = try SlurmAllocation(environment: environment)
        let model = Self.absolute(options.model ?? "")
        let configuration = try Checkpoint.open(model).configuration
        let positionCount = options.contextPositions ?? min(4_096, configuration.positionCountMax)
        let newCount = min(128, max(1, positionCount / 4))
        var wish = SlurmAllocation.Wish(
            modelPath: model, configuration: configuration,
            plan: PlanWish(
                positionCount: positionCount, sequenceCount: options.concurrency ?? 8,
                promptTokenCount: max(1, min(512, positionCount - newCount)),
                newTokenCount: newCount, kind: nil, nodeCount: nil, expertHostCount: nil))
        wish.hosts = try options.hosts.map { path throws(Refusal) in
            try HostsFile.read(path: path)
        }
        wish.keysPath = options.keysFolder.map(Self.absolute)
        wish.statePath = options.stateFolder.map(Self.absolute)
        let job = environment["SLURM_JOB_ID"] ?? "job"
        let name = "slurm-\(job)"
        try ClusterFile.checkName(name, subject: "SLURM_JOB_ID")
        topology = try allocation.topology(wish, name: name)
        share = allocation.share(in: topology)
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}
