/// What the control groups of this process leave it, on every level that can be seen.
///
///     /proc/self/cgroup ─► our group's path ─► its folder and each above it ─► the tightest limit
///
/// Docker, Kubernetes, Slurm and systemd limit a process by its own group or by one above it, in
/// version 2 of control groups, in version 1, or in both at once (hybrid). Files that are absent,
/// say `max` or hold anything else than a limit do not limit.
struct ControlGroups: Equatable, Sendable {
    /// Bytes that may still be taken, where there is a limit.
    ///
    /// Cached pages of files that nobody uses count as free.
    let memoryBytesLeft: Int?

    /// Cores' worth of time, rounded up, at least 1, where there is a limit.
    let coreCount: Int?

    /// Reads the limits.
    ///
    /// - Parameter root: the folder that has `proc` and `sys`.
    init(root: String = "") {
        var bytesLeft: [Int] = []
        var coreCounts: [Int] = []
        for hierarchy in Hierarchy.all(root: root) {
            for folder in hierarchy.folders {
                if let bytes = hierarchy.version.memoryBytesLeft(folder) { bytesLeft.append(bytes) }
                if let count = hierarchy.version.coreCount(folder) { coreCounts.append(count) }
            }
        }
        memoryBytesLeft = bytesLeft.min()
        coreCount = coreCounts.min()
    }
}

/// How a version of control groups names and writes its limits.
private enum GroupVersion {
    case one
    case two

    /// Version 1 writes the largest number of whole pages where there is no limit.
    private static let unlimitedBytes = 1 << 60

    func memoryBytesLeft(_ folder: String) -> Int? {
        let statistics = "\(folder)/memory.stat"
        let (limit, taken, idle): (Int?, Int?, Int?)
        switch self {
        case .one:
            // The second of these is the tightest of the groups above, which may be hidden here.
            limit = [
                SystemFile.number(in: "\(folder)/memory.limit_in_bytes"),
                SystemFile.statistic("hierarchical_memory_limit", in: statistics),
            ].compactMap { $0 }.min()
            taken = SystemFile.number(in: "\(folder)/memory.usage_in_bytes")
            idle = SystemFile.statistic("total_inactive_file", in: statistics)
        case .two:
            limit = SystemFile.number(in: "\(folder)/memory.max")
            taken = SystemFile.number(in: "\(folder)/memory.current")
            idle = SystemFile.statistic("inactive_file", in: statistics)
        }
        guard let limit, limit < Self.unlimitedBytes else { return nil }
        return max(0, limit - max(0, (taken ?? 0) - (idle ?? 0)))
    }

    func coreCount(_ folder: String) -> Int? {
        let (quota, period): (Int?, Int?)
        switch self {
        case .one:
            quota = SystemFile.number(in: "\(folder)/cpu.cfs_quota_us")
            period = SystemFile.number(in: "\(folder)/cpu.cfs_period_us")
        case .two:
            let words = SystemFile.words(of: "\(folder)/cpu.max")
            quota = words.first.flatMap { Int($0) }
            period = words.dropFirst().first.flatMap { Int($0) }
        }
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return (quota - 1) / period + 1
    }
}

/// One tree of control groups and this process's place in it.
private struct Hierarchy {
    let version: GroupVersion

    /// The folder of our group and each above it.
    let folders: [String]

    /// Where a tree is mounted, and which group of it is at the mount.
    private struct Mount {
        let version: GroupVersion
        let controllers: [Substring]
        let mounted: Substring
        let folder: Substring
    }

    static func all(root: String) -> [Hierarchy] {
        let groups = SystemFile.lines(of: "\(root)/proc/self/cgroup").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }
        return mounts(root: root).map { mount in
            let own = groups.first { parts in
                guard parts.count == 3 else { return false }
                guard mount.version == .one else { return parts[0] == "0" && parts[1].isEmpty }
                return parts[1].split(separator: ",").contains { mount.controllers.contains($0) }
            }
            return Hierarchy(
                version: mount.version,
                folders: folders(
                    from: "\(root)\(mount.folder)", to: own?[2] ?? "/", below: mount.mounted))
        }
    }

    /// The folders from a mount down to a group; of a group that is not below it, the mount alone.
    private static func folders(
        from mount: String, to path: Substring, below mounted: Substring
    ) -> [String] {
        var parts = path.split(separator: "/")
        let above = mounted.split(separator: "/")
        if parts.starts(with: above) { parts.removeFirst(above.count) }
        guard !parts.contains("..") else { return [mount] }
        var folders = [mount]
        for part in parts { folders.append("\(folders[folders.count - 1])/\(part)") }
        return folders
    }

    private static func mounts(root: String) -> [Mount] {
        let listed = SystemFile.lines(of: "\(root)/proc/self/mountinfo").compactMap(mount)
        if !listed.isEmpty { return listed }
        let usual: [(GroupVersion, [Substring], Substring)] = [
            (.two, [], "/sys/fs/cgroup"), (.two, [], "/sys/fs/cgroup/unified"),
            (.one, ["memory"], "/sys/fs/cgroup/memory"), (.one, ["cpu"], "/sys/fs/cgroup/cpu"),
            (.one, ["cpu"], "/sys/fs/cgroup/cpu,cpuacct"),
        ]
        return usual.map { Mount(version: $0.0, controllers: $0.1, mounted: "/", folder: $0.2) }
    }

    /// Reads `ID PARENT DEVICE GROUP FOLDER OPTIONS … - TYPE SOURCE OPTIONS`.
    private static func mount(_ line: Substring) -> Mount? {
        let words = line.split(separator: " ")
        guard let dash = words.firstIndex(of: "-"), dash >= 6, words.count >= dash + 4 else {
            return nil
        }
        switch words[dash + 1] {
        case "cgroup2":
            return Mount(version: .two, controllers: [], mounted: words[3], folder: words[4])
        case "cgroup":
            let controllers = words[dash + 3].split(separator: ",").filter {
                $0 == "memory" || $0 == "cpu"
            }
            guard !controllers.isEmpty else { return nil }
            return Mount(
                version: .one, controllers: controllers, mounted: words[3], folder: words[4])
        default: return nil
        }
    }
}
