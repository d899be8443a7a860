#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The memory of this machine and of this process, as the system reports it now.
public struct MachineMemory: Sendable, Equatable {
    /// Bytes that may be taken without swapping, within the limits of our control group; nil where
    /// the system does not say.
    public var availableBytes: Int?

    /// Bytes of this process in memory, mapped files included; 0 where the system does not say.
    public var residentBytes: Int

    /// The most that `residentBytes` ever was.
    public var peakResidentBytes: Int

    /// Reads the present state.
    public static func now() -> MachineMemory {
        let status = fields(of: "/proc/self/status")
        return MachineMemory(
            availableBytes: availableBytes(), residentBytes: status["VmRSS"] ?? 0,
            peakResidentBytes: status["VmHWM"] ?? 0)
    }

    private static func availableBytes() -> Int? {
        let machine = fields(of: "/proc/meminfo")["MemAvailable"]
        // A container's own limit: what it may take in all, less what it has taken.
        let limit = number(in: "/sys/fs/cgroup/memory.max")
        let taken = number(in: "/sys/fs/cgroup/memory.current")
        let reclaimable = statistic("inactive_file", in: "/sys/fs/cgroup/memory.stat") ?? 0
        guard let limit, let taken else { return machine }
        let left = max(0, limit - taken + reclaimable)
        return min(left, machine ?? left)
    }

    /// Fields such as `VmRSS:    1024 kB`, in bytes.
    private static func fields(of path: String) -> [Substring: Int] {
        var fields: [Substring: Int] = [:]
        for line in (text(of: path) ?? "").split(separator: "\n") {
            let parts = line.split(whereSeparator: { $0 == ":" || $0 == " " || $0 == "\t" })
            guard parts.count == 3, parts[2] == "kB", let kilobytes = Int(parts[1]) else {
                continue
            }
            fields[parts[0]] = kilobytes * 1024
        }
        return fields
    }

    private static func statistic(_ name: String, in path: String) -> Int? {
        for line in (text(of: path) ?? "").split(separator: "\n") {
            let parts = line.split(separator: " ")
            if parts.count == 2, parts[0] == name { return Int(parts[1]) }
        }
        return nil
    }

    private static func number(in path: String) -> Int? {
        text(of: path).flatMap { Int($0.split(whereSeparator: \.isWhitespace).first ?? "") }
    }

    static func text(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[0..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
