public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Whether this machine can listen at an address, before a program does.
public enum ListenProbe {
    /// Binds the address and lets it go at once.
    ///
    /// - Parameter address: numeric, or a name that is looked up.
    /// - Throws: a `Refusal` with the system's reason, for example that it is in use.
    public static func check(_ address: TCPAddress) throws(Refusal) {
        let subject = address.hostAndPort
        let numeric = try LocalAddresses.numeric(address, subject: subject)
        let host: String? =
            switch numeric.host {
            case .ipv4(let text), .ipv6(let text), .name(let text): text
            case .all: nil
            }
        var hints = addrinfo()
        hints.ai_family = host == nil ? AF_INET : AF_UNSPEC
        hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(numeric.port ?? 0)", &hints, &list)
        guard code == 0, let first = list?.pointee else {
            throw Refusal(subject, "cannot listen there: \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(first.ai_family, first.ai_socktype, first.ai_protocol)
        guard descriptor >= 0 else { throw refusal(subject) }
        defer { close(descriptor) }
        // As the sockets of the program do: a port whose last connections fade away is free.
        var isOn: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, first.ai_addr, first.ai_addrlen) == 0, listen(descriptor, 1) == 0
        else { throw refusal(subject) }
    }

    private static func refusal(_ subject: String) -> Refusal {
        Refusal(subject, "cannot listen there: \(String(cString: strerror(errno)))")
    }
}
