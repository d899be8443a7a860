internal import SkeinCore
internal import SkeinMembership

// Which CURVE keys nodes may prove, and which one each has.
extension Head {
    /// Takes up other keys; connections that stand are not cut.
    mutating func allow(_ publicKeys: [String: [String]]) { settings.publicKeys = publicKeys }

    /// Whether a key is one of a node's; where the cluster has no keys, everybody is believed.
    func mayProve(_ key: String?, as name: String) -> Bool {
        guard let keys = settings.publicKeys[name], !keys.isEmpty else { return true }
        return key.map(keys.contains) ?? false
    }

    /// Remembers by which of its keys a node is to be called.
    mutating func note(_ key: String?, of name: String) {
        guard key != nil, nodes[name] != nil || membership.nodes[name] != nil else { return }
        nodes[name, default: NodeRecord()].provenKey = key
    }

    /// The key of a node: the one that it has proven, or else the first that it may prove.
    func publicKey(of name: String) -> String? {
        guard let keys = settings.publicKeys[name] else { return nil }
        return keys.first { $0 == nodes[name]?.provenKey } ?? keys.first
    }
}
