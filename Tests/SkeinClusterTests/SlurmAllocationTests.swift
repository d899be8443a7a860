import Foundation
import SkeinCore
import SkeinPlanning
import SkeinWeights
import Testing

@testable import SkeinCluster

/// A cluster out of what Slurm tells a task.
@Suite struct SlurmAllocationTests {
    private static let environment = [
        "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_NODEID": "1", "SLURM_PROCID": "1",
        "SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "65536",
    ]

    private static func allocation(
        _ changes: [String: String?] = [:]
    ) throws(Refusal) -> SlurmAllocation {
        var environment = environment
        for (name, value) in changes { environment[name] = value }
        return try SlurmAllocation(environment: environment) { _ in ["n1", "n2", "n3"] }
    }

    private static func wish() throws -> SlurmAllocation.Wish {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let model = root.appending(path: "cluster/models/gosling").path(percentEncoded: false)
        return SlurmAllocation.Wish(
            modelPath: model, configuration: try Checkpoint.open(model).configuration,
            plan: PlanWish(
                positionCount: 512, sequenceCount: 2, promptTokenCount: 64, newTokenCount: 16,
                kind: .linear, nodeCount: nil, expertHostCount: nil))
    }

    @Test func theVariablesTellHostsCoresAndMemory() throws {
        let allocation = try Self.allocation()
        #expect(allocation.hostNames == ["n1", "n2", "n3"])
        #expect(allocation.index == 1 && allocation.coreCount == 8)
        #expect(allocation.memoryBytes == 64 << 30)
        let perCore = try Self.allocation([
            "SLURM_MEM_PER_NODE": nil, "SLURM_MEM_PER_CPU": "1024",
        ])
        #expect(perCore.memoryBytes == 8 << 30)
    }

    @Test(arguments: [
        ("SLURM_JOB_NODELIST", nil, "srun"), ("SLURM_NODEID", "3", "0 to 2"),
        ("SLURM_NODEID", "x", "found 'x'"), ("SLURM_PROCID", "2", "one task a host"),
        ("SLURM_CPUS_ON_NODE", "0", "found '0'"), ("SLURM_MEM_PER_NODE", "-1", "found '-1'"),
    ])
    func aVariableThatIsMissingOrWrongIsNamed(
        _ name: String, _ value: String?, _ words: String
    ) {
        let refusal = #expect(throws: Refusal.self) { try Self.allocation([name: value]) }
        #expect(refusal?.subject == name)
        #expect(refusal?.reason.contains(words) == true)
    }

    @Test func everyHostIsANodeAndTheFirstIsTheHead() throws {
        let allocation = try Self.allocation()
        let topology = try allocation.topology(try Self.wish(), name: "slurm-1")
        #expect(topology.nodes.map(\.name) == ["n1", "n2", "n3"])
        #expect(topology.coordinator.address.description == "tcp://n1:7100")
        #expect(topology.coordinator.httpAddress?.hostAndPort == "n1:8080")
        #expect(topology.nodes.allSatisfy { $0.threadCount == 8 })
        #expect(
            allocation.share(in: topology) == HostShare(nodeNames: ["n2"], isHead: false))
        let first = try Self.allocation(["SLURM_NODEID": "0", "SLURM_PROCID": "0"])
        #expect(try first.topology(try Self.wish(), name: "slurm-1") == topology)
        #expect(first.share(in: topology) == HostShare(nodeNames: ["n1"], isHead: true))
    }

    @Test func thePrintedFileGetsItsKeysAndTheyAreFoundAgain() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        let path = folder.path(percentEncoded: false)
        let allocation = try Self.allocation()
        var wish = try Self.wish()
        let file = path + "/cluster.yaml"
        let printed = try allocation.topology(wish, name: "slurm-1").yaml
        try Data(printed.utf8).write(to: URL(fileURLWithPath: file))
        let outcome = try KeyIssue(clusterFile: file, folder: path + "/shared").run()
        wish.keysPath = path + "/shared"
        let topology = try allocation.topology(wish, name: "slurm-1")
        #expect(topology.nodes.map(\.publicKey) == outcome.pairs.dropFirst().map(\.publicKey))
        _ = try topology.checkedYAML(path: file)
        wish.keysPath = path + "/empty"
        let refusal = #expect(throws: Refusal.self) {
            try allocation.topology(wish, name: "slurm-1")
        }
        #expect(refusal?.reason.contains("skein keys init") == true)
    }

    @Test func withoutALimitOfMemoryMeasuredHostsAreNeeded() throws {
        let allocation = try Self.allocation(["SLURM_MEM_PER_NODE": "0"])
        let refusal = #expect(throws: Refusal.self) {
            try allocation.topology(try Self.wish(), name: "slurm-1")
        }
        #expect(refusal?.reason.contains("--mem") == true)
    }
}
