import ArgumentParser
import Foundation
import SkeinBench
import SkeinCluster
import SkeinCore
import SkeinPlanning
import SkeinTensor

/// Measures this machine, and writes it down as `skein plan` reads it.
struct BenchHost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host",
        abstract: "Measures this machine for `skein plan`: memory, cores, bandwidth, rates.",
        discussion: """
            Prints a hosts file of one host. Run it on every host, and join what stands under \
            'hosts'. The link between hosts is measured with --listen on one of them and --peer on \
            another.
            """)

    @Option(help: "The host's name (default: what the system calls it).")
    var name: String?

    @Option(help: "Where its node will listen.")
    var address = "tcp://127.0.0.1:7101"

    @Option(help: "A config.json whose shapes are measured (default: those of DeepSeek-V3).")
    var config: String?

    @Option(help: "Compute threads (default: all cores).")
    var threads: Int?

    @Option(name: .customLong("price-per-hour"), help: "What an hour of it costs.")
    var pricePerHour: Double?

    @Option(help: "What it draws while it works.")
    var watts: Double?

    @Option(help: "Answer one peer that measures the link to here, at HOST:PORT; then end.")
    var listen: String?

    @Option(help: "Measure the link to a host that listens, at HOST:PORT.")
    var peer: String?

    @Option(help: "Write the hosts file here.")
    var out: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let threads, !(1...Limits.threadsMax).contains(threads) {
            throw ValidationError(
                "--threads: expected 1 to \(Limits.threadsMax), found \(threads)")
        }
        for (value, option) in [(pricePerHour, "--price-per-hour"), (watts, "--watts")] {
            if let value, !(0...Limits.hostMeasureMax).contains(value) {
                throw ValidationError("\(option): expected 0 to 1000000")
            }
        }
        guard listen == nil || (peer == nil && out == nil) else {
            throw ValidationError("--listen: expected neither --peer nor --out beside it")
        }
    }

    func run() async throws {
        if let listen {
            let place = try TCPAddress(hostAndPort: listen)
            return try await LinkBench.answer(at: place) { Console.standardError($0) }
        }
        let address = try TCPAddress(parsing: address)
        let name = try checkedName()
        if let out { try Console.checkWritable(out) }
        let shape = try config.map { path in
            HostBench.Shape(try ModelConfiguration(json: TextFile.bytes(path), subject: path))
        }
        var link: LinkRate?
        if let peer { link = try await LinkBench.link(to: TCPAddress(hostAndPort: peer)) }
        // Asked first: what the measurement itself takes is free again later.
        guard let memoryBytes = MachineMemory.now().availableBytes else {
            throw Refusal("memory", "this machine does not say how much is available")
        }
        let threadCount = threads ?? MachineCores.usableCount
        let bench = HostBench(
            shape ?? .deepSeekV3, on: ComputePool(threadCount: threadCount))
        var rates = try bench.run { Console.standardError("measuring: \($0)") }
        Console.standardError("measuring: messages")
        rates.message = try await MessageBench.run()
        let host = PlannedHost(
            name: name, address: address, memoryBytes: memoryBytes, coreCount: threadCount,
            rates: rates, pricePerHour: pricePerHour, watts: watts)
        try show(host, link)
    }

    // MARK: Rooms

    /// Prints the hosts file of this host, or writes it.
    private func show(_ host: PlannedHost, _ link: LinkRate?) throws {
        // A file gives each domain the same number of cores.
        let domains = MachineMemory.domainCount()
        let domainCount = host.coreCount % domains == 0 ? domains : 1
        let text = try HostsFile.text(
            of: host, domainCount: domainCount, link: link, path: out ?? "hosts file")
        if let out { try Console.write(text, to: out) }
        if json { return try Console.json(HostReport(host, domainCount: domainCount, link: link)) }
        if out == nil { try Console.standardOutput(text) }
    }

    /// The given name, or the system's up to its first point, in letters that a file takes.
    private func checkedName() throws(Refusal) -> String {
        let systemName = ProcessInfo.processInfo.hostName.split(separator: ".").first
        let given = name ?? systemName.map { String($0.prefix(Limits.nameCharactersMax)) }
        try ClusterFile.checkName(given ?? "", subject: "--name")
        return given ?? ""
    }
}

/// What `bench host` measured, with the names of the hosts file.
struct HostReport: Encodable {
    /// One format's rates.
    struct Rate: Encodable {
        let weightGbPerSecond: Double
        let gflops: Double
        let tileWeightGbPerSecond: Double?
        let tileGflops: Double?

        init(_ rate: FormatRate) {
            weightGbPerSecond = rate.weightBytesPerSecond / 1e9
            gflops = rate.flopsPerSecond / 1e9
            tileWeightGbPerSecond = rate.tiles.map { $0.weightBytesPerSecond / 1e9 }
            tileGflops = rate.tiles.map { $0.flopsPerSecond / 1e9 }
        }
    }

    let name: String
    /// The kernels that were measured.
    let isa = "\(Kernels.chosen)"
    let address: String
    let memoryGb: Double
    let cores: Int
    let numaDomains: Int
    let readGbPerSecond: Double
    let float8: Rate
    let bfloat16: Rate
    let float32: Rate
    let attentionGflops: Double
    let layerUs: Double
    let messageUs: Double
    let messageGbPerSecond: Double
    let pricePerHour: Double?
    let watts: Double?
    let latencyMs: Double?
    let gbitPerSecond: Double?

    init(_ host: PlannedHost, domainCount: Int, link: LinkRate?) {
        name = host.name
        address = "\(host.address)"
        memoryGb = Double(host.memoryBytes) / 1e9
        cores = host.coreCount
        numaDomains = domainCount
        readGbPerSecond = host.rates.readBytesPerSecond / 1e9
        float8 = Rate(host.rates.float8)
        bfloat16 = Rate(host.rates.bfloat16)
        float32 = Rate(host.rates.float32)
        attentionGflops = host.rates.attentionFlopsPerSecond / 1e9
        layerUs = host.rates.layerSeconds * 1e6
        messageUs = host.rates.message.seconds * 1e6
        messageGbPerSecond = host.rates.message.bytesPerSecond / 1e9
        pricePerHour = host.pricePerHour
        watts = host.watts
        latencyMs = link.map { $0.latencySeconds * 1_000 }
        gbitPerSecond = link.map { $0.bytesPerSecond / 125e6 }
    }
}
