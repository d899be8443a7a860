internal import SkeinCoordinator
public import SkeinCore

// Keys that change while a cluster runs.
extension ClusterHost {
    /// Reads the nodes' keys of the cluster file again, and has the nodes that were started here do
    /// so; connections that stand are not cut.
    ///
    /// - Returns: what was read, in a few words; `nil` where the cluster has no keys.
    /// - Throws: a `Refusal` where the file cannot be used; the keys are then as before.
    public func renewKeys() async throws(Refusal) -> String? {
        guard topology.keysPath != nil else { return nil }
        let renewed = try ClusterFile.read(path: clusterFile)
        let keys = renewed.nodeKeys
        for node in topology.nodes where keys[node.name, default: []].isEmpty {
            throw Refusal(clusterFile, "names no key of node \(node.name) any more")
        }
        try links?.allow(renewed)
        await coordinator?.allow(keys)
        for process in processes { process.hangUp() }
        return "the keys of \(topology.nodes.count) nodes in \(clusterFile)"
    }
}

extension Topology {
    /// The keys that each node may prove, by its name.
    var nodeKeys: [String: [String]] {
        var keys: [String: [String]] = [:]
        for node in nodes where !node.publicKeys.isEmpty { keys[node.name] = node.publicKeys }
        return keys
    }
}
