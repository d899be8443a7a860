public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The addresses of this machine's network interfaces.
public struct LocalAddresses: Sendable {
    /// Numeric text without zones, for example `10.0.0.7` and `fe80::1`.
    public let texts: Set<String>

    /// Asks the system.
    public init() throws(Refusal) {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else {
            throw Refusal("network interfaces", String(cString: strerror(errno)))
        }
        defer { freeifaddrs(list) }
        var texts: Set<String> = []
        var entry = list
        while let current = entry {
            if let text = Self.text(current.pointee.ifa_addr) { texts.insert(text) }
            entry = current.pointee.ifa_next
        }
        self.texts = texts
    }

    /// Whether an inbox at `address` would be on this machine; names are looked up.
    public func holds(_ address: TCPAddress) throws(Refusal) -> Bool {
        if address.isLoopback { return true }
        switch address.host {
        case .all: return true
        case .ipv4(let text): return texts.contains(text)
        case .ipv6(let text): return texts.contains(Self.canonical(ipv6: text))
        case .name(let name):
            let found = Self.look(up: name)
            guard !found.isEmpty else {
                throw Refusal("address '\(address)'", "the name is not known")
            }
            return !texts.isDisjoint(with: found)
        }
    }

    /// Whether an address can be called: its host is no name, or one that can be looked up now.
    public static func isKnown(_ address: TCPAddress) -> Bool {
        guard case .name(let name) = address.host else { return true }
        return !look(up: name).isEmpty
    }

    // MARK: For the hub

    /// The address with its name looked up, since libzmq binds to no names; IPv4 first.
    static func numeric(_ address: TCPAddress, subject: String) throws(Refusal) -> TCPAddress {
        guard case .name(let name) = address.host else { return address }
        let found = look(up: name)
        guard let text = found.first(where: { !$0.contains(":") }) ?? found.first else {
            throw Refusal(subject, "the name is not known")
        }
        let numeric = TCPAddress(
            host: text.contains(":") ? .ipv6(text) : .ipv4(text), port: address.port)
        // A name that passes for loopback must lead there.
        guard numeric.isLoopback || !address.isLoopback else {
            throw Refusal(subject, "the name leads to \(text), which is not loopback")
        }
        return numeric
    }

    /// Whether a socket must speak IPv6: a name that has an IPv4 address is reached by that.
    static func needsIPv6(_ address: TCPAddress) -> Bool {
        switch address.host {
        case .ipv4: false
        case .ipv6, .all: true
        case .name(let name): look(up: name).allSatisfy { $0.contains(":") }
        }
    }

    // MARK: Rooms

    private static func look(up name: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_protocol = Int32(IPPROTO_TCP)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var entry = list
        while let current = entry {
            if let text = text(current.pointee.ai_addr), !found.contains(text) {
                found.append(text)
            }
            entry = current.pointee.ai_next
        }
        return found
    }

    private static func text(_ address: UnsafeMutablePointer<sockaddr>?) -> String? {
        guard let address else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            var bytes = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            guard inet_ntop(AF_INET, &bytes, &text, socklen_t(text.count)) != nil else {
                return nil
            }
        case AF_INET6:
            var bytes = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            guard inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil else {
                return nil
            }
        default: return nil
        }
        return string(text)
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func canonical(ipv6 text: String) -> String {
        var bytes = in6_addr()
        var canonical = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let bare = text.prefix { $0 != "%" }
        guard inet_pton(AF_INET6, String(bare), &bytes) == 1,
            inet_ntop(AF_INET6, &bytes, &canonical, socklen_t(canonical.count)) != nil
        else { return text }
        return string(canonical)
    }
}
