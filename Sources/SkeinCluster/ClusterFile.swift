import Foundation
public import SkeinCore
import Yams

/// A cluster's shape as a YAML file; `cluster/topology.md` describes every field.
///
/// What is wrong with a file is said in one line: `FILE:LINE: field: what was found, what was
/// expected`. A file is trusted with nothing: its size, its nesting and every number are checked,
/// and YAML's anchors and aliases, by which a small file can grow without end, are not accepted.
public enum ClusterFile {
    /// What the coordinator is called where nodes are named; no node has this name.
    public static let coordinatorName = ClusterKeys.coordinatorName

    /// Reads a cluster file; relative folders in it become absolute.
    public static func read(path: String) throws(Refusal) -> Topology {
        try parse(try bytes(of: path, kind: "cluster file"), path: path)
    }

    /// Reads a cluster file's bytes; `path` is named in errors, and folders are relative to it.
    public static func parse(_ bytes: [UInt8], path: String) throws(Refusal) -> Topology {
        let (topology, peers) = try fields(of: bytes, path: path)
        try peers.checkKeys(hasKeysFolder: topology.keysPath != nil)
        return topology
    }

    /// Reads a cluster file whose keys are still to be made.
    public static func parseWithoutKeys(
        _ bytes: [UInt8], path: String
    ) throws(Refusal) -> Topology {
        try fields(of: bytes, path: path).topology
    }

    /// All of a cluster file that does not ask whether each peer has a key.
    private static func fields(
        of bytes: [UInt8], path: String
    ) throws(Refusal) -> (topology: Topology, peers: FilePeers) {
        let fields = try ClusterFields(
            try compose(bytes, path: path), file: path, name: "file",
            allowed: Topology.table.map(\.name))
        var topology = Topology.blank
        try Topology.table.read(fields, into: &topology)
        let nodes = try fields.list(
            "nodes", countMax: Limits.nodesMax, fields: Topology.Node.table)
        let peers = FilePeers(
            nodes: zip(topology.nodes, nodes).map {
                .init(
                    name: $0.name, address: $0.address, publicKey: $0.publicKey,
                    nextPublicKey: $0.nextPublicKey, statusAddress: $0.statusAddress, fields: $1)
            },
            coordinator: (
                topology.coordinator,
                try fields.mapping(
                    "coordinator", allowed: Topology.Coordinator.table.map(\.name))
            ))
        try peers.check()
        try ClusterNodes(topology, nodes).check()
        try checkPages(topology.serving, fields)
        return (topology, peers)
    }

    /// Refuses what no cluster, node or host may be called.
    ///
    /// - Parameter subject: what is named in the error.
    public static func checkName(_ name: String, subject: String) throws(Refusal) {
        guard ClusterFields.isName(name) else {
            throw Refusal(subject, "found '\(name)', expected \(ClusterFields.nameExpected)")
        }
    }

    // MARK: - Private

    /// The bytes of a file of some kind, unless they are more than any such file needs.
    static func bytes(of path: String, kind: String) throws(Refusal) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Refusal(path, "cannot be opened, expected a \(kind)")
        }
        let most = Limits.clusterFileBytesMax
        let bytes: [UInt8]
        do {
            bytes = Array(try file.read(upToCount: most + 1) ?? Data())
        } catch {
            throw Refusal(path, "cannot be read, expected a \(kind)")
        }
        guard bytes.count <= most else {
            throw Refusal("\(path):1: file", "found more than \(most) bytes, expected at most that")
        }
        return bytes
    }

    static func folder(of path: String) -> URL {
        URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
    }

    /// The one YAML document of some bytes.
    static func compose(_ bytes: [UInt8], path: String) throws(Refusal) -> Node {
        let text = try ClusterText.checked(bytes, path: path)
        do {
            guard let root = try Parser(yaml: text).singleRoot() else {
                throw Refusal("\(path):1: file", "found nothing, expected a cluster's fields")
            }
            return root
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as YamlError {
            throw ClusterText.refusal(error, path: path)
        } catch {
            throw Refusal("\(path):1: file", "found no YAML, expected a cluster's fields")
        }
    }

    static func absolute(_ path: String, in folder: URL) -> String {
        if path.hasPrefix("/") { return path }
        return folder.appendingPathComponent(path).standardizedFileURL.path
    }

    private static func checkPages(
        _ serving: ServingSettings, _ fields: ClusterFields
    ) throws(Refusal) {
        guard serving.positionCount <= serving.heldPositionCount else {
            throw fields.refusal(
                "context",
                "found \(serving.positionCount), expected at most \(serving.heldPositionCount), "
                    + "since \(serving.pageCount) pages hold no more")
        }
    }
}
