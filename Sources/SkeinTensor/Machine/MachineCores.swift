#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The cores that this process may use.
public enum MachineCores {
    /// Cores that the scheduler lets us run on, within the time that control groups give us; at
    /// least 1.
    ///
    /// A pool of more threads than these would only wait for its own turn: a container with two
    /// cores' time on a host of 64 computes with two threads.
    public static var usableCount: Int { usableCount(root: "") }

    /// The same, by files below another folder.
    static func usableCount(root: String) -> Int {
        let status = SystemFile.lines(of: "\(root)/proc/self/status")
        let name = "Cpus_allowed_list:"
        let allowed = status.first { $0.hasPrefix(name) }?.dropFirst(name.count)
        let schedulable =
            allowed.flatMap { SystemFile.memberCount(of: $0) }
            ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return max(1, min(schedulable, ControlGroups(root: root).coreCount ?? schedulable))
    }
}
