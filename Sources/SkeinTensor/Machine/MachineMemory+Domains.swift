extension MachineMemory {
    /// NUMA domains of this machine: parts of the memory that are near to parts of the cores; 1
    /// where the system does not say.
    public static func domainCount() -> Int {
        domainCount(online: SystemFile.text(of: "/sys/devices/system/node/online") ?? "")
    }

    /// Counts a list such as `0-3,8`.
    static func domainCount(online list: String) -> Int { SystemFile.memberCount(of: list) ?? 1 }
}
