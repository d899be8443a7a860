import Foundation
public import SkeinPlanning

extension HostsFile {
    /// A hosts file of one measured host, to which others' entries can be added.
    ///
    /// - Parameters:
    ///   - domainCount: NUMA domains; each is a node then, with its part of cores and memory.
    ///   - link: the road to other hosts, where it is known; a file of several hosts needs one.
    public static func text(
        of host: PlannedHost, domainCount: Int = 1, link: LinkRate? = nil
    ) -> String {
        var lines = ["hosts:"]
        lines += entry(host, domainCount: domainCount)
        if let link {
            lines += [
                "link:", "  latency_ms: \(number(link.latencySeconds * 1_000))",
                "  gbit_per_second: \(number(link.bytesPerSecond / 125e6))",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Rooms

    private static func entry(_ host: PlannedHost, domainCount: Int) -> [String] {
        let rates = host.rates
        var lines = [
            "  - name: \"\(host.name)\"",
            "    address: \"\(host.address)\"",
        ]
        lines += host.publicKey.map { ["    public_key: \"\($0)\""] } ?? []
        lines += [
            "    memory_gb: \(number(Double(host.memoryBytes) / 1e9, roundedDown: true))",
            "    cores: \(host.coreCount)",
        ]
        if domainCount > 1 { lines.append("    numa_domains: \(domainCount)") }
        lines.append("    read_gb_per_second: \(number(rates.readBytesPerSecond / 1e9))")
        for (name, rate) in [
            ("float8", rates.float8), ("bfloat16", rates.bfloat16), ("float32", rates.float32),
        ] {
            var fields = [
                ("weight_gb_per_second", rate.weightBytesPerSecond),
                ("gflops", rate.flopsPerSecond),
            ]
            if let tiles = rate.tiles {
                fields += [
                    ("tile_weight_gb_per_second", tiles.weightBytesPerSecond),
                    ("tile_gflops", tiles.flopsPerSecond),
                ]
            }
            let text = fields.map { "\($0): \(number($1 / 1e9))" }.joined(separator: ", ")
            lines.append("    \(name): {\(text)}")
        }
        lines += [
            "    attention_gflops: \(number(rates.attentionFlopsPerSecond / 1e9))",
            "    layer_us: \(number(rates.layerSeconds * 1e6))",
            "    message_us: \(number(rates.message.seconds * 1e6))",
            "    message_gb_per_second: \(number(rates.message.bytesPerSecond / 1e9))",
        ]
        if host.role != .any { lines.append("    role: \(host.role.rawValue)") }
        lines += host.pricePerHour.map { ["    price_per_hour: \(number($0))"] } ?? []
        lines += host.watts.map { ["    watts: \(number($0))"] } ?? []
        return lines
    }

    /// A number as the file takes it: decimal digits, three behind the point, never none at all.
    private static func number(_ value: Double, roundedDown: Bool = false) -> String {
        let thousandths = (value * 1_000).rounded(roundedDown ? .down : .toNearestOrAwayFromZero)
        var text = String(format: "%.3f", max(1, thousandths) / 1_000)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
