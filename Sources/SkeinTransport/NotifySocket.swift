public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The service manager that has started this process, which it tells how it is (sd_notify).
///
/// The protocol is that of systemd: datagrams of `NAME=VALUE` lines to the Unix socket that
/// `NOTIFY_SOCKET` names, be it a path or, after `@`, a name of the abstract kind.
public struct NotifySocket: Sendable {
    /// The variables by which a manager says how to reach it; they are for one process alone.
    public static let variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

    /// How often the manager wants to hear that the process is alive: half of its bound.
    public let heartbeatInterval: Duration?

    private let socketName: String

    /// Reads where the manager listens.
    ///
    /// - Parameter processID: `nil` for this process; a watchdog for another is not ours.
    /// - Returns: `nil` where no manager is named.
    public init?(environment: [String: String], processID: Int32? = nil) {
        guard let name = environment["NOTIFY_SOCKET"], name.utf8.count > 1,
            name.utf8.count < Self.nameBytesMax, name.hasPrefix("/") || name.hasPrefix("@")
        else { return nil }
        socketName = name
        let processID = processID ?? getpid()
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(processID)" } ?? true
        if isOurs, let bound = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), bound > 1 {
            heartbeatInterval = .microseconds(bound / 2)
        } else {
            heartbeatInterval = nil
        }
    }

    /// Tells the manager something, for example `READY=1`, never waiting for it.
    ///
    /// - Parameter line: one `NAME=VALUE`; line breaks in it are made spaces.
    /// - Throws: a `Refusal` where nobody listens; one that has gone is no
    ///   reason to quit.
    public func tell(_ line: String) throws(Refusal) {
        let descriptor = socket(AF_UNIX, Self.datagrams, 0)
        guard descriptor >= 0 else { throw Refusal(socketName, Self.lastError) }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketName.utf8)
        // An abstract name begins with a zero byte and has no end but its length.
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let isAbstract = name[0] == 0
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 0
        let length = socklen_t(start + name.count + (isAbstract ? 0 : 1))
        let text = Array(
            line.unicodeScalars.map { $0 == "\n" ? " " : String($0) }.joined().utf8)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, Self.flags, $0, length)
            }
        }
        guard sent == text.count else { throw Refusal(socketName, Self.lastError) }
    }

    // MARK: Rooms

    /// Bytes of a Unix socket's path, its ending zero included.
    private static let nameBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    #if canImport(Glibc)
    private static let datagrams = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    private static let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    #else
    private static let datagrams = SOCK_DGRAM
    private static let flags: Int32 = 0
    #endif

    private static var lastError: String { String(cString: strerror(errno)) }
}
