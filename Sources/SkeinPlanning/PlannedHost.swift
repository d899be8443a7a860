public import SkeinCore

/// What a host may hold.
public enum HostRole: String, Equatable, Sendable, CaseIterable {
    /// Whatever serves best.
    case any
    /// A slice of the layers.
    case stages
    /// Experts, and no slice.
    case experts
}

/// One host as a planner sees it: what it can hold, and how fast it is.
///
/// A machine with several NUMA domains is several hosts, one for each.
public struct PlannedHost: Equatable, Sendable {
    /// Its name, which its node gets.
    public var name: String

    /// Where its node listens.
    public var address: TCPAddress

    /// Its CURVE key, in Z85.
    public var publicKey: String?

    /// Bytes that Skein may take.
    public var memoryBytes: Int

    /// Cores, and so threads that compute.
    public var coreCount: Int

    /// How fast it reads and multiplies.
    public var rates: HostRates

    /// What it may hold.
    public var role: HostRole

    /// Hosts of one machine take turns on `machineCoreCount` cores where they have more together.
    public var machine: String?

    /// What an hour of it costs.
    public var pricePerHour: Double?

    /// What it draws while it works.
    public var watts: Double?

    /// Describes a host.
    public init(
        name: String, address: TCPAddress, publicKey: String? = nil, memoryBytes: Int,
        coreCount: Int, rates: HostRates, role: HostRole = .any, machine: String? = nil,
        pricePerHour: Double? = nil, watts: Double? = nil
    ) {
        self.name = name
        self.address = address
        self.publicKey = publicKey
        self.memoryBytes = memoryBytes
        self.coreCount = coreCount
        self.rates = rates
        self.role = role
        self.machine = machine
        self.pricePerHour = pricePerHour
        self.watts = watts
    }
}

/// A one-way link between two hosts.
public struct LinkRate: Equatable, Sendable {
    /// Seconds that a message of no bytes takes.
    public var latencySeconds: Double

    /// Bytes a second.
    public var bytesPerSecond: Double

    /// Describes a link.
    public init(latencySeconds: Double, bytesPerSecond: Double) {
        self.latencySeconds = latencySeconds
        self.bytesPerSecond = bytesPerSecond
    }
}

/// The hosts that a plan may use, and the links between them.
public struct PlannedHosts: Equatable, Sendable {
    /// The hosts, in the order of the ring.
    public var hosts: [PlannedHost]

    /// The link between two hosts of which nothing else is said.
    public var link: LinkRate

    /// Links of pairs, the smaller index first; both directions are alike.
    public var pairLinks: [HostPair: LinkRate]

    /// Cores of machines that several hosts share, by the machine's name.
    public var machineCoreCounts: [String: Int]

    /// The money that prices are in, for people.
    public var currency: String

    /// Describes hosts.
    public init(
        hosts: [PlannedHost], link: LinkRate, pairLinks: [HostPair: LinkRate] = [:],
        machineCoreCounts: [String: Int] = [:], currency: String = "USD"
    ) {
        self.hosts = hosts
        self.link = link
        self.pairLinks = pairLinks
        self.machineCoreCounts = machineCoreCounts
        self.currency = currency
    }

    /// The link from one host to another; `nil` within a host.
    public func link(from: Int, to: Int) -> LinkRate? {
        from == to ? nil : pairLinks[HostPair(from, to)] ?? link
    }
}

/// Two different hosts by their indices.
public struct HostPair: Hashable, Sendable {
    /// The smaller index.
    public let first: Int

    /// The larger index.
    public let second: Int

    /// Orders two indices.
    public init(_ one: Int, _ other: Int) {
        first = min(one, other)
        second = max(one, other)
    }
}
