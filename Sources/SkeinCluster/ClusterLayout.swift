public import SkeinCore
public import SkeinMembership
internal import SkeinTensor
public import SkeinWeights

/// How a model is laid out on this machine alone.
public struct ClusterLayout: Sendable {
    /// Nodes that share the layers.
    public var nodeCount: Int
    /// Nodes beside them that hold all routed experts, split evenly; 0 leaves these with their
    /// layers.
    public var expertHostCount: Int
    /// The experts of each of these hosts, where they are not split evenly.
    public var shards: [[ShardPart]]?
    /// How slices lie on nodes.
    public var kind: PlacementKind
    /// Whether each node is a process of its own, over ZeroMQ on loopback.
    public var usesProcesses: Bool
    /// Compute threads of each process.
    public var threadCount: Int
    /// How the cluster serves.
    public var serving: ServingSettings

    /// Describes a layout.
    public init(
        nodeCount: Int = 1, expertHostCount: Int = 0, kind: PlacementKind = .linear,
        usesProcesses: Bool = false, threadCount: Int? = nil, serving: ServingSettings
    ) {
        self.nodeCount = nodeCount
        self.expertHostCount = expertHostCount
        self.kind = kind
        self.usesProcesses = usesProcesses
        // Processes of one machine share its cores; a process of its own takes all of them.
        self.threadCount =
            threadCount
            ?? max(1, Self.coreCount / (usesProcesses ? nodeCount + expertHostCount : 1))
        self.serving = serving
    }

    /// Cores that this process may use.
    public static var coreCount: Int { MachineCores.usableCount }

    /// Stages of the ring.
    public var stageCount: Int { kind.stageCount(nodeCount: nodeCount) }

    /// The slices in ring order.
    ///
    /// - Throws: a `Refusal` where there are more stages than layers.
    public func slices(of configuration: ModelConfiguration) throws(Refusal) -> [Slice] {
        let inner = configuration.layersWithinStages
        let slices = Slice.even(
            layerCount: configuration.layerCount, count: stageCount, keeping: inner)
        guard let slices else {
            let count = configuration.layerCount - inner.count
            throw Refusal(
                "--stages",
                "\(nodeCount) nodes make \(stageCount) \(kind.rawValue) stages, the model has "
                    + "\(count) layers" + (inner.isEmpty ? "" : " with which a stage may begin"))
        }
        return slices
    }

    /// The nodes by name, and the shards of those that hold experts.
    ///
    /// - Throws: a `Refusal` where there are fewer experts than hosts for them.
    public func shares(of configuration: ModelConfiguration) throws(Refusal) -> [NodeShare] {
        let ring = (0..<nodeCount).map { NodeShare(name: "node\($0)") }
        if let shards {
            return ring
                + shards.enumerated().map { number, shard in
                    NodeShare(name: "experts\(number)", shard: shard)
                }
        }
        guard expertHostCount > 0 else { return ring }
        guard let routing = configuration.routing, configuration.layerIsMixture.contains(true)
        else { throw Refusal("--experts", "expected 0, the model is dense and has no experts") }
        guard expertHostCount <= routing.expertCount else {
            throw Refusal(
                "--experts",
                "\(expertHostCount) hosts, the model has \(routing.expertCount) experts a layer")
        }
        let mixtures = configuration.layerIsMixture.indices.filter {
            configuration.layerIsMixture[$0]
        }
        let layers = RangeSet(mixtures.map { $0..<$0 + 1 }).ranges
        let cuts = Slice.even(layerCount: routing.expertCount, count: expertHostCount)
        return ring
            + cuts.enumerated().map { number, cut in
                NodeShare(
                    name: "experts\(number)",
                    shard: layers.map { ShardPart(layers: $0, experts: cut.layers) })
            }
    }

    /// Who holds what.
    ///
    /// - Throws: a `Refusal` where there are more stages than layers or hosts than experts.
    public func placement(of configuration: ModelConfiguration) throws(Refusal) -> Placement {
        // The slices are cut first, so that too many stages is what is said.
        _ = try slices(of: configuration)
        return try Placement(
            kind: kind, nodes: try shares(of: configuration),
            layerCount: configuration.layerCount,
            expertCounts: configuration.layerExpertCounts,
            keeping: configuration.layersWithinStages)
    }

    /// The slices that one node holds.
    public func slices(ofNode node: Int, in slices: [Slice]) -> [Slice] {
        slices.indices
            .filter { kind.node(of: StageIndex($0), nodeCount: nodeCount) == node }
            .map { slices[$0] }
    }

    /// What all nodes together need: weights, latent cache and their own memory.
    public func memoryNeeded(by checkpoint: Checkpoint) throws(Refusal) -> Int {
        let configuration = checkpoint.configuration
        let arithmetic = ModelArithmetic(configuration, serving: serving)
        let placement = try placement(of: configuration)
        var sum = 0
        for node in placement.nodes {
            let mine = placement.stages(of: node).map(\.slice)
            let held = placement.distribution.held(
                slices: mine, host: placement.expertHosts.firstIndex { $0.node == node },
                expertCounts: configuration.layerExpertCounts)
            let plan = checkpoint.plan(of: mine, held: held, serving: serving)
            sum +=
                arithmetic.memory(
                    of: mine, pageCount: serving.pageCount,
                    weightBytes: try checkpoint.heldBytes(plan, as: serving.weightForm),
                    activationRowCount: serving.prefillRowsMax
                ).totalBytes
        }
        return sum
    }

    /// Refuses a layout that this machine's memory cannot hold, with the sum.
    public func checkMemory(of checkpoint: Checkpoint) throws(Refusal) {
        let sum = try memoryNeeded(by: checkpoint)
        guard let available = MachineMemory.now().availableBytes else { return }
        guard sum <= available else {
            let count = nodeCount + expertHostCount
            throw Refusal(
                "memory",
                "weights, latent cache and \(count) node\(count == 1 ? "" : "s") need "
                    + "\(ByteText(sum)), this machine has \(ByteText(available)) available")
        }
    }
}

/// A number of bytes for people, in decimal units.
public struct ByteText: CustomStringConvertible, Sendable {
    private let byteCount: Int

    /// Wraps a number of bytes.
    public init(_ byteCount: Int) { self.byteCount = byteCount }

    /// For example `21.2 MB`.
    public var description: String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB"]
        var value = Double(byteCount)
        var unit = 0
        while value >= 1_000, unit < units.count - 1 {
            value /= 1_000
            unit += 1
        }
        guard unit > 0 else { return "\(byteCount) B" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
