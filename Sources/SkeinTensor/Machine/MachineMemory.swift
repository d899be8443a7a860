/// The memory of this machine and of this process, as the system reports it now.
public struct MachineMemory: Sendable, Equatable {
    /// Bytes that may be taken without swapping, within the limits of our control groups; nil where
    /// the system does not say.
    public var availableBytes: Int?

    /// Bytes of this process in memory, mapped files included; 0 where the system does not say.
    public var residentBytes: Int

    /// The most that `residentBytes` ever was.
    public var peakResidentBytes: Int

    /// Reads the present state.
    public static func now() -> MachineMemory { now(root: "") }

    /// Reads the state that files below another folder tell.
    static func now(root: String) -> MachineMemory {
        let status = SystemFile.fields(of: "\(root)/proc/self/status")
        let limits = [
            SystemFile.fields(of: "\(root)/proc/meminfo")["MemAvailable"],
            ControlGroups(root: root).memoryBytesLeft,
        ]
        return MachineMemory(
            availableBytes: limits.compactMap { $0 }.min(), residentBytes: status["VmRSS"] ?? 0,
            peakResidentBytes: status["VmHWM"] ?? 0)
    }
}
