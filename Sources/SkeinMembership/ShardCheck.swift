import SkeinCore

/// Holds the shard of a node against the model: every expert of it exists, and is named once.
struct ShardCheck {
    let node: String
    let layerCount: Int

    /// Routed experts of every layer, 0 for a dense one.
    let expertCounts: [Int]

    /// Checks a shard.
    ///
    /// - Throws: a refusal of one line that names the node and the part at fault.
    func check(_ shard: [ShardPart]) throws(Refusal) {
        guard shard.count <= Limits.shardPartsMax else {
            throw refusal("\(shard.count) parts, expected at most \(Limits.shardPartsMax)")
        }
        var named: [Int: RangeSet<Int>] = [:]
        for part in shard {
            try check(part)
            for layer in part.layers {
                let before = named[layer] ?? RangeSet()
                let twice = before.intersection(RangeSet(part.experts))
                if let first = twice.ranges.first?.lowerBound {
                    throw refusal("expert \(first) of layer \(layer) twice")
                }
                named[layer] = before.union(RangeSet(part.experts))
            }
        }
    }

    private func check(_ part: ShardPart) throws(Refusal) {
        guard !part.layers.isEmpty, !part.experts.isEmpty, part.layers.lowerBound >= 0,
            part.experts.lowerBound >= 0
        else { throw refusal("a part without layers or without experts") }
        guard part.layers.upperBound <= layerCount, part.layers.upperBound <= expertCounts.count
        else {
            throw refusal("\(part), the model has layers 0 to \(layerCount - 1)")
        }
        if let dense = part.layers.first(where: { expertCounts[$0] == 0 }) {
            throw refusal("\(part), but layer \(dense) has none: it is dense")
        }
        let least = part.layers.map { expertCounts[$0] }.min() ?? 0
        guard part.experts.upperBound <= least else {
            throw refusal("\(part), each of which has experts 0 to \(least - 1)")
        }
    }

    private func refusal(_ held: String) -> Refusal { Refusal("node \(node)", "holds \(held)") }
}
