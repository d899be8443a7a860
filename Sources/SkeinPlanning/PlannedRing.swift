public import SkeinCore

/// Some experts of some MoE layers on one host.
public struct PlannedShard: Equatable, Sendable {
    /// The host's index.
    public var host: Int
    /// Consecutive layers, all of them MoE layers.
    public var layers: Range<Int>
    /// Consecutive experts of each.
    public var experts: Range<Int>

    /// Puts experts on a host.
    public init(host: Int, layers: Range<Int>, experts: Range<Int>) {
        self.host = host
        self.layers = layers
        self.experts = experts
    }
}

/// Who holds what: the ring's slices, and the experts that do not all lie with their layer.
///
/// A layer of which no shard speaks keeps its experts on its stage. Of any other, every expert lies
/// in some shard, those that stay local included; of an expert in several shards each holder
/// serves a like part, unless the stage itself is one.
public struct PlannedRing: Equatable, Sendable {
    /// How slices lie on nodes.
    public var kind: PlacementKind

    /// The host of every node of the ring, in ring order.
    public var nodeHosts: [Int]

    /// The slices, in the order that a micro-batch visits them.
    public var slices: [Slice]

    /// The experts that do not all lie with their layer.
    public var shards: [PlannedShard]

    /// How it serves.
    public var serving: ServingSettings

    /// Describes a ring.
    public init(
        kind: PlacementKind, nodeHosts: [Int], slices: [Slice], shards: [PlannedShard] = [],
        serving: ServingSettings
    ) {
        precondition(
            slices.count == kind.stageCount(nodeCount: nodeHosts.count),
            "\(slices.count) slices on \(nodeHosts.count) nodes")
        self.kind = kind
        self.nodeHosts = nodeHosts
        self.slices = slices
        self.shards = shards
        self.serving = serving
    }

    /// Lays ranges of layers over hosts.
    public init(
        kind: PlacementKind, nodeHosts: [Int], stageLayers: [Range<Int>],
        shards: [PlannedShard] = [], serving: ServingSettings
    ) {
        let slices = stageLayers.indices.map { stage in
            Slice(
                layers: stageLayers[stage], holdsEmbedding: stage == 0,
                holdsHead: stage == stageLayers.count - 1)
        }
        self.init(
            kind: kind, nodeHosts: nodeHosts, slices: slices, shards: shards,
            serving: serving)
    }

    /// The node of every stage.
    public var stageNodes: [Int] {
        slices.indices.map { kind.node(of: StageIndex($0), nodeCount: nodeHosts.count) }
    }

    /// The host of every stage.
    public var stageHosts: [Int] { stageNodes.map { nodeHosts[$0] } }

    /// The hosts that hold experts and no slice, ascending.
    public var expertHosts: [Int] {
        Set(shards.map(\.host)).subtracting(nodeHosts).sorted()
    }

    /// All hosts that hold something, the ring first.
    public var usedHosts: [Int] { nodeHosts + expertHosts }

    /// The slices of a host.
    public func slices(ofHost host: Int) -> [Slice] {
        zip(slices, stageHosts).filter { $0.1 == host }.map(\.0)
    }

    /// Experts over all layers that a host holds.
    ///
    /// - Parameter expertCount: routed experts of a layer.
    public func heldExpertCount(
        ofHost host: Int, layerIsMixture: [Bool], expertCount: Int
    ) -> Int {
        let sharded = Set(shards.flatMap { Array($0.layers) })
        let local = slices(ofHost: host).flatMap { Array($0.layers) }
            .count { layerIsMixture[$0] && !sharded.contains($0) }
        let placed = shards.filter { $0.host == host }
            .reduce(0) { $0 + $1.layers.count * $1.experts.count }
        return local * expertCount + placed
    }
}

extension PlannedRing {
    /// How many experts of a stage's MoE layers each host serves, in the mean over these layers.
    ///
    /// - Returns: the stage's own part under its own host's index.
    func servedExpertCounts(
        ofStage stage: Int, layerIsMixture: [Bool], expertCount: Int
    ) -> [Int: Double] {
        let own = stageHosts[stage]
        let layers = slices[stage].layers.filter { layerIsMixture[$0] }
        guard !layers.isEmpty else { return [:] }
        var counts: [Int: Double] = [:]
        for layer in layers {
            let holders = shards.filter { $0.layers.contains(layer) }
            guard !holders.isEmpty else {
                counts[own, default: 0] += Double(expertCount)
                continue
            }
            for (host, count) in Self.served(holders, own: own, expertCount: expertCount) {
                counts[host, default: 0] += count
            }
        }
        return counts.mapValues { $0 / Double(layers.count) }
    }

    /// One layer's experts, those of several holders divided among them.
    private static func served(
        _ holders: [PlannedShard], own: Int, expertCount: Int
    ) -> [Int: Double] {
        // Between two neighbouring ends every expert has the same holders.
        let ends = Set(holders.flatMap { [$0.experts.lowerBound, $0.experts.upperBound] })
            .union([0, expertCount]).sorted()
        var counts: [Int: Double] = [:]
        for (first, end) in zip(ends, ends.dropFirst()) {
            let hosts = Set(holders.filter { $0.experts.contains(first) }.map(\.host))
            let serving = hosts.contains(own) || hosts.isEmpty ? [own] : hosts
            for host in serving {
                counts[host, default: 0] += Double(end - first) / Double(serving.count)
            }
        }
        return counts
    }
}
