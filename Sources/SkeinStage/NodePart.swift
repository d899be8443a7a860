internal import SkeinCore
internal import SkeinWeights
internal import SkeinWire

/// What a placement gives to one node (a pure value).
struct NodePart: Sendable {
    /// The placement.
    let placement: SkeinWire.Placement

    /// The node's stages.
    let stages: [RingStage]

    /// Its number among the expert hosts, where it has a shard.
    let hostNumber: Int?

    private let expertCounts: [Int]

    /// Reads a placement.
    ///
    /// - Parameter expertCounts: routed experts of every layer, 0 for a dense one.
    /// - Throws: a refusal where the placement gives the node nothing, or experts that there are
    ///   not.
    init(
        _ placement: SkeinWire.Placement, of node: String, expertCounts: [Int]
    ) throws(Refusal) {
        let subject = "placement \(placement.epoch.rawValue)"
        self.placement = placement
        self.expertCounts = expertCounts
        stages = placement.ring.filter { $0.nodeName == node }
        hostNumber = placement.expertHosts.firstIndex { $0.nodeName == node }
        guard !stages.isEmpty || hostNumber != nil else {
            throw Refusal(subject, "gives \(node) no stage and no experts")
        }
        for host in placement.expertHosts {
            for part in host.shard {
                let isThere =
                    part.layers.upperBound <= expertCounts.count
                    && part.layers.allSatisfy { part.experts.upperBound <= expertCounts[$0] }
                guard isThere else {
                    throw Refusal(
                        subject, "gives \(host.nodeName) \(part), which the model does not have")
                }
            }
        }
    }

    /// Whether the placement wants the prediction layer of this node.
    private var wantsPrediction: Bool {
        stages.contains { $0.slice.predicts(placement.settings) }
    }

    /// Whether the node has the prediction layer of a checkpoint to load.
    func predicts(_ checkpoint: Checkpoint) -> Bool {
        wantsPrediction && checkpoint.holdsNextTokenLayers
    }

    /// Whether the placement wants the prediction layer of this node, and the files have none.
    func lacksPrediction(_ checkpoint: Checkpoint) -> Bool {
        wantsPrediction && !checkpoint.holdsNextTokenLayers
    }

    /// The node's experts, where they are not just those of its slices.
    var held: HeldExperts {
        placement.distribution.held(
            slices: stages.map(\.slice), host: hostNumber, expertCounts: expertCounts)
    }

    /// The experts that the node serves to remote stages, by layer.
    var servedRanges: [LayerIndex: [Range<Int>]] {
        let own = Set(stages.flatMap(\.slice.layers))
        var served: [LayerIndex: [Range<Int>]] = [:]
        for (layer, ranges) in held.ranges where !own.contains(layer) && !ranges.isEmpty {
            served[LayerIndex(layer)] = ranges
        }
        return served
    }

    /// The layers of a stage of which some experts are remote.
    func remoteLayers(of stage: RingStage) -> [Int] {
        let held = held
        return stage.slice.layers.filter { held.ranges[$0] != nil }
    }

    /// The hosts of experts of some layers that are not local, ascending.
    func hosts(of layers: [Int]) -> [Int] {
        let distribution = placement.distribution
        var hosts: Set<Int> = []
        for layer in layers {
            let holders = distribution.holders(of: layer, expertCount: expertCounts[layer])
            hosts.formUnion(holders.joined())
        }
        if let hostNumber { hosts.remove(hostNumber) }
        return hosts.sorted()
    }

    /// Which host serves which choice of a stage.
    func peers(of layers: [Int]) -> ExpertPeers {
        ExpertPeers(placement.distribution, layers: layers, expertCounts: expertCounts)
    }
}

extension Slice {
    /// Whether a stage of it has the prediction layer, where the model has one.
    func predicts(_ settings: StageSettings) -> Bool { holdsHead && settings.speculates }
}
