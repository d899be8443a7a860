internal import SkeinCore
internal import SkeinMembership
internal import SkeinPlanning

/// Spreads the slices and shards of lost nodes over those that are left (a pure value).
///
/// Whole stages move where they can: the stages stay as they were cut, and every node that takes
/// none keeps its weights. Only where some stage fits nowhere are the layers cut again, as the
/// planner cuts them; then nearly every node reads other weights.
struct SliceSpread: Sendable {
    let bytes: PartBytes
    let placement: SkeinMembership.Placement
    /// Nodes of the placement that are to hold nothing.
    let lost: [String]
    /// Nodes that may hold something, with the bytes that each has room for.
    let rooms: [String: Int]

    /// The placement without the lost nodes; `nil` where the others lack the room.
    func result() -> SkeinMembership.Placement? { ofWholeStages() ?? ofNewCut() }

    /// Those with room, in the order of the placement, then the others by name.
    private var takers: [String] {
        placement.nodes.filter { rooms[$0] != nil }
            + rooms.keys.filter { !placement.nodes.contains($0) }.sorted()
    }

    // MARK: Whole stages

    private func ofWholeStages() -> SkeinMembership.Placement? {
        let stages = placement.stages.filter { lost.contains($0.node) }
        let bare = placement.moving(
            [:], expertHosts: placement.expertHosts.filter { !lost.contains($0.node) })
        let layerBytes = bytes.layers(placement.distribution)
        let sizes = stages.map { stage in
            stage.slice.layers.reduce(0) { $0 + layerBytes[$1] }
        }
        var spread = bare
        // The largest first: the small ones find room later.
        for place in stages.indices.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) {
            let found = best(for: stages[place], in: spread)
            guard let found else { return nil }
            spread = found
        }
        return withShards(spread)
    }

    /// The one with the fewest layers takes a stage, since the slowest node sets the pace; of
    /// equals one that already holds a neighbour, which saves a hop.
    private func best(
        for stage: StagePlacement, in spread: SkeinMembership.Placement
    ) -> SkeinMembership.Placement? {
        var best: (key: (Int, Int), placement: SkeinMembership.Placement)?
        for name in takers {
            let moved = spread.moving([stage.stage: name], expertHosts: spread.expertHosts)
            guard fits(name, in: moved) else { continue }
            let held = spread.stages(of: name)
            let layerCount = held.reduce(0) { $0 + $1.slice.layers.count }
            let isNeighbour = held.contains {
                abs($0.stage.rawValue - stage.stage.rawValue) == 1
            }
            let key = (layerCount, isNeighbour ? 0 : 1)
            if best.map({ key < $0.key }) ?? true { best = (key, moved) }
        }
        return best?.placement
    }

    private func fits(_ name: String, in placement: SkeinMembership.Placement) -> Bool {
        bytes.total(of: name, in: placement) <= rooms[name, default: 0]
    }

    // MARK: Shards

    /// Gives the shards of lost nodes away: whole, or else part by part; parts of which others hold
    /// copies are given to nobody.
    private func withShards(
        _ spread: SkeinMembership.Placement
    ) -> SkeinMembership.Placement? {
        var spread = spread
        let left = Set(rooms.keys)
        for host in placement.expertHosts where lost.contains(host.node) {
            let shard = host.shard.filter { !spread.holdsCopies(of: [$0], on: left) }
            if shard.isEmpty { continue }
            if let whole = giving(shard, in: spread) {
                spread = whole
                continue
            }
            for part in shard {
                guard let next = giving([part], in: spread) else { return nil }
                spread = next
            }
        }
        return spread
    }

    /// The node with the most room left takes experts.
    private func giving(
        _ parts: [ShardPart], in spread: SkeinMembership.Placement
    ) -> SkeinMembership.Placement? {
        var best: (left: Int, placement: SkeinMembership.Placement)?
        for name in takers {
            var hosts = spread.expertHosts
            if let place = hosts.firstIndex(where: { $0.node == name }) {
                hosts[place].shard += parts
                guard hosts[place].shard.count <= Limits.shardPartsMax else { continue }
            } else {
                hosts.append(ExpertHostPlacement(node: name, shard: parts))
            }
            let moved = spread.moving([:], expertHosts: hosts)
            let left = rooms[name, default: 0] - bytes.total(of: name, in: moved)
            guard left >= 0 else { continue }
            if best.map({ left > $0.left }) ?? true { best = (left, moved) }
        }
        return best?.placement
    }

    // MARK: A new cut

    private func ofNewCut() -> SkeinMembership.Placement? {
        // Hosts of experts alone stay so: their host was chosen for its memory, not its speed.
        let ring = takers.filter { name in
            placement.shard(of: name).isEmpty || !placement.stages(of: name).isEmpty
        }
        guard !ring.isEmpty, let ranges = ranges(over: ring) else { return nil }
        let cut: SkeinMembership.Placement
        do throws(Refusal) {
            let shares =
                zip(ring, ranges).map { name, layers in
                    NodeShare(name: name, layers: layers, shard: placement.shard(of: name))
                }
                + placement.expertHosts.filter { !ring.contains($0.node) && rooms[$0.node] != nil }
                .map { NodeShare(name: $0.node, shard: $0.shard) }
            cut = try SkeinMembership.Placement(
                kind: placement.kind, nodes: shares, layerCount: bytes.layerCount,
                expertCounts: bytes.expertCounts, keeping: bytes.layersWithinStages)
        } catch {
            return nil
        }
        return withShards(cut).flatMap { found in
            found.nodes.allSatisfy { fits($0, in: found) } ? found : nil
        }
    }

    /// The layers of each node; every byte counts as the same time, as it does in decode.
    private func ranges(over ring: [String]) -> [[Range<Int>]]? {
        let layers = bytes.layers(placement.distribution)
        let ends = bytes.ends
        let sums = layers.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        func size(_ range: Range<Int>) -> Int {
            sums[range.upperBound] - sums[range.lowerBound]
                + (range.lowerBound == 0 ? ends.embedding : 0)
                + (range.upperBound == layers.count ? ends.head : 0)
        }
        func time(_ host: Int, _ ranges: [Range<Int>]) -> Double? {
            let needed = ranges.reduce(0) { $0 + size($1) }
            return needed <= rooms[ring[host], default: 0] ? Double(max(1, needed)) : nil
        }
        let inner = bytes.layersWithinStages
        switch placement.kind {
        case .linear:
            return LayerPartition.linear(
                layerCount: layers.count, hostCount: ring.count, keeping: inner
            ) {
                time($0, [$1])
            }?.parts.map { [$0] }
        case .vfold:
            return LayerPartition.folded(
                layerCount: layers.count, hostCount: ring.count, keeping: inner
            ) {
                time($0, [$1.outward, $1.returning])
            }?.parts.map { [$0.outward, $0.returning] }
        }
    }
}
