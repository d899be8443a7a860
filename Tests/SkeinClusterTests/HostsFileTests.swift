import SkeinCore
import SkeinPlanning
import Testing

@testable import SkeinCluster

/// A sound hosts file; the lines are numbered by the broken files below.
private let sound = """
    currency: EUR
    link: {latency_ms: 0.2, gbit_per_second: 10}
    machines:
      - {name: box, cores: 4}
    defaults:
      memory_gb: 64
      cores: 4
      read_gb_per_second: 100
      bfloat16: {weight_gb_per_second: 80, gflops: 900, tile_gflops: 3000}
      float32: {gflops: 500}
    hosts:
      - name: a
        address: tcp://127.0.0.1:7101
        price_per_hour: 1.25
        watts: 300
      - name: b
        address: tcp://127.0.0.1:7201
        memory_gb: 32.5
        float8: {weight_gb_per_second: 70, gflops: 800}
        attention_gflops: 200
        layer_us: 75
        role: experts
        machine: box
      - name: c
        address: tcp://127.0.0.1:7301
        numa_domains: 2
    links:
      - {between: [a, b], latency_ms: 5, gbit_per_second: 1}
    """

private let brokenHostsFiles: [BrokenFile] = [
    BrokenFile(
        "an unknown field", of: sound, "watts: 300", "watt: 300", line: 15,
        field: "hosts[0].watt", reason: "did you mean 'watts'?"),
    BrokenFile(
        "no memory", of: sound, "memory_gb: 64\n", "watts: 1\n", line: 12,
        field: "hosts[0].memory_gb", reason: "found nothing, expected a number from 0.001"),
    BrokenFile(
        "a shared value out of range", of: sound, "cores: 4\n  read", "cores: 0\n  read",
        line: 7, field: "hosts[0].cores", reason: "found '0'"),
    BrokenFile(
        "a shared name", of: sound, "  memory_gb: 64", "  name: x", line: 6,
        field: "defaults.name", reason: "no such field"),
    BrokenFile(
        "no rate", of: sound, "{gflops: 500}", "{}", line: 10,
        field: "hosts[0].float32.gflops", reason: "found nothing"),
    BrokenFile(
        "a negative number", of: sound, "latency_ms: 0.2", "latency_ms: -1", line: 2,
        field: "link.latency_ms", reason: "found '-1'"),
    BrokenFile(
        "an exponent", of: sound, "latency_ms: 0.2", "latency_ms: 1e3", line: 2,
        field: "link.latency_ms", reason: "found '1e3'"),
    BrokenFile(
        "a name twice", of: sound, "name: b\n", "name: a\n", line: 16,
        field: "hosts[1].name", reason: "found 'a'"),
    BrokenFile(
        "an unknown machine", of: sound, "machine: box", "machine: bag", line: 23,
        field: "hosts[1].machine", reason: "expected one of 'machines'"),
    BrokenFile(
        "an unknown role", of: sound, "role: experts", "role: expert", line: 22,
        field: "hosts[1].role", reason: "found 'expert'"),
    BrokenFile(
        "domains that do not divide the cores", of: sound, "numa_domains: 2",
        "numa_domains: 3", line: 26, field: "hosts[2].numa_domains", reason: "divides the cores"),
    BrokenFile(
        "a link to nowhere", of: sound, "[a, b]", "[a, d]", line: 28,
        field: "links[0].between", reason: "found 'd'"),
    BrokenFile(
        "a link from a host to itself", of: sound, "[a, b]", "[a, a]", line: 28,
        field: "links[0].between", reason: "two hosts' names"),
    BrokenFile(
        "an address that nobody can call", of: sound, "tcp://127.0.0.1:7101",
        "tcp://0.0.0.0:7101", line: 13, field: "hosts[0].address", reason: "0.0.0.0"),
    // What a cluster file that is planned from it would be refused for.
    BrokenFile(
        "an address twice", of: sound, "127.0.0.1:7201", "127.0.0.1:7101", line: 17,
        field: "hosts[1].address", reason: "which is node a's"),
    BrokenFile(
        "a domain on another host's port", of: sound, "127.0.0.1:7201", "127.0.0.1:7302",
        line: 25, field: "hosts[2].address", reason: "which is node b's"),
    BrokenFile(
        "a domain with another host's name", of: sound, "name: b\n", "name: c.1\n", line: 24,
        field: "hosts[2].name", reason: "found 'c.1' a second time"),
    BrokenFile(
        "a name that leaves no room for its domain", of: sound, "name: c\n",
        "name: \(String(repeating: "c", count: 63))\n", line: 24, field: "hosts[2].name",
        reason: "leaves room for '.1'"),
    BrokenFile(
        "the coordinator's name", of: sound, "name: b\n", "name: coordinator\n", line: 16,
        field: "hosts[1].name", reason: "another name"),
    BrokenFile(
        "the coordinator's address", of: sound, "currency: EUR",
        "coordinator: {address: tcp://127.0.0.1:7201}", line: 17, field: "hosts[1].address",
        reason: "the coordinator's"),
    BrokenFile(
        "HTTP on a host's port", of: sound, "currency: EUR",
        "coordinator: {address: tcp://127.0.0.1:7100, http: 127.0.0.1:7101}", line: 1,
        field: "coordinator.http", reason: "node a's"),
    BrokenFile(
        "loopback beside other addresses", of: sound, "127.0.0.1:7201", "192.0.2.1:7201",
        line: 17, field: "hosts[1].address", reason: "cannot reach each other"),
    BrokenFile(
        "tiles without their rate", of: sound, "tile_gflops: 3000", "tile_weight_gb_per_second: 9",
        line: 9, field: "hosts[0].bfloat16", reason: "expected tile_gflops"),
    BrokenFile(
        "a machine twice", of: sound, "  - {name: box, cores: 4}",
        "  - {name: box, cores: 4}\n  - {name: box, cores: 8}", line: 5,
        field: "machines[1].name", reason: "found 'box' a second time"),
    BrokenFile(
        "a pair twice", of: sound, "  - {between: [a, b], latency_ms: 5, gbit_per_second: 1}",
        "  - {between: [a, b], latency_ms: 5, gbit_per_second: 1}\n"
            + "  - {between: [b, a], latency_ms: 6, gbit_per_second: 1}", line: 29,
        field: "links[1].between", reason: "a second time"),
]

@Suite struct HostsFileTests {
    private func read(_ text: String) throws -> HostsFile {
        try HostsFile(parsing: Array(text.utf8), path: "hosts.yaml")
    }

    @Test(arguments: brokenHostsFiles)
    func aBrokenFileIsRefusedInOneLineThatNamesLineAndField(_ broken: BrokenFile) {
        let refusal = #expect(throws: Refusal.self) { try read(broken.text) }
        let line = refusal?.description ?? ""
        #expect(line.hasPrefix("hosts.yaml:\(broken.line): \(broken.field): "), "\(line)")
        #expect(line.contains(broken.reason), "\(line)")
        #expect(!line.contains { $0.isNewline })
    }

    @Test func aFileIsReadAsWritten() throws {
        let file = try read(sound)
        let hosts = file.hosts.hosts
        #expect(hosts.map(\.name) == ["a", "b", "c.0", "c.1"])
        #expect(file.hosts.currency == "EUR")
        #expect(file.hosts.link == LinkRate(latencySeconds: 0.000_2, bytesPerSecond: 1.25e9))
        #expect(
            file.hosts.link(from: 1, to: 0)
                == LinkRate(latencySeconds: 0.005, bytesPerSecond: 125e6))
        #expect(file.hosts.machineCoreCounts == ["box": 4])
        #expect(hosts[0].memoryBytes == 64_000_000_000 && hosts[0].coreCount == 4)
        #expect(hosts[0].pricePerHour == 1.25 && hosts[0].watts == 300 && hosts[0].role == .any)
        #expect(hosts[1].memoryBytes == 32_500_000_000 && hosts[1].machine == "box")
        #expect(hosts[1].role == .experts && hosts[1].pricePerHour == nil)
        #expect(
            hosts[1].rates
                == HostRates(
                    readBytesPerSecond: 100e9,
                    float8: FormatRate(weightBytesPerSecond: 70e9, flopsPerSecond: 800e9),
                    bfloat16: FormatRate(
                        weightBytesPerSecond: 80e9, flopsPerSecond: 900e9,
                        tiles: .init(weightBytesPerSecond: 100e9, flopsPerSecond: 3_000e9)),
                    float32: FormatRate(weightBytesPerSecond: 100e9, flopsPerSecond: 500e9),
                    attentionFlopsPerSecond: 200e9, layerSeconds: 75e-6))
    }

    @Test func whatMessagesCostIsReadOrTheUsual() throws {
        let text = sound.replacing("cores: 4\n  read", with: "cores: 4\n  message_us: 80\n  read")
        let hosts = try read(text).hosts.hosts
        #expect(hosts[0].rates.message.seconds == 80e-6)
        #expect(hosts[0].rates.message.bytesPerSecond == MessageRate.usual.bytesPerSecond)
        #expect(try read(sound).hosts.hosts[0].rates.message == .usual)
    }

    @Test func aHostWithDomainsIsOneHostForEach() throws {
        let hosts = try read(sound).hosts.hosts
        #expect(hosts[2].memoryBytes == 32_000_000_000 && hosts[2].coreCount == 2)
        #expect(hosts[2].rates == hosts[0].rates.divided(by: 2))
        #expect(hosts[3].address.port == 7_302)
    }

    @Test func oneHostAloneNeedsNoLink() throws {
        let alone = """
            hosts:
              - name: a
                address: tcp://127.0.0.1:7101
                memory_gb: 1
                cores: 1
                read_gb_per_second: 1
                bfloat16: {gflops: 1}
                float32: {gflops: 1}
            """
        #expect(try read(alone).hosts.hosts.count == 1)
        let more =
            alone
            + alone.dropFirst("hosts:".count).replacing("7101", with: "7102")
            .replacing("name: a", with: "name: b")
        let refusal = #expect(throws: Refusal.self) { try read(more) }
        #expect(refusal?.subject == "hosts.yaml:1: link")
    }

    @Test func aMeasuredHostIsReadBackAsItWas() throws {
        var host = try read(sound).hosts.hosts[1]
        host.machine = nil
        host.watts = 12.5
        host.pricePerHour = 0.125
        let link = LinkRate(latencySeconds: 0.000_25, bytesPerSecond: 117e6)
        let file = try read(HostsFile.text(of: host, link: link))
        #expect(file.hosts.hosts == [host])
        #expect(abs(file.hosts.link.bytesPerSecond / 117e6 - 1) < 1e-3)
        let halves = try read(HostsFile.text(of: host, domainCount: 2, link: link))
        #expect(halves.hosts.hosts.map(\.name) == ["b.0", "b.1"])
    }

    /// `skein bench host` says so before it writes.
    @Test func aMeasuredHostThatWouldNotBeReadBackIsNotWritten() throws {
        let host = try read(sound).hosts.hosts[0]
        func refusal(_ change: (inout PlannedHost) -> Void, domainCount: Int = 1) -> Refusal? {
            var changed = host
            change(&changed)
            return #expect(throws: Refusal.self) {
                try HostsFile.text(of: changed, domainCount: domainCount, path: "h.yaml")
            }
        }
        #expect(refusal { $0.name = "two words" }?.subject == "h.yaml:2: hosts[0].name")
        #expect(refusal { $0.name = "coordinator" }?.subject == "h.yaml:2: hosts[0].name")
        let everywhere = try TCPAddress(parsing: "tcp://0.0.0.0:7101")
        #expect(refusal { $0.address = everywhere }?.subject == "h.yaml:3: hosts[0].address")
        #expect(refusal({ _ in }, domainCount: 3)?.subject.hasSuffix("numa_domains") == true)
    }

    @Test(arguments: [0, 1, 999, 5_000_000_000_000_000])
    func whateverWasMeasuredIsReadBack(bytes: Int) throws {
        var host = try read(sound).hosts.hosts[0]
        host.memoryBytes = bytes
        host.rates.readBytesPerSecond = Double(bytes)
        host.rates.layerSeconds = 0
        host.pricePerHour = 0
        let text = try HostsFile.text(of: host, path: "h.yaml")
        let again = try read(text).hosts.hosts[0]
        #expect(again.rates.layerSeconds == 0 && again.pricePerHour == 0)
        #expect(try read(HostsFile.text(of: again)).hosts.hosts == [again])
    }

    @Test func aFileThatIsNotThereIsNamed() {
        let refusal = #expect(throws: Refusal.self) { try HostsFile.read(path: "/nowhere/h.yaml") }
        #expect(refusal?.subject == "/nowhere/h.yaml")
        #expect(refusal?.reason.contains("hosts file") == true)
    }
}
