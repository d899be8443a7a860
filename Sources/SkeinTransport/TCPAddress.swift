public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where an inbox listens: `tcp://host:port`.
///
/// The host is an IPv4 address in dotted decimal, an IPv6 address in brackets, a name, or `*` for
/// all of this machine's addresses. The port is a number, or `*` for any free one. The forms are
/// kept strict, since a lenient resolver would read `tcp://127.1` or `tcp://2130706433` as loopback
/// while a check by text would not.
public struct TCPAddress: Hashable, Sendable {
    /// What stands for the host.
    public enum Host: Hashable, Sendable {
        /// Dotted decimal.
        case ipv4(String)
        /// Without brackets; may end in `%zone`.
        case ipv6(String)
        /// A name to look up.
        case name(String)
        /// All addresses of this machine.
        case all
    }

    /// The host.
    public let host: Host

    /// The port; `nil` for any free one.
    public let port: UInt16?

    /// Joins a host and a port.
    public init(host: Host, port: UInt16?) {
        self.host = host
        self.port = port
    }

    /// Reads `tcp://host:port`.
    public init(parsing text: String) throws(Refusal) {
        func refusal(_ reason: String) -> Refusal { Refusal("address '\(text)'", reason) }
        guard text.utf8.count <= Limits.addressBytesMax else {
            throw Refusal(
                "address '\(text.prefix(40))…'",
                "\(text.utf8.count) bytes, at most \(Limits.addressBytesMax) expected")
        }
        guard text.hasPrefix("tcp://") else { throw refusal("expected tcp://host:port") }
        let rest = text.dropFirst(6)
        guard let colon = rest.lastIndex(of: ":") else {
            throw refusal("the port is missing, expected tcp://host:port")
        }
        do throws(Refusal) {
            host = try Self.host(rest[..<colon])
            port = try Self.port(rest[rest.index(after: colon)...])
        } catch {
            throw refusal(error.reason)
        }
    }

    /// Whether only this machine can reach the address.
    public var isLoopback: Bool {
        switch host {
        case .ipv4(let text): text.hasPrefix("127.")
        case .ipv6(let text): Self.isLoopback(ipv6: text)
        case .name(let name): name.lowercased() == "localhost"
        case .all: false
        }
    }

    /// The same host with another port.
    public func with(port: UInt16) -> TCPAddress { TCPAddress(host: host, port: port) }

    // MARK: Rooms

    private static func host(_ text: Substring) throws(Refusal) -> Host {
        if text == "*" { return .all }
        if text.hasPrefix("[") {
            guard text.hasSuffix("]"), isIPv6(text.dropFirst().dropLast()) else {
                throw Refusal("", "'\(text)' is no IPv6 address in brackets")
            }
            return .ipv6(String(text.dropFirst().dropLast()))
        }
        guard !text.contains(":") else {
            throw Refusal("", "an IPv6 address needs brackets, as in tcp://[::1]:7001")
        }
        if isIPv4(text) { return .ipv4(String(text)) }
        guard isName(text) else {
            throw Refusal("", "'\(text)' is no IPv4 address, [IPv6] address or name")
        }
        return .name(String(text))
    }

    private static func port(_ text: Substring) throws(Refusal) -> UInt16? {
        if text == "*" { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(text),
            number > 0
        else { throw Refusal("", "port '\(text)' is no number from 1 to 65535, nor *") }
        return number
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard let value = UInt8(part) else { return false }
                return String(value) == part  // no sign, no leading zero: some read those as octal
            }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            let zone = parts[1].utf8
            guard (1...15).contains(zone.count), zone.allSatisfy(isNameByte) else { return false }
        }
        var bytes = in6_addr()
        return inet_pton(AF_INET6, String(parts[0]), &bytes) == 1
    }

    private static func isLoopback(ipv6 text: String) -> Bool {
        var bytes = in6_addr()
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return false }
        let octets = withUnsafeBytes(of: bytes) { Array($0) }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF, 127]
        return octets == Array(repeating: 0, count: 15) + [1] || octets.starts(with: mapped)
    }

    private static func isName(_ text: Substring) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // A last label of digits would be taken for a number by some resolvers.
        guard text.utf8.count <= 253, let last = labels.last, Int(last) == nil,
            !last.lowercased().hasPrefix("0x")
        else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.allSatisfy(isNameByte)
                && label.first != "-" && label.last != "-"
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension TCPAddress: CustomStringConvertible {
    /// The address as it was read.
    public var description: String {
        let portText = port.map { String($0) } ?? "*"
        return switch host {
        case .ipv4(let text), .name(let text): "tcp://\(text):\(portText)"
        case .ipv6(let text): "tcp://[\(text)]:\(portText)"
        case .all: "tcp://*:\(portText)"
        }
    }
}
