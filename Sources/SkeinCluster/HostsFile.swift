import Foundation
public import SkeinCore
public import SkeinPlanning
import Yams

/// What a planner may use as a YAML file; `cluster/hosts.md` describes every field.
///
/// It is read as strictly as a cluster file and answers mistakes in the same way, in one line:
/// `FILE:LINE: field: what was found, what was expected`.
public struct HostsFile: Sendable {
    /// The hosts and the roads between them.
    public let hosts: PlannedHosts

    /// Who owns the requests, where the file says so.
    public let coordinator: Topology.Coordinator?

    /// The folder of `NAME.secret` files, where there is one.
    public let keysPath: String?

    /// Reads a hosts file.
    public static func read(path: String) throws(Refusal) -> HostsFile {
        try HostsFile(parsing: try ClusterFile.bytes(of: path, kind: "hosts file"), path: path)
    }

    /// Reads a hosts file's bytes; `path` is named in errors, and folders are relative to it.
    public init(parsing bytes: [UInt8], path: String) throws(Refusal) {
        let file = try ClusterFields(
            try ClusterFile.compose(bytes, path: path), file: path, name: "file",
            allowed: [
                "hosts", "defaults", "link", "links", "machines", "currency", "keys", "coordinator",
            ])
        let fields = try file.list(
            "hosts", countMax: Limits.plannedHostsMax, allowed: HostFields.names)
        let defaults =
            file.has("defaults")
            ? try file.mapping("defaults", allowed: HostFields.sharedNames) : nil
        let machines = try Self.machines(file)
        var hosts: [PlannedHost] = []
        var taken: Set<String> = ["coordinator"]
        for field in fields {
            let all = defaults.map { field.completed(by: $0) } ?? field
            let domains = try HostFields(all).hosts(machines: machines)
            for host in domains where !taken.insert(host.name).inserted {
                throw field.refusal(
                    "name",
                    "found '\(host.name)', expected a name that nothing else in the cluster has")
            }
            hosts += domains
        }
        let indices = Dictionary(
            hosts.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.hosts = PlannedHosts(
            hosts: hosts, link: try Self.link(of: file, hostCount: hosts.count),
            pairLinks: try Self.pairLinks(file, indices), machineCoreCounts: machines,
            currency: try file.optionalText("currency") ?? "USD")
        coordinator = try Self.coordinator(file)
        keysPath = try file.optionalText("keys").map {
            ClusterFile.absolute($0, in: ClusterFile.folder(of: path))
        }
    }

    // MARK: Rooms

    private static let linkNames = ["latency_ms", "gbit_per_second"]

    /// One host alone needs no road.
    private static func link(
        of file: ClusterFields, hostCount: Int
    ) throws(Refusal) -> LinkRate {
        guard hostCount > 1 || file.has("link") else {
            return LinkRate(latencySeconds: 0, bytesPerSecond: 125e6)
        }
        return try link(try file.mapping("link", allowed: linkNames))
    }

    private static func link(_ fields: ClusterFields) throws(Refusal) -> LinkRate {
        LinkRate(
            latencySeconds: try fields.decimal("latency_ms", 0...60_000) / 1_000,
            bytesPerSecond: try fields.decimal("gbit_per_second", 0.000_1...100_000) * 125e6)
    }

    private static func pairLinks(
        _ file: ClusterFields, _ indices: [String: Int]
    ) throws(Refusal) -> [HostPair: LinkRate] {
        guard file.has("links") else { return [:] }
        let fields = try file.list(
            "links", countMax: Limits.plannedHostsMax * 16, allowed: ["between"] + linkNames)
        var links: [HostPair: LinkRate] = [:]
        for field in fields {
            let names = try field.texts("between", countMax: 2)
            guard names.count == 2, names[0] != names[1] else {
                throw field.refusal(
                    "between", "found \(names.count) names, expected a list of two hosts' names")
            }
            var pair: [Int] = []
            for name in names {
                guard let index = indices[name] else {
                    throw field.refusal("between", "found '\(name)', expected a host's name")
                }
                pair.append(index)
            }
            links[HostPair(pair[0], pair[1])] = try link(field)
        }
        return links
    }

    private static func machines(_ file: ClusterFields) throws(Refusal) -> [String: Int] {
        guard file.has("machines") else { return [:] }
        var machines: [String: Int] = [:]
        let fields = try file.list(
            "machines", countMax: Limits.plannedHostsMax, allowed: ["name", "cores"])
        for field in fields {
            machines[try field.name("name")] = try field.number("cores", 1...Limits.threadsMax)
        }
        return machines
    }

    private static func coordinator(
        _ file: ClusterFields
    ) throws(Refusal) -> Topology.Coordinator? {
        guard file.has("coordinator") else { return nil }
        let inner = try file.mapping("coordinator", allowed: ["address", "public_key", "http"])
        return Topology.Coordinator(
            address: try inner.address("address"),
            publicKey: try inner.optionalKey("public_key"),
            httpAddress: try inner.optionalHTTPAddress("http"))
    }
}

/// One entry of `hosts`.
private struct HostFields {
    /// What several hosts may have in common.
    static let sharedNames = [
        "memory_gb", "cores", "numa_domains", "read_gb_per_second", "float8", "bfloat16", "float32",
        "attention_gflops", "layer_us", "message_us", "message_gb_per_second", "role", "machine",
        "price_per_hour", "watts",
    ]

    static let names = ["name", "address", "public_key"] + sharedNames

    private let fields: ClusterFields

    init(_ fields: ClusterFields) { self.fields = fields }

    /// The host, or one for each of its NUMA domains.
    func hosts(machines: [String: Int]) throws(Refusal) -> [PlannedHost] {
        let host = try host(machines: machines)
        let count = try fields.optionalNumber("numa_domains", 1...64) ?? 1
        guard count > 1 else { return [host] }
        guard host.publicKey == nil else {
            throw fields.refusal(
                "numa_domains",
                "found \(count), expected an entry for each domain, since each is a node with a "
                    + "key of its own")
        }
        guard host.coreCount % count == 0 else {
            throw fields.refusal(
                "numa_domains", "found \(count), expected a number that divides the cores")
        }
        let lastPort = Int(host.address.port ?? 0) + count - 1
        guard lastPort <= Int(UInt16.max) else {
            throw fields.refusal("address", "leaves no port for each of \(count) domains")
        }
        return (0..<count).map { domain in
            var part = host
            part.name = "\(host.name).\(domain)"
            part.address =
                host.address.port.map { host.address.with(port: $0 + UInt16(domain)) }
                ?? host.address
            part.memoryBytes = host.memoryBytes / count
            part.coreCount = host.coreCount / count
            part.rates = host.rates.divided(by: count)
            part.pricePerHour = host.pricePerHour.map { $0 / Double(count) }
            part.watts = host.watts.map { $0 / Double(count) }
            return part
        }
    }

    private func host(machines: [String: Int]) throws(Refusal) -> PlannedHost {
        let coreCount = try fields.number("cores", 1...Limits.threadsMax)
        let machine = try fields.optionalText("machine")
        if let machine {
            guard let cores = machines[machine] else {
                throw fields.refusal("machine", "found '\(machine)', expected one of 'machines'")
            }
            guard coreCount <= cores else {
                throw fields.refusal(
                    "cores", "found \(coreCount), expected at most the \(cores) of its machine")
            }
        }
        let most = Limits.hostMeasureMax
        return PlannedHost(
            name: try fields.name("name"), address: try fields.nodeAddress("address"),
            publicKey: try fields.optionalKey("public_key"),
            memoryBytes: Int(try fields.decimal("memory_gb", 0.001...most) * 1e9),
            coreCount: coreCount, rates: try rates(),
            role: fields.has("role") ? try fields.choice("role", HostRole.self) : .any,
            machine: machine,
            pricePerHour: try fields.optionalDecimal("price_per_hour", 0...most),
            watts: try fields.optionalDecimal("watts", 0...most))
    }

    private func rates() throws(Refusal) -> HostRates {
        let most = Limits.hostMeasureMax
        let read = try fields.decimal("read_gb_per_second", 0.001...most) * 1e9
        let bfloat16 = try rate("bfloat16", read: read)
        let float32 = try rate("float32", read: read)
        let attention =
            try fields.optionalDecimal("attention_gflops", 0.001...most).map { $0 * 1e9 }
        let layer = try fields.optionalDecimal("layer_us", 0...most).map { $0 / 1e6 }
        return HostRates(
            readBytesPerSecond: read,
            float8: fields.has("float8") ? try rate("float8", read: read) : bfloat16,
            bfloat16: bfloat16, float32: float32,
            attentionFlopsPerSecond: attention ?? float32.flopsPerSecond,
            layerSeconds: layer ?? HostRates.layerSecondsDefault, message: try message())
    }

    private func message() throws(Refusal) -> MessageRate {
        let most = Limits.hostMeasureMax
        var message = MessageRate.usual
        if let micros = try fields.optionalDecimal("message_us", 0...most) {
            message.seconds = micros / 1e6
        }
        if let rate = try fields.optionalDecimal("message_gb_per_second", 0.001...most) {
            message.bytesPerSecond = rate * 1e9
        }
        return message
    }

    private func rate(_ field: String, read: Double) throws(Refusal) -> FormatRate {
        let inner = try fields.mapping(
            field,
            allowed: [
                "weight_gb_per_second", "gflops", "tile_weight_gb_per_second", "tile_gflops",
            ])
        let most = Limits.hostMeasureMax
        func optional(_ name: String) throws(Refusal) -> Double? {
            try inner.optionalDecimal(name, 0.001...most).map { $0 * 1e9 }
        }
        let tileWeights = try optional("tile_weight_gb_per_second")
        let tiles = try optional("tile_gflops").map {
            FormatRate.Tiles(weightBytesPerSecond: tileWeights ?? read, flopsPerSecond: $0)
        }
        return FormatRate(
            weightBytesPerSecond: try optional("weight_gb_per_second") ?? read,
            flopsPerSecond: try inner.decimal("gflops", 0.001...most) * 1e9, tiles: tiles)
    }
}

extension ClusterFields {
    /// A number with or without a fraction that must be there.
    func decimal(_ field: String, _ range: ClosedRange<Double>) throws(Refusal) -> Double {
        guard let number = try optionalDecimal(field, range) else {
            throw refusal(field, "found nothing, expected \(Self.text(range))")
        }
        return number
    }

    /// A number with or without a fraction that may be missing.
    func optionalDecimal(
        _ field: String, _ range: ClosedRange<Double>
    ) throws(Refusal) -> Double? {
        guard let text = try optionalText(field) else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isDecimal = parts.count <= 2 && parts.allSatisfy { Self.decimal($0) != nil }
        guard isDecimal, let number = Double(text), range.contains(number) else {
            throw refusal(field, "found '\(text)', expected \(Self.text(range))")
        }
        return number
    }

    private static func text(_ range: ClosedRange<Double>) -> String {
        func text(_ bound: Double) -> String {
            bound == bound.rounded() ? "\(Int(bound))" : "\(bound)"
        }
        return "a number from \(text(range.lowerBound)) to \(text(range.upperBound))"
    }
}
