// The fields of a hosts file; `cluster/hosts.md` shows the same tables.
import SkeinCore
import SkeinPlanning

extension HostsFile {
    /// What a hosts file says once: of all hosts together, and of the cluster to come.
    struct Head: Sendable {
        var link: LinkRate?
        var currency = "USD"
        var keysPath: String?
        var coordinator: Topology.Coordinator?
    }

    /// The fields of the whole file.
    static let table: [FileField<Head>] = [
        FileField(
            section: "hosts", "a list of 1 to \(Limits.plannedHostsMax), see below",
            absent: "required", "what there is; nodes of a ring get the order of this list"),
        FileField(
            section: "defaults", "fields of a host, see below", absent: "none",
            "what all hosts have that do not say otherwise; neither `name`, `address` nor "
                + "`public_key`"),
        FileField(
            "link", .block(LinkRate.table, start: .none), \.link, absent: "one host needs none",
            "the link between two hosts of which nothing else is said"),
        FileField(
            section: "links", "a list, see below", absent: "none",
            "links of some pairs: the same fields, and `between`, a list of two hosts' names"),
        FileField(
            section: "machines", "a list, see below", absent: "none",
            "machines that several hosts share"),
        FileField("currency", .text, \.currency, standard: "USD", "what prices are in"),
        FileField(
            "keys", .folder, \.keysPath, absent: "none",
            "the folder of secrets, copied into the cluster file; off loopback it is needed there"),
        FileField(
            "coordinator", .block(Topology.Coordinator.table, start: .blank), \.coordinator,
            absent: "on the first node's host, ports from 7100 and 8080 on",
            "as in a cluster file, copied into it"),
    ]
}

extension LinkRate {
    static let none = Self(latencySeconds: 0, bytesPerSecond: 125e6)

    /// The fields of `link`, and of each of `links`.
    static let table: [FileField<Self>] = [
        FileField(
            "latency_ms", .decimal(0...60_000, "ms", over: 1e3), \.latencySeconds,
            "one way, of a message without bytes"),
        FileField(
            "gbit_per_second", .decimal(0.000_1...100_000, "Gbit/s", times: 125e6),
            \.bytesPerSecond, "each direction by itself"),
    ]
}

/// A machine that several hosts share.
struct MachineEntry: Sendable {
    var name = ""
    var coreCount = 1

    /// The fields of each of `machines`.
    static let table: [FileField<Self>] = [
        FileField("name", .name, \.name, "what hosts call it"),
        FileField(
            "cores", .count(1...Limits.threadsMax, "cores"), \.coreCount,
            "what its hosts have together"),
    ]
}

/// One entry of `hosts`: a host, or the NUMA domains of one.
struct HostEntry: Sendable {
    var name = ""
    var address = Topology.Coordinator.blank.address
    var publicKey: String?
    var memoryBytes = 0.0
    var coreCount = 1
    var domainCount = 1
    var readBytesPerSecond = 0.0
    var float8: RateEntry?
    var bfloat16 = RateEntry()
    var float32 = RateEntry()
    var attentionFlopsPerSecond: Double?
    var layerSeconds = HostRates.layerSecondsDefault
    var message = MessageRate.usual
    var role = HostRole.any
    var machine: String?
    var pricePerHour: Double?
    var watts: Double?

    /// The fields of each of `hosts`.
    static let table: [FileField<Self>] =
        [
            FileField("name", .name, \.name, "what its node is called"),
            FileField(
                "address", .nodeAddress, \.address, "the address by which others call its node"),
            FileField(
                "public_key", .key, \.publicKey, absent: "none",
                "its node's key; a cluster file off loopback needs it"),
        ] + sharedTable

    /// What several hosts may have in common.
    static let sharedTable: [FileField<Self>] = [
        FileField(
            "memory_gb",
            .decimal(0.001...Limits.hostMeasureMax, "GB", times: 1e9, rounding: .down),
            \.memoryBytes, "what Skein may take"),
        FileField(
            "cores", .count(1...Limits.threadsMax, "cores"), \.coreCount, "threads that compute"),
        FileField(
            "numa_domains", .count(1...64, "nodes"), \.domainCount, standard: 1,
            "a node for each: `NAME.0`, `NAME.1` …, each on the next port, with an equal part of "
                + "memory, cores, rates, price and watts"),
        FileField(
            "read_gb_per_second", .rate("GB/s"), \.readBytesPerSecond,
            "a streaming read by all cores"),
        FileField(
            "float8", .inline(RateEntry.table, start: RateEntry()), \.float8,
            absent: "as `bfloat16`", "products of FP8 weights"),
        FileField(
            "bfloat16", .inline(RateEntry.table, start: RateEntry()), \.bfloat16,
            "products of BF16 weights"),
        FileField(
            "float32", .inline(RateEntry.table, start: RateEntry()), \.float32,
            "products of F32 weights"),
        FileField(
            "attention_gflops", .rate("GFLOP/s"), \.attentionFlopsPerSecond,
            absent: "`float32`'s", "attention over latent rows"),
        FileField(
            "layer_us", .decimal(0...Limits.hostMeasureMax, "µs", over: 1e6), \.layerSeconds,
            standard: HostRates.layerSecondsDefault, "what a layer takes whatever its sizes"),
        FileField(
            "message_us", .decimal(0...Limits.hostMeasureMax, "µs", over: 1e6), \.message.seconds,
            standard: MessageRate.usual.seconds,
            "what a message takes of the cores that send it, and of those that receive it"),
        FileField(
            "message_gb_per_second", .rate("GB/s"), \.message.bytesPerSecond,
            standard: MessageRate.usual.bytesPerSecond,
            "bytes of a message a second beyond that, encrypted"),
        FileField(
            "role", .choice, \.role, standard: .any,
            "`stages`: a slice. `experts`: experts and no slice. `any`: whatever serves best"),
        FileField(
            "machine", .name, \.machine, absent: "none",
            "one of `machines`: its hosts take turns on the machine's cores where they have more "
                + "together"),
        FileField(
            "price_per_hour", .decimal(0...Limits.hostMeasureMax, "money"), \.pricePerHour,
            absent: "none", "for tokens per unit of money"),
        FileField(
            "watts", .decimal(0...Limits.hostMeasureMax, "W"), \.watts, absent: "none",
            "for tokens per joule"),
    ]
}

/// The rates of one weight format, as a file says them.
struct RateEntry: Equatable, Sendable {
    var flopsPerSecond = 0.0
    var weightBytesPerSecond: Double?
    var tileFlopsPerSecond: Double?
    var tileWeightBytesPerSecond: Double?

    /// The fields of `float8`, `bfloat16` and `float32`.
    static let table: [FileField<Self>] = [
        FileField(
            "gflops", .rate("GFLOP/s"), \.flopsPerSecond,
            "multiplies and adds a second with many rows; one each counts two"),
        FileField(
            "weight_gb_per_second", .rate("GB/s"), \.weightBytesPerSecond, absent: "as it reads",
            "bytes of weights a second with one row"),
        FileField(
            "tile_gflops", .rate("GFLOP/s"), \.tileFlopsPerSecond, absent: "no tiles",
            "the same where tiles (AMX) multiply many rows; a step takes the faster way"),
        FileField(
            "tile_weight_gb_per_second", .rate("GB/s"), \.tileWeightBytesPerSecond,
            absent: "as it reads", "the same of tiles; needs `tile_gflops`"),
    ]
}

extension FileForm<Double> {
    /// So many billions a second.
    fileprivate static func rate(_ unit: String) -> Self {
        .decimal(0.001...Limits.hostMeasureMax, unit, times: 1e9)
    }
}
