import SkeinCore

/// The rules that hold between the peers of a cluster, in a cluster file and in the hosts file that
/// one is planned from.
struct FilePeers {
    /// One node, and where the file describes it.
    struct Peer {
        let name: String
        let address: TCPAddress
        let publicKey: String?
        var nextPublicKey: String?
        var statusAddress: TCPAddress?
        let fields: ClusterFields
    }

    /// The nodes, in the file's order.
    let nodes: [Peer]

    /// Who owns the requests, and where the file says so; `nil` where it does not.
    let coordinator: (value: Topology.Coordinator, fields: ClusterFields)?

    /// Refuses two peers of one name, address or key, and peers that cannot reach each other.
    func check() throws(Refusal) {
        try checkNames()
        try checkAddresses()
        try checkStatusAddresses()
        try checkKeysDiffer()
    }

    /// Every peer has a key, or, where every address is loopback, none has.
    func checkKeys(hasKeysFolder: Bool) throws(Refusal) {
        guard let (value, fields) = coordinator else { return }
        let isLoopback = value.address.isLoopback
        let keys = [value.publicKey] + nodes.map(\.publicKey)
        guard hasKeysFolder || !isLoopback || keys.contains(where: { $0 != nil }) else { return }
        let reason = isLoopback ? "since others have one" : "since the address is not loopback"
        guard value.publicKey != nil else {
            throw fields.refusal("public_key", "found nothing, expected a key, \(reason)")
        }
        guard hasKeysFolder else {
            throw fields.refusal(
                "public_key",
                "found a key, but the file names no folder of secret keys, expected 'keys: FOLDER'")
        }
        for node in nodes where node.publicKey == nil {
            throw node.fields.refusal("public_key", "found nothing, expected a key, \(reason)")
        }
    }

    // MARK: - Private

    private func checkNames() throws(Refusal) {
        var taken: Set<String> = []
        for node in nodes {
            guard node.name != ClusterKeys.coordinatorName else {
                throw node.fields.refusal("name", "found 'coordinator', expected another name")
            }
            guard taken.insert(node.name).inserted else {
                throw node.fields.refusal(
                    "name", "found '\(node.name)' a second time, expected a name of its own")
            }
        }
    }

    private func checkAddresses() throws(Refusal) {
        var taken: [TCPAddress: String] = [:]
        if let coordinator { taken[coordinator.value.address] = "the coordinator" }
        guard let first = coordinator?.value.address ?? nodes.first?.address else { return }
        let firstName = coordinator == nil ? "node \(nodes[0].name)" : "the coordinator"
        for node in nodes {
            if node.address.port != nil,
                let other = taken.updateValue("node \(node.name)", forKey: node.address)
            {
                throw node.fields.refusal(
                    "address", "found \(node.address), which is \(other)'s, expected one of its own"
                )
            }
            guard node.address.isLoopback == first.isLoopback else {
                let kind = first.isLoopback ? "a loopback address" : "no loopback address"
                throw node.fields.refusal(
                    "address",
                    "found \(node.address), expected \(kind) as for \(firstName), "
                        + "or they cannot reach each other")
            }
        }
        if let (value, fields) = coordinator, let http = value.httpAddress, let other = taken[http]
        {
            throw fields.refusal(
                "http", "found \(http.hostAndPort), which is \(other)'s, expected another port")
        }
    }

    /// Ports of one host differ; each host has its own loopback.
    private func checkStatusAddresses() throws(Refusal) {
        var taken: [String: String] = [:]
        for node in nodes {
            guard let status = node.statusAddress else { continue }
            guard status != node.address else {
                throw node.fields.refusal(
                    "status", "found \(status.hostAndPort), which is its address, expected another")
            }
            let place = "\(node.address.hostName) \(status.hostAndPort)"
            if let other = taken.updateValue(node.name, forKey: place) {
                throw node.fields.refusal(
                    "status",
                    "found \(status.hostAndPort), which is node \(other)'s on the same host, "
                        + "expected one of its own")
            }
        }
    }

    private func checkKeysDiffer() throws(Refusal) {
        var taken: [String: String] = [:]
        if let key = coordinator?.value.publicKey { taken[key] = "the coordinator" }
        for node in nodes {
            for (field, key) in [
                ("public_key", node.publicKey), ("next_public_key", node.nextPublicKey),
            ] {
                guard let key, let other = taken.updateValue("node \(node.name)", forKey: key)
                else { continue }
                throw node.fields.refusal(
                    field, "found the key of \(other), expected one of its own")
            }
            guard node.nextPublicKey == nil || node.publicKey != nil else {
                throw node.fields.refusal(
                    "next_public_key", "found a key, expected none without a public_key")
            }
        }
    }
}
