internal import SkeinCore
internal import SkeinMembership
internal import SkeinWeights

/// What slices and shards take of a node's memory: weights and latent cache (a pure value).
struct PartBytes: Sendable {
    private let arithmetic: ModelArithmetic
    /// Routed experts of every layer, 0 for a dense one.
    let expertCounts: [Int]
    private let positionCount: Int

    /// Computes the parts of a model that is served in some way.
    init(_ configuration: ModelConfiguration, serving: ServingSettings) {
        arithmetic = ModelArithmetic(configuration, serving: serving)
        expertCounts = configuration.layerExpertCounts
        positionCount = serving.heldPositionCount
    }

    /// Layers with which no stage may begin.
    var layersWithinStages: Set<Int> { arithmetic.configuration.layersWithinStages }

    /// Layers of the model.
    var layerCount: Int { expertCounts.count }

    /// What a node holds under a placement; nothing where it has no part in it.
    func total(of node: String, in placement: SkeinMembership.Placement) -> Int {
        let slices = placement.stages(of: node).map(\.slice)
        let host = placement.expertHosts.firstIndex { $0.node == node }
        return total(of: slices, host: host, placement.distribution)
    }

    /// What slices, and the shard of a host by its number, take together.
    func total(of slices: [Slice], host: Int?, _ distribution: ExpertDistribution) -> Int {
        let own = Set(slices.flatMap(\.layers))
        let held = distribution.held(slices: slices, host: host, expertCounts: expertCounts)
        var experts = 0
        for (layer, ranges) in held.ranges {
            experts += ranges.reduce(0) { $0 + $1.count }
            if own.contains(layer) { experts -= expertCounts[layer] }
        }
        return arithmetic.weights(of: slices).totalBytes
            + experts * arithmetic.routedExpert.totalBytes + cacheBytes(of: slices)
    }

    /// What every layer takes on its stage, without experts that lie in a shard.
    func layers(_ distribution: ExpertDistribution) -> [Int] {
        expertCounts.indices.map { layer in
            let slice = Slice(
                layers: layer..<(layer + 1), holdsEmbedding: false, holdsHead: false)
            return total(of: [slice], host: nil, distribution)
        }
    }

    /// What the embedding takes, and what the head takes where the embedding is elsewhere.
    var ends: (embedding: Int, head: Int) {
        let none = 0..<0
        func bytes(_ holdsEmbedding: Bool, _ holdsHead: Bool) -> Int {
            arithmetic.weights(
                of: Slice(layers: none, holdsEmbedding: holdsEmbedding, holdsHead: holdsHead)
            ).totalBytes
        }
        return (bytes(true, false), bytes(false, true))
    }

    private func cacheBytes(of slices: [Slice]) -> Int {
        positionCount * arithmetic.cacheBytesPerToken(of: slices)
    }
}
