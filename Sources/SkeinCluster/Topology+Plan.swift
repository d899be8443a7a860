public import SkeinCore
import SkeinMembership
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
        let hosts = plan.hosts.hosts
        let first = hosts[plan.ring.nodeHosts[0]].address
        let coordinator =
            file.coordinator
            ?? Coordinator(
                address: first.with(port: Self.coordinatorPort),
                httpAddress: first.with(port: Self.httpPort))
        try Self.checkKeys(plan, coordinator, file)
        self.init(
            name: name, modelPath: modelPath, placement: plan.ring.kind,
            positionCount: plan.wish.positionCount, pageCount: plan.wish.pageCount,
            coordinator: coordinator,
            nodes: plan.nodes.filter { !$0.slices.isEmpty }.map { node in
                Node(
                    name: hosts[node.host].name, address: hosts[node.host].address,
                    publicKey: hosts[node.host].publicKey, layerRanges: node.slices.map(\.layers),
                    threadCount: hosts[node.host].coreCount)
            },
            microBatchesInFlightMax: plan.ring.microBatchesInFlightMax,
            keysPath: file.keysPath)
        try addExperts(of: plan)
    }

    /// The ring that this cluster makes of the hosts that bear its nodes' names.
    ///
    /// - Parameter file: the cluster file, named in errors.
    public func plannedRing(
        of model: ModelConfiguration, on hosts: PlannedHosts, file: String
    ) throws(Refusal) -> PlannedRing {
        let placement = try Placement(
            kind: placement, nodes: nodes.map { NodeShare(name: $0.name, layers: $0.layerRanges) },
            layerCount: model.layerCount)
        var nodeHosts: [Int] = []
        for node in nodes {
            guard let index = hosts.hosts.firstIndex(where: { $0.name == node.name }) else {
                throw Refusal(
                    "\(file): node \(node.name)", "has no host of that name in the hosts file")
            }
            nodeHosts.append(index)
        }
        return PlannedRing(
            kind: self.placement, nodeHosts: nodeHosts, slices: placement.stages.map(\.slice),
            microBatchesInFlightMax: microBatchesInFlightMax)
    }

    // MARK: Rooms

    private static let coordinatorPort: UInt16 = 7_100
    private static let httpPort: UInt16 = 8_080

    /// Puts experts where the plan has them.
    private mutating func addExperts(of plan: ClusterPlan) throws(Refusal) {
        guard plan.ring.shards.isEmpty else {
            throw Refusal(
                "--out",
                "the plan puts experts on \(plan.ring.expertHosts.count) other hosts, which a "
                    + "cluster file of this version cannot say; plan with --experts 0")
        }
    }

    private static func checkKeys(
        _ plan: ClusterPlan, _ coordinator: Coordinator, _ file: HostsFile
    ) throws(Refusal) {
        let used = plan.ring.usedHosts.map { plan.hosts.hosts[$0] }
        let isLoopback = coordinator.address.isLoopback && used.allSatisfy(\.address.isLoopback)
        guard !isLoopback || file.keysPath != nil else { return }
        if let bare = used.first(where: { $0.publicKey == nil }) {
            throw Refusal(
                "--out",
                "host \(bare.name) has no public_key in the hosts file, which every node off "
                    + "loopback needs; make one with 'skein keys new'")
        }
        guard coordinator.publicKey != nil, file.keysPath != nil else {
            throw Refusal(
                "--out",
                "the hosts file names no keys folder or no public_key of its coordinator, which a "
                    + "cluster off loopback needs")
        }
    }
}
