extension MachineMemory {
    /// NUMA domains of this machine: parts of the memory that are near to parts of the cores; 1
    /// where the system does not say.
    public static func domainCount() -> Int {
        domainCount(online: text(of: "/sys/devices/system/node/online") ?? "")
    }

    /// Counts a list such as `0-3,8`.
    static func domainCount(online list: String) -> Int {
        var count = 0
        for range in list.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1],
                first <= last, last < 65_536
            else { return 1 }
            count += last - first + 1
        }
        return max(1, count)
    }
}
