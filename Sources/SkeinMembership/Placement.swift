public import SkeinCore

/// What a cluster file or a plan says about one node: its name, and its layers if it says so.
public struct NodeShare: Equatable, Sendable {
    /// The node's name, unique in the cluster.
    public var name: String

    /// The node's layer ranges in the order that a micro-batch visits them: one for linear, two
    /// for vfold, none where layers are to be split evenly.
    public var layers: [Range<Int>]

    /// The routed experts that it holds; with them and without layers a node is no part of the
    /// ring.
    public var shard: [ShardPart]

    /// Names a node, with or without its layers and experts.
    public init(name: String, layers: [Range<Int>] = [], shard: [ShardPart] = []) {
        self.name = name
        self.layers = layers
        self.shard = shard
    }

    fileprivate var isExpertHostAlone: Bool { layers.isEmpty && !shard.isEmpty }
}

/// One expert shard and who holds it.
public struct ExpertHostPlacement: Equatable, Sendable {
    /// The name of the node that holds it.
    public var node: String

    /// Its experts.
    public var shard: [ShardPart]

    /// Puts a shard on a node.
    public init(node: String, shard: [ShardPart]) {
        self.node = node
        self.shard = shard
    }
}

/// One place in the ring and who holds it.
public struct StagePlacement: Equatable, Sendable {
    /// The place.
    public var stage: StageIndex

    /// The name of the node that holds it.
    public var node: String

    /// Its layers.
    public var slice: Slice

    /// Puts a slice on a node.
    public init(stage: StageIndex, node: String, slice: Slice) {
        self.stage = stage
        self.node = node
        self.slice = slice
    }
}

/// Which node holds which slice, and which experts that do not lie with their layer.
///
/// Every layer lies on exactly one stage, in order.
public struct Placement: Equatable, Sendable {
    /// How stages lie on nodes.
    public let kind: PlacementKind

    /// Node names in the order of their first stage, then those that hold experts alone.
    public let nodes: [String]

    /// All stages in the order that a micro-batch visits them.
    public let stages: [StagePlacement]

    /// The nodes that hold a shard; their places here are the expert hosts' numbers.
    public let expertHosts: [ExpertHostPlacement]

    /// Lays the layers over nodes, evenly where no node names its own.
    ///
    /// - Parameter expertCounts: routed experts of every layer, 0 for a dense one; needed where a
    ///   node holds a shard.
    /// - Parameter inner: layers that lie on the same stage as the layer below.
    /// - Throws: A refusal that names the node at fault, where names repeat, some nodes name their
    ///   layers and others do not, a node has a wrong number of ranges, the ranges do not cover
    ///   the layers exactly once in order, or a shard names experts that there are not.
    public init(
        kind: PlacementKind, nodes all: [NodeShare], layerCount: Int, expertCounts: [Int] = [],
        keeping inner: Set<Int> = []
    ) throws(Refusal) {
        guard (1...Limits.nodesMax).contains(all.count) else {
            throw Refusal("placement", "has \(all.count) nodes, expected 1 to \(Limits.nodesMax)")
        }
        var names = Set<String>()
        for share in all where !names.insert(share.name).inserted {
            throw Refusal("node \(share.name)", "is named twice")
        }
        let shares = all.filter { !$0.isExpertHostAlone }
        guard !shares.isEmpty else {
            throw Refusal("placement", "has hosts of experts alone, expected nodes with layers")
        }
        for share in all {
            try ShardCheck(node: share.name, layerCount: layerCount, expertCounts: expertCounts)
                .check(share.shard)
        }
        let stageCount = kind.stageCount(nodeCount: shares.count)
        let ranges: [Range<Int>]
        if shares.allSatisfy(\.layers.isEmpty) {
            guard let even = Slice.even(layerCount: layerCount, count: stageCount, keeping: inner)
            else {
                throw Refusal(
                    "node \(shares[shares.count - 1].name)",
                    "is left without a layer: \(kind.rawValue) over \(shares.count) nodes has "
                        + "\(stageCount) stages, the model has "
                        + Self.text(layerCount: layerCount, keeping: inner))
            }
            ranges = even.map(\.layers)
        } else {
            ranges = try Self.stageRanges(kind, shares)
        }
        let holders = (0..<stageCount).map {
            shares[kind.node(of: StageIndex($0), nodeCount: shares.count)].name
        }
        try Self.checkCover(ranges, holders, layerCount)
        for (range, holder) in zip(ranges, holders) {
            try Slice.checkCut(
                before: range.lowerBound, keeping: inner, layerCount: layerCount,
                subject: "node \(holder)")
        }
        self.kind = kind
        nodes = (shares + all.filter(\.isExpertHostAlone)).map(\.name)
        expertHosts = all.filter { !$0.shard.isEmpty }
            .map { ExpertHostPlacement(node: $0.name, shard: $0.shard) }
        stages = ranges.indices.map { index in
            StagePlacement(
                stage: StageIndex(index), node: holders[index],
                slice: Slice(
                    layers: ranges[index], holdsEmbedding: index == 0,
                    holdsHead: index == stageCount - 1))
        }
    }

    /// Takes a placement from a peer, and checks everything the other way of making one ensures.
    public init(
        kind: PlacementKind, checking stages: [StagePlacement], layerCount: Int
    ) throws(Refusal) {
        let stagesPerNode = kind.stageCount(nodeCount: 1)
        guard !stages.isEmpty, stages.count % stagesPerNode == 0 else {
            throw Refusal(
                "placement", "has \(stages.count) stages, which \(kind.rawValue) cannot have")
        }
        let nodeCount = stages.count / stagesPerNode
        let shares = (0..<nodeCount).map { node in
            let back = stages.count - 1 - node
            let layers =
                kind == .linear
                ? [stages[node].slice.layers]
                : [stages[node].slice.layers, stages[back].slice.layers]
            return NodeShare(name: stages[node].node, layers: layers)
        }
        try self.init(kind: kind, nodes: shares, layerCount: layerCount)
        for (found, expected) in zip(stages, self.stages) where found != expected {
            throw Refusal(
                "node \(found.node)",
                "is said to hold stage \(found.stage.rawValue) with \(Self.text(found.slice)), "
                    + "expected node \(expected.node), stage \(expected.stage.rawValue) and "
                    + Self.text(expected.slice))
        }
    }

    init(
        kind: PlacementKind, nodes: [String], stages: [StagePlacement],
        expertHosts: [ExpertHostPlacement]
    ) {
        self.kind = kind
        self.nodes = nodes
        self.stages = stages
        self.expertHosts = expertHosts
    }

    /// The same slices and shards with other nodes in the places of some.
    ///
    /// - Parameter failovers: nodes without a place, by the names of those that they replace.
    public func replacing(_ failovers: [String: String]) -> Placement {
        precondition(
            Set(failovers.values).isDisjoint(with: nodes)
                && Set(failovers.values).count == failovers.count, "\(failovers) in \(nodes)")
        func now(_ name: String) -> String { failovers[name] ?? name }
        return Placement(
            kind: kind, nodes: nodes.map(now),
            stages: stages.map {
                StagePlacement(stage: $0.stage, node: now($0.node), slice: $0.slice)
            },
            expertHosts: expertHosts.map {
                ExpertHostPlacement(node: now($0.node), shard: $0.shard)
            })
    }

    /// The node that holds the embedding.
    public var first: StagePlacement { stages[0] }

    /// The node that holds the head.
    public var last: StagePlacement { stages[stages.count - 1] }

    /// The stages of a node, none where it is not placed.
    public func stages(of node: String) -> [StagePlacement] { stages.filter { $0.node == node } }

    /// Where the experts lie.
    public var distribution: ExpertDistribution {
        ExpertDistribution(shards: expertHosts.map(\.shard))
    }

    /// The experts that a node holds for stages, none where it has no shard.
    public func shard(of node: String) -> [ShardPart] {
        expertHosts.first { $0.node == node }?.shard ?? []
    }

    /// The stage that a micro-batch visits next, or `nil` after the last.
    public func stage(after stage: StageIndex) -> StagePlacement? {
        stage.rawValue + 1 < stages.count ? stages[stage.rawValue + 1] : nil
    }

    private static func stageRanges(
        _ kind: PlacementKind, _ shares: [NodeShare]
    ) throws(Refusal) -> [Range<Int>] {
        let expected = kind.stageCount(nodeCount: 1)
        for share in shares where share.layers.count != expected {
            let found =
                share.layers.isEmpty
                ? "names no layers, though other nodes do"
                : "names \(share.layers.count) ranges of layers"
            throw Refusal(
                "node \(share.name)",
                "\(found); \(kind.rawValue) expects \(expected) for each node")
        }
        let back = kind == .linear ? [] : shares.reversed().map { $0.layers[1] }
        return shares.map { $0.layers[0] } + back
    }

    private static func checkCover(
        _ ranges: [Range<Int>], _ holders: [String], _ layerCount: Int
    ) throws(Refusal) {
        var next = 0
        for (range, holder) in zip(ranges, holders) {
            guard !range.isEmpty, range.lowerBound == next else {
                throw Refusal(
                    "node \(holder)",
                    "holds \(text(range)), expected layers that begin at \(next)")
            }
            guard range.upperBound <= layerCount else {
                throw Refusal(
                    "node \(holder)",
                    "holds \(text(range)), the model has layers 0 to \(layerCount - 1)")
            }
            next = range.upperBound
        }
        guard next == layerCount else {
            throw Refusal(
                "node \(holders[holders.count - 1])",
                "ends with layer \(next - 1), the model's last is \(layerCount - 1)")
        }
    }

    private static func text(layerCount: Int, keeping inner: Set<Int>) -> String {
        inner.isEmpty
            ? "\(layerCount) layers"
            : "\(layerCount - inner.count) layers with which a stage may begin"
    }

    private static func text(_ range: Range<Int>) -> String {
        range.isEmpty ? "no layer" : "layers \(range.lowerBound) to \(range.upperBound - 1)"
    }

    private static func text(_ slice: Slice) -> String {
        text(slice.layers) + (slice.holdsEmbedding ? " and the embedding" : "")
            + (slice.holdsHead ? " and the head" : "")
    }
}
