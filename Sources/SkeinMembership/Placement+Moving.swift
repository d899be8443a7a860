public import SkeinCore

// The same slices and experts on other nodes than those that the file gives them to.
extension Placement {
    /// The same slices, some of them on other nodes, and other hosts of experts.
    ///
    /// A node may hold more stages than its kind gives to each; a node that holds nothing any more
    /// is no part of the placement.
    ///
    /// - Parameter holders: the nodes of the stages that move.
    public func moving(
        _ holders: [StageIndex: String], expertHosts: [ExpertHostPlacement]
    ) -> Placement {
        let stages = stages.map { place in
            StagePlacement(
                stage: place.stage, node: holders[place.stage] ?? place.node, slice: place.slice)
        }
        var nodes: [String] = []
        for name in stages.map(\.node) + expertHosts.map(\.node) where !nodes.contains(name) {
            nodes.append(name)
        }
        return Placement(kind: kind, nodes: nodes, stages: stages, expertHosts: expertHosts)
    }

    /// Whether every expert of some parts is in a shard of one of these nodes as well.
    public func holdsCopies(of shard: [ShardPart], on nodes: Set<String>) -> Bool {
        let others = expertHosts.filter { nodes.contains($0.node) }.flatMap(\.shard)
        return shard.allSatisfy { part in
            part.layers.allSatisfy { layer in
                let there = RangeSet(
                    others.lazy.filter { $0.layers.contains(layer) }.map(\.experts))
                return RangeSet(part.experts).subtracting(there).isEmpty
            }
        }
    }
}
