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
    /// Micro-batches that a stage may have begun while experts elsewhere are asked.
    public var stepsAtOnce = Limits.stepsAtOnceDefault
    /// How activations travel between stages.
    public var hopForm = RowForm.bf16
    /// How rows travel to experts elsewhere.
    public var dispatchForm = RowForm.bf16
    /// How slices lie on nodes.
    public var kind: PlacementKind
    /// Whether each node is a process of its own, over ZeroMQ on loopback.
    public var usesProcesses: Bool
    /// Compute threads of each process.
    public var threadCount: Int
    /// Positions that one sequence may have.
    public var positionCountMax: Int
    /// Sequences of full length that the latent cache holds at once.
    public var fullSequenceCount: Int
    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax: Int
    /// Whether requests of one client share the latent rows of equal beginnings.
    public var reusesPrefixes = true
    /// The form in which weights are kept.
    public var weightForm = WeightForm.native
    /// Where packed weights are kept for the next start; `nil`: they are packed every time.
    public var packedCachePath: String?
    /// The form in which the latent cache keeps its rows.
    public var latentForm = LatentForm.bf16

    /// Describes a layout.
    public init(
        nodeCount: Int = 1, expertHostCount: Int = 0, kind: PlacementKind = .linear,
        usesProcesses: Bool = false, threadCount: Int? = nil, positionCountMax: Int,
        fullSequenceCount: Int = 1, prefillRowsMax: Int = 256
    ) {
        self.nodeCount = nodeCount
        self.expertHostCount = expertHostCount
        self.kind = kind
        self.usesProcesses = usesProcesses
        // Processes of one machine share its cores; a process of its own takes all of them.
        self.threadCount =
            threadCount
            ?? max(1, Self.coreCount / (usesProcesses ? nodeCount + expertHostCount : 1))
        self.positionCountMax = positionCountMax
        self.fullSequenceCount = fullSequenceCount
        self.prefillRowsMax = prefillRowsMax
    }

    /// Cores that this process may use.
    public static var coreCount: Int { MachineCores.usableCount }

    /// Pages for all sequences at full length.
    public var pageCount: Int {
        let rows = Limits.pageRowCount
        return (positionCountMax + rows - 1) / rows * fullSequenceCount
    }

    /// Stages of the ring.
    public var stageCount: Int { kind.stageCount(nodeCount: nodeCount) }

    /// The slices in ring order.
    ///
    /// - Throws: a `Refusal` where there are more stages than layers.
    public func slices(of configuration: ModelConfiguration) throws(Refusal) -> [Slice] {
        guard stageCount <= configuration.layerCount else {
            throw Refusal(
                "--stages",
                "\(nodeCount) nodes make \(stageCount) \(kind.rawValue) stages, the model has "
                    + "\(configuration.layerCount) layers")
        }
        return Slice.even(layerCount: configuration.layerCount, count: stageCount)
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
            expertCounts: configuration.layerExpertCounts)
    }

    /// The slices that one node holds.
    public func slices(ofNode node: Int, in slices: [Slice]) -> [Slice] {
        slices.indices
            .filter { kind.node(of: StageIndex($0), nodeCount: nodeCount) == node }
            .map { slices[$0] }
    }

    /// Refuses a layout that this machine's memory cannot hold, with the sum.
    public func checkMemory(of checkpoint: Checkpoint) throws(Refusal) {
        let configuration = checkpoint.configuration
        let arithmetic = ModelArithmetic(configuration, latents: latentForm)
        let placement = try placement(of: configuration)
        var sum = 0
        for node in placement.nodes {
            let mine = placement.stages(of: node).map(\.slice)
            let held = placement.distribution.held(
                slices: mine, host: placement.expertHosts.firstIndex { $0.node == node },
                expertCounts: configuration.layerExpertCounts)
            let plan = WeightPlan(configuration: configuration, slices: mine, held: held)
            let weightBytes = try checkpoint.heldBytes(plan, as: weightForm)
            sum +=
                arithmetic.memory(
                    of: mine, pageCount: pageCount, weightBytes: weightBytes,
                    activationRowCount: prefillRowsMax
                )
                .totalBytes
        }
        guard let available = MachineMemory.now().availableBytes else { return }
        guard sum <= available else {
            throw Refusal(
                "memory",
                "weights, latent cache and \(placement.nodes.count) node(s) need "
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
