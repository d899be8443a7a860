import SkeinCore

/// The rules of a cluster file for what its nodes hold.
struct ClusterNodes {
    private let topology: Topology
    private let fields: [ClusterFields]

    /// Takes the nodes of a file that has been read, each with where the file describes it.
    init(_ topology: Topology, _ fields: [ClusterFields]) {
        self.topology = topology
        self.fields = fields
    }

    /// Refuses layers with gaps, experts that a node holds twice, and standbys that hold something.
    func check() throws(Refusal) {
        for (node, field) in zip(topology.nodes, fields) {
            try checkCount(node.layerRanges, field)
            try checkShard(node.shard, field)
            for held in ["layers", "experts"] where node.isStandby && field.has(held) {
                throw field.refusal(
                    held,
                    "found something, expected nothing: a standby holds what a lost node held")
            }
        }
        try checkLayers()
    }

    // MARK: - Private

    private func checkCount(_ ranges: [Range<Int>], _ field: ClusterFields) throws(Refusal) {
        let wantedCount = topology.placement.stageCount(nodeCount: 1)
        guard ranges.isEmpty || ranges.count == wantedCount else {
            let wanted = wantedCount == 1 ? "one range" : "a list of two ranges"
            throw field.refusal(
                "layers",
                "found \(ranges.count), expected \(wanted) for placement "
                    + topology.placement.rawValue)
        }
    }

    /// In one node's parts every expert of a layer is there once; whether the model has them is
    /// found when it is opened.
    private func checkShard(_ shard: [ShardPart], _ field: ClusterFields) throws(Refusal) {
        for (place, part) in shard.enumerated() {
            for other in shard[..<place]
            where other.layers.overlaps(part.layers) && other.experts.overlaps(part.experts) {
                let layer = max(other.layers.lowerBound, part.layers.lowerBound)
                let expert = max(other.experts.lowerBound, part.experts.lowerBound)
                let entries = try field.list(
                    "experts", countMax: Limits.shardPartsMax, fields: ShardPart.table)
                throw entries[place].refusal(
                    "experts",
                    "found expert \(expert) of layer \(layer) a second time, expected each once")
            }
        }
    }

    /// The layers of the ring follow each other without a gap, from layer 0 on.
    ///
    /// A node with experts and no layers is none of the ring's.
    private func checkLayers() throws(Refusal) {
        let (values, placement) = (topology.nodes, topology.placement)
        let ring = values.indices.filter { values[$0].isInRing }
        guard !ring.isEmpty else {
            throw fields[0].refusal(
                "layers",
                "found nothing, expected a range, since all nodes hold experts alone or stand by")
        }
        guard let first = ring.first(where: { !values[$0].layerRanges.isEmpty }) else { return }
        if let bare = ring.first(where: { values[$0].layerRanges.isEmpty }) {
            throw fields[bare].refusal(
                "layers",
                "found nothing, expected a range, since node \(values[first].name) has one, or "
                    + "experts")
        }
        var end = 0
        for stage in 0..<placement.stageCount(nodeCount: ring.count) {
            let index = ring[placement.node(of: StageIndex(stage), nodeCount: ring.count)]
            let range = values[index].layerRanges[stage < ring.count ? 0 : 1]
            guard range.lowerBound == end else {
                throw fields[index].refusal(
                    "layers",
                    "found \(range.lowerBound)-\(range.upperBound - 1), "
                        + "expected a range that begins with layer \(end), as stage \(stage)")
            }
            end = range.upperBound
        }
    }
}
