import Foundation
import Testing

@testable import SkeinTensor

/// A folder with files as `/proc` and `/sys` have them.
private struct SystemTree {
    let root: String

    init(_ files: [String: String]) throws {
        root = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())").path
        for (path, text) in files {
            let file = URL(filePath: root).appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data((text + "\n").utf8).write(to: file)
        }
    }

    func limits() -> ControlGroups {
        defer { remove() }
        return ControlGroups(root: root)
    }

    func remove() {
        do {
            try FileManager.default.removeItem(atPath: root)
        } catch {
            Issue.record(error)
        }
    }
}

@Suite struct ControlGroupsTests {
    private static let path = "proc/self/cgroup"
    private static let mounts = "proc/self/mountinfo"
    private static let two = "sys/fs/cgroup"

    private static func limits(_ files: [String: String]) throws -> ControlGroups {
        try SystemTree(files).limits()
    }

    @Test func withoutControlGroupsNothingIsLimited() throws {
        let limits = try Self.limits(["proc/meminfo": "MemAvailable: 1 kB"])
        #expect(limits.memoryBytesLeft == nil)
        #expect(limits.coreCount == nil)
        #expect(ControlGroups(root: "/none/such") == limits)
    }

    @Test func aContainerOfVersionTwoHasItsLimitsAtTheMount() throws {
        let limits = try Self.limits([
            Self.path: "0::/", "\(Self.two)/memory.max": "8000",
            "\(Self.two)/memory.current": "3000",
            "\(Self.two)/memory.stat": "anon 100\nfile 900\ninactive_file 500\nactive_file 400",
            "\(Self.two)/cpu.max": "250000 100000",
        ])
        #expect(limits.memoryBytesLeft == 5_500)
        #expect(limits.coreCount == 3)
    }

    @Test(arguments: [
        ("100000 100000", 1), ("100001 100000", 2), ("1 100000", 1), ("1600000 100000", 16),
        ("50000 100000", 1), ("max 100000", nil), ("max", nil), ("200000", nil), ("", nil),
        ("0 100000", nil), ("-1 100000", nil), ("100000 0", nil), ("many few", nil),
        ("99999999999999999999 100000", nil), ("\(Int.max) 1", Int.max),
    ])
    func coresAreTheQuotaRoundedUp(_ text: String, _ expected: Int?) throws {
        #expect(
            try Self.limits([Self.path: "0::/", "\(Self.two)/cpu.max": text]).coreCount == expected
        )
    }

    @Test(arguments: [
        ("max", "5", nil), ("9000", "1000", 8_000), ("9000", "", 9_000), ("9000", "lots", 9_000),
        ("9000", "9500", 0), ("0", "0", 0), ("-9000", "5", nil), ("", "5", nil), ("9k", "5", nil),
        ("99999999999999999999", "5", nil), ("9000", "99999999999999999999", 9_000),
    ])
    func memoryIsTheLimitLessWhatIsTaken(
        _ limit: String, _ taken: String, _ expected: Int?
    ) throws {
        let limits = try Self.limits([
            Self.path: "0::/", "\(Self.two)/memory.max": limit,
            "\(Self.two)/memory.current": taken,
        ])
        #expect(limits.memoryBytesLeft == expected)
    }

    /// A pod's limit stands above its containers', a Slurm job's above its steps'.
    @Test func theTightestLimitOfEveryLevelCounts() throws {
        let pod = "\(Self.two)/kubepods.slice/pod7"
        var files = [
            Self.path: "0::/kubepods.slice/pod7/main", "\(pod)/main/memory.max": "max",
            "\(pod)/main/cpu.max": "max 100000", "\(pod)/memory.max": "6000",
            "\(pod)/memory.current": "1000", "\(pod)/cpu.max": "400000 100000",
            "\(Self.two)/kubepods.slice/memory.max": "90000",
            "\(Self.two)/kubepods.slice/memory.current": "80000",
            "\(Self.two)/kubepods.slice/cpu.max": "3200000 100000",
            // Another's limits are not ours.
            "\(Self.two)/kubepods.slice/pod8/memory.max": "1",
            "\(pod)/main/child/memory.max": "1",
        ]
        var limits = try Self.limits(files)
        #expect(limits.memoryBytesLeft == 5_000)
        #expect(limits.coreCount == 4)
        files["\(Self.two)/kubepods.slice/memory.current"] = "88000"
        files["\(pod)/main/cpu.max"] = "150000 100000"
        limits = try Self.limits(files)
        #expect(limits.memoryBytesLeft == 2_000)
        #expect(limits.coreCount == 2)
    }

    @Test func aContainerOfVersionOneHasAHierarchyForEachController() throws {
        let memory = "\(Self.two)/memory"
        let cores = "\(Self.two)/cpu,cpuacct"
        let limits = try Self.limits([
            Self.path: "12:cpu,cpuacct:/docker/c\n11:memory:/docker/c\n1:name=systemd:/docker/c",
            "\(memory)/docker/c/memory.limit_in_bytes": "7000",
            "\(memory)/docker/c/memory.usage_in_bytes": "2500",
            "\(memory)/docker/c/memory.stat": "inactive_file 1\ntotal_inactive_file 500",
            "\(memory)/memory.limit_in_bytes": "9223372036854771712",
            "\(memory)/memory.usage_in_bytes": "100000",
            "\(cores)/docker/c/cpu.cfs_quota_us": "150000",
            "\(cores)/docker/c/cpu.cfs_period_us": "100000",
            "\(cores)/cpu.cfs_quota_us": "-1", "\(cores)/cpu.cfs_period_us": "100000",
        ])
        #expect(limits.memoryBytesLeft == 5_000)
        #expect(limits.coreCount == 2)
    }

    /// A container sees its own group at the mount while its path is the host's.
    @Test func aPathOfTheHostIsReadBelowWhatIsMounted() throws {
        let memory = "\(Self.two)/memory"
        let files = [
            Self.path: "4:memory:/docker/c/job\n0::/docker/c/job",
            Self.mounts: """
            20 1 0:5 / /proc rw,nosuid - proc proc rw
            30 20 0:29 /docker/c /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
            31 20 0:30 /docker/c /sys/fs/cgroup/unified ro shared:9 - cgroup2 cgroup rw
            """,
            "\(memory)/memory.limit_in_bytes": "8000", "\(memory)/memory.usage_in_bytes": "0",
            "\(memory)/job/memory.limit_in_bytes": "3000",
            "\(memory)/job/memory.usage_in_bytes": "1000",
            "\(Self.two)/unified/job/cpu.max": "700000 100000",
        ]
        let limits = try Self.limits(files)
        #expect(limits.memoryBytesLeft == 2_000)
        #expect(limits.coreCount == 7)
    }

    @Test func groupsAboveThatAreHiddenLimitVersionOneToo() throws {
        let memory = "\(Self.two)/memory"
        let limits = try Self.limits([
            Self.path: "4:memory:/",
            "\(memory)/memory.limit_in_bytes": "9223372036854771712",
            "\(memory)/memory.usage_in_bytes": "1000",
            "\(memory)/memory.stat": "hierarchical_memory_limit 5000\ntotal_inactive_file 0",
        ])
        #expect(limits.memoryBytesLeft == 4_000)
    }

    @Test func aHybridHasBothVersions() throws {
        let limits = try Self.limits([
            Self.path: "3:memory:/a\n2:cpu:/b\n0::/c",
            "\(Self.two)/memory/a/memory.limit_in_bytes": "500",
            "\(Self.two)/cpu/b/cpu.cfs_quota_us": "200000",
            "\(Self.two)/cpu/b/cpu.cfs_period_us": "100000",
            "\(Self.two)/unified/c/memory.max": "400", "\(Self.two)/unified/c/cpu.max": "max 1",
        ])
        #expect(limits.memoryBytesLeft == 400)
        #expect(limits.coreCount == 2)
    }

    @Test(arguments: [
        "", "garbage", "0", "0::", ":::", "0::/../../etc", "0::relative", "::\n0::/\n", "1:memory",
        "\u{0}\u{1}",
    ])
    func oddGroupsAreNoReasonToFail(_ text: String) throws {
        let limits = try Self.limits([
            Self.path: text, Self.mounts: "x\n- cgroup2\n1 2 3 4 5 6 - cgroup2\n",
            "\(Self.two)/memory.max": "700", "etc/memory.max": "1",
        ])
        #expect(limits.memoryBytesLeft == 700)
    }

    @Test func theMachineIsTheTightestOfHostAndGroups() throws {
        let files = [
            Self.path: "0::/", "proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 4 kB",
            "\(Self.two)/memory.max": "5000", "\(Self.two)/cpu.max": "300000 100000",
            "proc/self/status": "VmRSS:\t 7 kB\nCpus_allowed:\tff\nCpus_allowed_list:\t0-5,9",
        ]
        let tree = try SystemTree(files)
        defer { tree.remove() }
        #expect(MachineMemory.now(root: tree.root).availableBytes == 4_096)
        #expect(MachineMemory.now(root: tree.root).residentBytes == 7_168)
        #expect(MachineCores.usableCount(root: tree.root) == 3)
    }

    @Test(arguments: [
        ("0-5,9", "max 100000", 7), ("0-1", "300000 100000", 2), ("3", "300000 100000", 1),
        ("0-63", "150000 100000", 2),
    ])
    func coresAreThoseOfTheSchedulerWithinTheQuota(
        _ list: String, _ quota: String, _ expected: Int
    ) throws {
        let tree = try SystemTree([
            Self.path: "0::/", "\(Self.two)/cpu.max": quota,
            "proc/self/status": "Cpus_allowed_list:\t\(list)",
        ])
        defer { tree.remove() }
        #expect(MachineCores.usableCount(root: tree.root) == expected)
    }

    @Test(arguments: [
        "", "Cpus_allowed_list:", "Cpus_allowed_list:\tall", "Cpus_allowed_list:\t9-1",
    ])
    func thereIsAlwaysACore(_ status: String) throws {
        let tree = try SystemTree(["proc/self/status": status])
        defer { tree.remove() }
        #expect(MachineCores.usableCount(root: tree.root) >= 1)
        #expect(MachineCores.usableCount >= 1)
    }
}
