public import SkeinCore
public import SkeinMembership
public import SkeinPlanning

extension Topology {
    /// The cluster that a plan describes.
    ///
    /// - Parameters:
    ///   - name: what people call it.
    ///   - modelPath: the checkpoint folder of every node.
    /// - Throws: a refusal where a cluster file cannot say it, or would be refused: off loopback
    ///   every peer needs a key.
    public init(
        plan: ClusterPlan, name: String, modelPath: String, file: HostsFile
    ) throws(Refusal) {
        self.init(
            unkeyed: plan, name: name, modelPath: modelPath,
            coordinator: file.coordinator ?? Self.coordinator(for: plan))
        keysPath = file.keysPath
        try file.checkKeys(of: self)
    }

    /// The cluster that a plan describes, be there keys or not.
    init(unkeyed plan: ClusterPlan, name: String, modelPath: String, coordinator: Coordinator) {
        let hosts = plan.hosts.hosts
        self.init(
            name: name, modelPath: modelPath, placement: plan.ring.kind,
            serving: plan.ring.serving, coordinator: coordinator,
            nodes: plan.nodes.filter { !$0.slices.isEmpty }.map { node in
                Node(
                    name: hosts[node.host].name, address: hosts[node.host].address,
                    publicKey: hosts[node.host].publicKey, layerRanges: node.slices.map(\.layers),
                    threadCount: hosts[node.host].coreCount)
            })
        addExperts(of: plan)
    }

    /// The text of the cluster file, once it is found to read back as this topology.
    ///
    /// - Parameter path: where it will be, named in errors.
    /// - Throws: a refusal where a cluster file cannot say it.
    public func checkedYAML(path: String) throws(Refusal) -> String {
        let text = yaml
        guard try ClusterFile.parse(Array(text.utf8), path: path) == self else {
            throw Refusal(path, "would not read back as the plan it was written from")
        }
        return text
    }

    /// The ring that this cluster makes of the hosts that have its nodes' names.
    ///
    /// - Parameter file: the cluster file, named in errors.
    public func plannedRing(
        of model: ModelConfiguration, on hosts: PlannedHosts, file: String
    ) throws(Refusal) -> PlannedRing {
        let placement = try placement(of: model)
        var hostOfNode: [String: Int] = [:]
        for node in placedNodes {
            guard let index = hosts.hosts.firstIndex(where: { $0.name == node.name }) else {
                throw Refusal(
                    "\(file): node \(node.name)", "has no host of that name in the hosts file")
            }
            hostOfNode[node.name] = index
        }
        return PlannedRing(
            kind: self.placement, nodeHosts: ringNodes.compactMap { hostOfNode[$0.name] },
            slices: placement.stages.map(\.slice),
            shards: Self.plannedShards(placement, of: model, hostOfNode: hostOfNode),
            serving: serving)
    }

    /// Who holds what of a model.
    ///
    /// - Throws: a refusal where the file does not fit the model.
    public func placement(of model: ModelConfiguration) throws(Refusal) -> Placement {
        try Placement(
            kind: placement,
            nodes: placedNodes.map {
                NodeShare(name: $0.name, layers: $0.layerRanges, shard: $0.shard)
            },
            layerCount: model.layerCount, expertCounts: model.layerExpertCounts,
            keeping: model.layersWithinStages)
    }

    // MARK: - Private

    /// A coordinator beside the first node, on the first ports there that no node has.
    private static func coordinator(for plan: ClusterPlan) -> Coordinator {
        let addresses = plan.ring.usedHosts.map { plan.hosts.hosts[$0].address }
        func free(_ port: UInt16) -> TCPAddress {
            var address = addresses[0].with(port: port)
            while addresses.contains(address), let taken = address.port {
                address = address.with(port: taken + 1)
            }
            return address
        }
        return Coordinator(address: free(7_100), httpAddress: free(8_080))
    }

    /// Puts experts where the plan has them; what stays with its layer is not written.
    private mutating func addExperts(of plan: ClusterPlan) {
        guard !plan.ring.shards.isEmpty else { return }
        for node in plan.nodes where node.slices.isEmpty {
            let host = plan.hosts.hosts[node.host]
            nodes.append(
                Node(
                    name: host.name, address: host.address, publicKey: host.publicKey,
                    threadCount: host.coreCount))
        }
        for shard in plan.ring.shards {
            let part = ShardPart(layers: shard.layers, experts: shard.experts)
            let own = plan.ring.slices(ofHost: shard.host)
            let isLocal = own.contains { $0.layers.overlaps(shard.layers) }
            let isReplicated = plan.ring.shards.contains {
                $0.host != shard.host && $0.layers.overlaps(shard.layers)
                    && $0.experts.overlaps(shard.experts)
            }
            if isLocal && !isReplicated { continue }
            let name = plan.hosts.hosts[shard.host].name
            guard let index = nodes.firstIndex(where: { $0.name == name }) else { continue }
            nodes[index].shard.append(part)
        }
    }

    /// The planner's form of a placement's shards: of a layer that any shard speaks of, it wants
    /// the experts that stay local named, too.
    private static func plannedShards(
        _ placement: Placement, of model: ModelConfiguration, hostOfNode: [String: Int]
    ) -> [PlannedShard] {
        var shards: [PlannedShard] = []
        for expertHost in placement.expertHosts {
            guard let host = hostOfNode[expertHost.node] else { continue }
            shards += expertHost.shard.map {
                PlannedShard(host: host, layers: $0.layers, experts: $0.experts)
            }
        }
        let spoken = Set(shards.flatMap(\.layers))
        let distribution = placement.distribution
        let counts = model.layerExpertCounts
        for stage in placement.stages {
            guard let host = hostOfNode[stage.node] else { continue }
            for layer in stage.slice.layers where spoken.contains(layer) {
                shards += distribution.localRanges(
                    of: layer, expertCount: counts[layer], host: nil
                ).map { PlannedShard(host: host, layers: layer..<layer + 1, experts: $0) }
            }
        }
        return shards
    }
}
