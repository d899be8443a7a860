/// Where the routed experts lie that do not lie with their layer's stage.
///
/// An expert that no shard names stays with its layer's stage. One that several shards name is
/// served by each of them, unless one of these is the stage's own node: then it serves itself.
public struct ExpertDistribution: Equatable, Sendable {
    /// The shards, by the number of the expert host.
    public let shards: [[ShardPart]]

    /// Takes shards that were found to be right.
    public init(shards: [[ShardPart]]) { self.shards = shards }

    /// The experts of a layer in one shard, as ascending ranges that do not touch.
    public func ranges(of layer: Int, on host: Int) -> [Range<Int>] {
        Array(set(of: layer, on: host).ranges)
    }

    /// The experts of a layer that are with its stage.
    ///
    /// - Parameters:
    ///   - layer: the layer's index.
    ///   - expertCount: routed experts of the layer.
    ///   - host: the number of the stage's node, where it has a shard.
    public func localRanges(of layer: Int, expertCount: Int, host: Int?) -> [Range<Int>] {
        var local = RangeSet(0..<expertCount)
        for other in shards.indices { local.subtract(set(of: layer, on: other)) }
        if let host { local.formUnion(set(of: layer, on: host)) }
        return Array(local.ranges)
    }

    /// For every expert of a layer the hosts that hold it, ascending.
    public func holders(of layer: Int, expertCount: Int) -> [[Int]] {
        var holders = [[Int]](repeating: [], count: expertCount)
        for host in shards.indices {
            for range in set(of: layer, on: host).ranges {
                for expert in range.clamped(to: 0..<expertCount) { holders[expert].append(host) }
            }
        }
        return holders
    }

    /// What one node holds.
    ///
    /// - Parameters:
    ///   - slices: the node's.
    ///   - host: its number among the expert hosts, where it has a shard.
    ///   - expertCounts: routed experts of every layer, 0 for a dense one.
    public func held(slices: [Slice], host: Int?, expertCounts: [Int]) -> HeldExperts {
        var held = HeldExperts()
        let own = Set(slices.flatMap(\.layers))
        for layer in own where expertCounts[layer] > 0 {
            let local = localRanges(of: layer, expertCount: expertCounts[layer], host: host)
            if local != [0..<expertCounts[layer]] { held.ranges[layer] = local }
        }
        guard let host else { return held }
        for layer in Set(shards[host].flatMap(\.layers)).subtracting(own) {
            held.ranges[layer] = ranges(of: layer, on: host)
        }
        return held
    }

    private func set(of layer: Int, on host: Int) -> RangeSet<Int> {
        RangeSet(shards[host].lazy.filter { $0.layers.contains(layer) }.map(\.experts))
    }
}

extension ModelConfiguration {
    /// Routed experts of every main layer, 0 for a dense one.
    public var layerExpertCounts: [Int] {
        layerIsMixture.map { $0 ? routing?.expertCount ?? 0 : 0 }
    }
}
