internal import Foundation
public import SkeinCore
internal import SkeinTransport

/// The keys of one process of a cluster, read from the folder that the cluster file names.
struct ClusterKeys: Sendable {
    /// The name of the coordinator's secret file, without its ending.
    static let coordinatorName = "coordinator"

    /// Opens the links of one process: with its own keys and the allow-list of all peers where
    /// the file names a keys folder; without keys only where the cluster never leaves loopback.
    ///
    /// - Throws: a `Refusal` that names the key file, or the public key that does not belong to it.
    static func links(of name: String, in topology: Topology) throws(Refusal) -> ZeroMQLinks {
        guard let folder = topology.keysPath else {
            if topology.isLoopback { return ZeroMQLinks(hub: try ZeroMQHub()) }
            throw Refusal(
                "cluster '\(topology.name)'",
                "names addresses that are not loopback but no keys folder; make keys with "
                    + "'skein keys init'")
        }
        let keys = try checkedKeys(of: name, in: topology, folder: folder).keys
        return ZeroMQLinks(hub: try ZeroMQHub(keys: keys, allowing: allowed(in: topology)))
    }

    /// The pair of a name, which must be one that the cluster file publishes, and its file.
    static func checkedKeys(
        of name: String, in topology: Topology, folder: String
    ) throws(Refusal) -> (keys: CurveKeyPair, file: String) {
        let file = secretFile(of: name, in: topology, folder: folder)
        let keys = try CurveKeyPair(readingSecretFrom: file)
        let published =
            name == coordinatorName
            ? [topology.coordinator.publicKey].compactMap(\.self)
            : topology.nodes.first { $0.name == name }?.publicKeys ?? []
        guard published.contains(keys.publicKey) else {
            throw Refusal(
                file,
                "belongs to the public key \(keys.publicKey), the cluster file gives \(name) "
                    + (published.isEmpty ? "none" : published.joined(separator: " or ")))
        }
        return (keys, file)
    }

    /// Where the secret of a name lies: in the folder itself, or in its host's part of a folder
    /// that `skein keys init` has filled.
    static func secretFile(of name: String, in topology: Topology, folder: String) -> String {
        let plain = "\(folder)/\(name).secret"
        guard !FileManager.default.fileExists(atPath: plain) else { return plain }
        let address =
            name == coordinatorName
            ? topology.coordinator.address : topology.nodes.first { $0.name == name }?.address
        guard let address else { return plain }
        let parted = "\(folder)/\(address.hostName)/\(name).secret"
        return FileManager.default.fileExists(atPath: parted) ? parted : plain
    }

    /// The keys of all peers.
    static func allowed(in topology: Topology) -> Set<String> {
        Set(
            [topology.coordinator.publicKey].compactMap(\.self)
                + topology.nodes.flatMap(\.publicKeys))
    }
}

extension Topology {
    /// Checks the secret of a node, or of the coordinator, as its process will.
    ///
    /// - Returns: its file; `nil` where the cluster has no keys.
    /// - Throws: a `Refusal` where it cannot be read, others may read it, or it belongs to none of
    ///   the public keys that the file gives the name.
    public func checkedSecretFile(of name: String) throws(Refusal) -> String? {
        guard let keysPath else { return nil }
        return try ClusterKeys.checkedKeys(of: name, in: self, folder: keysPath).file
    }
}
