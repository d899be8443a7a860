internal import Foundation
internal import SkeinCore
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
                    + "'skein keys new'")
        }
        let file = folder + "/" + name + ".secret"
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
        return ZeroMQLinks(hub: try ZeroMQHub(keys: keys, allowing: allowed(in: topology)))
    }

    /// The keys of all peers.
    static func allowed(in topology: Topology) -> Set<String> {
        Set(
            [topology.coordinator.publicKey].compactMap(\.self)
                + topology.nodes.flatMap(\.publicKeys))
    }
}
