import Foundation
public import SkeinCore
public import SkeinPlanning
import Yams

/// What a planner may use as a YAML file; `cluster/hosts.md` describes every field.
///
/// It is read as strictly as a cluster file and answers mistakes in the same way, in one line:
/// `FILE:LINE: field: what was found, what was expected`. What a cluster file planned from it would
/// be refused for is refused here.
public struct HostsFile: Sendable {
    /// The hosts and the links between them.
    public let hosts: PlannedHosts

    /// Who owns the requests, where the file says so.
    public let coordinator: Topology.Coordinator?

    /// The folder of `NAME.secret` files, where there is one.
    public let keysPath: String?

    /// Where the file has, or should have, each node's key; by the node's name.
    private let keyPlaces: [String: String]

    /// The same of the folder of keys.
    private let keysPlace: String

    /// Reads a hosts file.
    public static func read(path: String) throws(Refusal) -> HostsFile {
        try HostsFile(parsing: try ClusterFile.bytes(of: path, kind: "hosts file"), path: path)
    }

    /// Reads a hosts file's bytes; `path` is named in errors, and folders are relative to it.
    public init(parsing bytes: [UInt8], path: String) throws(Refusal) {
        let file = try ClusterFields(
            try ClusterFile.compose(bytes, path: path), file: path, name: "file",
            allowed: Self.table.map(\.name))
        var head = Head()
        try Self.table.read(file, into: &head)
        let machines = try Self.machines(file)
        let nodes = try Self.hosts(file, machines: machines)
        let hosts = nodes.map(\.host)
        let owner = try head.coordinator.map { value throws(Refusal) in
            let names = Topology.Coordinator.table.map(\.name)
            return (value: value, fields: try file.mapping("coordinator", allowed: names))
        }
        try FilePeers(
            nodes: nodes.map {
                .init(
                    name: $0.host.name, address: $0.host.address, publicKey: $0.host.publicKey,
                    fields: $0.fields)
            }, coordinator: owner
        ).check()
        guard hosts.count == 1 || head.link != nil else {
            throw file.refusal(
                "link",
                "found nothing, expected the fields "
                    + LinkRate.table.map(\.name).joined(separator: ", "))
        }
        self.hosts = PlannedHosts(
            hosts: hosts, link: head.link ?? .none,
            pairLinks: try Self.pairLinks(file, hosts.map(\.name)), machineCoreCounts: machines,
            currency: head.currency)
        coordinator = head.coordinator
        keysPath = head.keysPath
        keyPlaces = Dictionary(
            nodes.map { ($0.host.name, $0.fields.refusal("public_key", "").subject) }
                + [
                    (
                        ClusterKeys.coordinatorName,
                        (owner?.fields ?? file).refusal(
                            owner == nil ? "coordinator" : "public_key", ""
                        ).subject
                    )
                ], uniquingKeysWith: { first, _ in first })
        keysPlace = file.refusal("keys", "").subject
    }

    /// The text of a hosts file of one measured host, to which others' entries can be added, once
    /// it is found to read back.
    ///
    /// - Parameters:
    ///   - domainCount: NUMA domains; each is a node then, with its part of cores and memory.
    ///   - link: the link to other hosts, where it is known; a file of several hosts needs one.
    ///   - path: where it will be, named in errors.
    /// - Throws: a refusal where a hosts file cannot say it.
    public static func text(
        of host: PlannedHost, domainCount: Int = 1, link: LinkRate? = nil,
        path: String = "hosts file"
    ) throws(Refusal) -> String {
        let entry = HostEntry(host, domainCount: domainCount)
        let list = FileForm.list(HostEntry.table, countMax: 1, start: HostEntry())
        let head = table.lines(of: Head(link: link), indent: "")
        let text = (["hosts:" + list.write([entry])] + head).joined(separator: "\n") + "\n"
        _ = try HostsFile(parsing: Array(text.utf8), path: path)
        return text
    }

    /// Refuses a planned cluster whose peers lack keys that they need.
    func checkKeys(of topology: Topology) throws(Refusal) {
        let keys =
            [(ClusterKeys.coordinatorName, topology.coordinator.publicKey)]
            + topology.nodes.map { ($0.name, $0.publicKey) }
        let reason =
            topology.isLoopback ? "since others have one" : "since addresses leave loopback"
        guard !topology.isLoopback || keysPath != nil || keys.contains(where: { $0.1 != nil })
        else { return }
        for (name, key) in keys where key == nil {
            throw Refusal(
                keyPlaces[name] ?? name,
                "found nothing, expected the key of \(name), \(reason); 'skein keys new' makes one")
        }
        guard keysPath != nil else {
            throw Refusal(
                keysPlace, "found nothing, expected the folder of secret keys, \(reason)")
        }
    }

    // MARK: - Private

    private static func hosts(
        _ file: ClusterFields, machines: [String: Int]
    ) throws(Refusal) -> [(host: PlannedHost, fields: ClusterFields)] {
        let defaults =
            file.has("defaults")
            ? try file.mapping("defaults", allowed: HostEntry.sharedTable.map(\.name)) : nil
        var hosts: [(host: PlannedHost, fields: ClusterFields)] = []
        for own in try file.list(
            "hosts", countMax: Limits.plannedHostsMax, fields: HostEntry.table)
        {
            let fields = defaults.map { own.completed(by: $0) } ?? own
            var entry = HostEntry()
            try HostEntry.table.read(fields, into: &entry)
            hosts += try entry.hosts(machines: machines, fields).map { ($0, fields) }
        }
        return hosts
    }

    private static func pairLinks(
        _ file: ClusterFields, _ names: [String]
    ) throws(Refusal) -> [HostPair: LinkRate] {
        guard file.has("links") else { return [:] }
        let between = FileField<LinkRate>(
            section: "between", "two hosts' names", absent: "required", "the pair")
        let fields = try file.list(
            "links", countMax: Limits.plannedHostsMax * 16, fields: LinkRate.table + [between])
        var links: [HostPair: LinkRate] = [:]
        for field in fields {
            let pair = try field.texts("between", countMax: 2)
            guard pair.count == 2, pair[0] != pair[1] else {
                throw field.refusal(
                    "between", "found \(pair.count) names, expected a list of two hosts' names")
            }
            var indices: [Int] = []
            for name in pair {
                guard let index = names.firstIndex(of: name) else {
                    throw field.refusal("between", "found '\(name)', expected a host's name")
                }
                indices.append(index)
            }
            var link = LinkRate.none
            try LinkRate.table.read(field, into: &link)
            guard links.updateValue(link, forKey: HostPair(indices[0], indices[1])) == nil else {
                throw field.refusal(
                    "between", "found \(pair[0]) and \(pair[1]) a second time, expected each once")
            }
        }
        return links
    }

    private static func machines(_ file: ClusterFields) throws(Refusal) -> [String: Int] {
        guard file.has("machines") else { return [:] }
        var machines: [String: Int] = [:]
        for field in try file.list(
            "machines", countMax: Limits.plannedHostsMax, fields: MachineEntry.table)
        {
            var machine = MachineEntry()
            try MachineEntry.table.read(field, into: &machine)
            guard machines.updateValue(machine.coreCount, forKey: machine.name) == nil else {
                throw field.refusal(
                    "name", "found '\(machine.name)' a second time, expected each once")
            }
        }
        return machines
    }
}
