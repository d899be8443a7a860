/// Where a peer listens: `tcp://host:port`, or `host:port` for HTTP.
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
        try self.init(text, scheme: "tcp://")
    }

    /// Reads `host:port`.
    public init(hostAndPort text: String) throws(Refusal) {
        try self.init(text, scheme: "")
    }

    /// Reads a host as a person writes it: an IPv6 address needs no brackets where no port follows.
    public init(host text: String) throws(Refusal) {
        let isBare = text.contains(":") && !text.hasPrefix("[")
        do throws(Refusal) {
            host = try Self.host(isBare ? "[\(text)]" : text[...])
        } catch {
            throw Refusal("host '\(text.prefix(100))'", error.reason)
        }
        port = nil
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

    /// Whether it stands for every address of a machine: one can listen there, but not call it.
    public var isEveryAddress: Bool {
        switch host {
        case .ipv4(let text): text == "0.0.0.0"
        case .ipv6(let text): InternetGroups(parsing: text)?.values.allSatisfy { $0 == 0 } ?? false
        case .name: false
        case .all: true
        }
    }

    /// The same host with another port.
    public func with(port: UInt16) -> TCPAddress { TCPAddress(host: host, port: port) }

    /// The host alone, as files and folders are named after it.
    public var hostName: String {
        switch host {
        case .ipv4(let text), .ipv6(let text), .name(let text): text
        case .all: "*"
        }
    }

    /// The address without a scheme.
    public var hostAndPort: String {
        let portText = port.map { String($0) } ?? "*"
        return switch host {
        case .ipv4(let text), .name(let text): "\(text):\(portText)"
        case .ipv6(let text): "[\(text)]:\(portText)"
        case .all: "*:\(portText)"
        }
    }

    // MARK: Rooms

    private init(_ text: String, scheme: String) throws(Refusal) {
        func refusal(_ reason: String) -> Refusal { Refusal("address '\(text)'", reason) }
        guard text.utf8.count <= Limits.addressBytesMax else {
            throw Refusal(
                "address '\(text.prefix(40))…'",
                "\(text.utf8.count) bytes, at most \(Limits.addressBytesMax) expected")
        }
        guard text.hasPrefix(scheme) else { throw refusal("expected \(scheme)host:port") }
        let rest = text.dropFirst(scheme.count)
        guard let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") else {
            throw refusal("the port is missing, expected \(scheme)host:port")
        }
        do throws(Refusal) {
            host = try Self.host(rest[..<colon])
            port = try Self.port(rest[rest.index(after: colon)...])
        } catch {
            throw refusal(error.reason)
        }
    }

    private static func host(_ text: Substring) throws(Refusal) -> Host {
        if text == "*" { return .all }
        if text.hasPrefix("[") {
            guard text.hasSuffix("]"), isIPv6(text.dropFirst().dropLast()) else {
                throw Refusal("", "'\(text)' is no IPv6 address in brackets")
            }
            return .ipv6(String(text.dropFirst().dropLast()))
        }
        guard !text.contains(":") else {
            throw Refusal("", "an IPv6 address needs brackets, as in [::1]:7001")
        }
        if InternetGroups.dottedBytes(text) != nil { return .ipv4(String(text)) }
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

    private static func isIPv6(_ text: Substring) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            let zone = parts[1].utf8
            guard (1...15).contains(zone.count), zone.allSatisfy(isNameByte) else { return false }
        }
        return InternetGroups(parsing: String(parts[0])) != nil
    }

    private static func isLoopback(ipv6 text: String) -> Bool {
        guard let groups = InternetGroups(parsing: text)?.values else { return false }
        let isOne = groups == [0, 0, 0, 0, 0, 0, 0, 1]
        let isMapped = groups.prefix(6) == [0, 0, 0, 0, 0, 0xFFFF] && groups[6] >> 8 == 127
        return isOne || isMapped
    }

    private static func isName(_ text: Substring) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // A last label of digits would be taken for a number by some resolvers.
        guard text.utf8.count <= 253, let last = labels.last,
            !last.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
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
    /// The address as it was read, with its scheme.
    public var description: String { "tcp://\(hostAndPort)" }
}

/// The eight groups of an IPv6 address (RFC 4291, section 2.2), without a zone.
private struct InternetGroups {
    let values: [UInt16]

    init?(parsing text: String) {
        guard let gap = text.firstRange(of: "::") else {
            guard let whole = Self.groups(text[...]), whole.count == 8 else { return nil }
            values = whole
            return
        }
        // A gap stands for one group of zeros at least, and there is one gap at most.
        guard let head = Self.groups(text[..<gap.lowerBound], mayEndDotted: false),
            let tail = Self.groups(text[gap.upperBound...]), head.count + tail.count <= 7
        else { return nil }
        values = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    static func dottedBytes(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            // No sign and no leading zero: some read those as octal.
            guard let value = UInt8(part), String(value) == part else { return nil }
            bytes.append(value)
        }
        return bytes
    }

    private static func groups(_ text: Substring, mayEndDotted: Bool = true) -> [UInt16]? {
        if text.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayEndDotted, index == parts.count - 1, let bytes = dottedBytes(part) {
                groups.append(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
                groups.append(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
                continue
            }
            guard (1...4).contains(part.utf8.count), part.first != "+",
                let number = UInt16(part, radix: 16)
            else { return nil }
            groups.append(number)
        }
        return groups
    }
}
