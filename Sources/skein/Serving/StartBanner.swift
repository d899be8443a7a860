import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore

/// What `serve` and `up` tell people once everything is loaded: what lies where, and where to go
/// next.
struct StartBanner {
    /// The name by which clients ask; `nil` where nothing is served over HTTP.
    var modelName: String?
    /// The cluster as it stands.
    var status: ClusterStatus
    /// Where clients speak HTTP, for example `http://127.0.0.1:8080`.
    var address: String?
    /// Whether clients need a key.
    var hasKeys = false

    /// Says all of it, and last that it serves: for programs one object each.
    func show() {
        let ready = "ready\(address.map { " \($0)" } ?? "")"
        guard Console.format == .json else {
            Console.standardError(text + "\n" + ready)
            return
        }
        var fields: Logger.Metadata = [
            "cluster": "\(status.name)", "version": "\(status.softwareVersion)",
            "fingerprint": "\(status.fingerprint)",
            "nodes": .array(status.nodes.map { .string($0.name) }),
            "pages": .stringConvertible(status.counts.pageCount),
            "positions_max": .stringConvertible(status.positionCountMax),
            "api_keys": .stringConvertible(hasKeys),
        ]
        if let modelName { fields["model"] = "\(modelName)" }
        if let address { fields["http"] = "\(address)" }
        Console.say(text.split(separator: "\n").first.map(String.init) ?? "", fields)
        Console.say(ready, address.map { ["http": "\($0)"] } ?? [:])
    }

    /// All of it, in lines.
    var text: String {
        var lines = [
            "\(modelName.map { "serving \($0)" } ?? "cluster \(status.name)"): "
                + "\(status.nodes.count) node(s), \(status.kind.rawValue), "
                + "version \(status.softwareVersion), "
                + "fingerprint \(status.fingerprint.prefix(12))"
        ]
        for node in status.nodes { lines += Self.lines(of: node) }
        lines.append(
            "  latent cache: \(status.counts.pageCount) pages of "
                + "\(Limits.pageRowCount) positions on "
                + "every node, rows in \(status.latentForm.rawValue), "
                + "\(status.positionCountMax) positions a sequence, prefix reuse "
                + (status.reusesPrefixes ? "on" : "off"))
        if let address {
            lines.append("  HTTP: \(address), API keys \(hasKeys ? "on" : "off")")
            lines.append("  next: skein health --url \(address)")
        } else {
            lines.append("  HTTP: none, since the cluster file names no http address")
        }
        return lines.joined(separator: "\n")
    }

    private static func lines(of node: ClusterStatus.Node) -> [String] {
        let facts = [
            "weights \(ByteText(Int(clamping: node.weightBytes)))",
            "\(node.threadCount) thread(s)", node.instructionSet, node.address,
        ]
        guard !node.isStandby else {
            let state = node.state == "placed" ? "" : ", \(node.state)"
            return ["  node \(node.name): standby\(state)"]
        }
        let stages = node.stages.map { "stage \($0.index.rawValue)  \($0.slice.text)" }
        return [
            "  node \(node.name): " + stages.joined(separator: ", ") + "; "
                + facts.compactMap(\.self).joined(separator: ", ")
        ]
    }
}
