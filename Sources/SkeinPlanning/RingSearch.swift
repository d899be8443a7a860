import SkeinCore
import SkeinWeights

/// Cuts layers, and where there are hosts for them experts, over given hosts.
struct RingSearch {
    private let planner: ClusterPlanner
    private let kind: PlacementKind
    private let ringHosts: [Int]
    private let members: [Int]
    private let layerCount: Int
    private let expertCount: Int
    /// Layers with which no stage may begin.
    private let inner: Set<Int>
    /// MoE layers before each layer.
    private let mixturesBefore: [Int]

    init(
        _ planner: ClusterPlanner, _ kind: PlacementKind, _ ringHosts: [Int], members: [Int]
    ) {
        self.planner = planner
        self.kind = kind
        self.ringHosts = ringHosts
        self.members = members
        let layerIsMixture = planner.model.configuration.layerIsMixture
        layerCount = layerIsMixture.count
        expertCount = planner.model.expertCount
        inner = planner.model.configuration.layersWithinStages
        mixturesBefore = layerIsMixture.reduce(into: [0]) { counts, isMixture in
            counts.append(counts[counts.count - 1] + (isMixture ? 1 : 0))
        }
    }

    /// The best cut with every expert beside its layer.
    func ringWithLocalExperts() -> ClusterPlanner.Candidate? {
        settled { rowCount in
            cut(localExpertCount: expertCount, rowCount: rowCount).map { ring($0.parts) }
        }
    }

    /// The V whose longest stage is shortest, where its hosts' memory allows it.
    ///
    /// Both stages of a node take turns. Where one is much longer than the other, micro-batches
    /// meet in it, and the node on the other side waits; then stages of one length give more than
    /// nodes of one load.
    func evenFold() -> ClusterPlanner.Candidate? {
        guard kind == .vfold else { return nil }
        let count = 2 * ringHosts.count
        return settled { rowCount in
            let seconds = seconds(localExpertCount: expertCount, rowCount: rowCount)
            let cut = LayerPartition.linear(
                layerCount: layerCount, hostCount: count, keeping: inner
            ) {
                seconds(min($0, count - 1 - $0), $1, 1..<1)
            }
            return cut.map { ring($0.parts) }.flatMap { fits($0) ? $0 : nil }
        }
    }

    /// Cuts with experts on other hosts: as few local as fit, and as many as make both ends
    /// equally busy.
    func ringsWithPool() -> [ClusterPlanner.Candidate] {
        let rowCount = rowsBefore
        let pool = pool(rowCount: rowCount)
        guard pool.room > 0, let most = localCountBounds(pool) else { return [] }
        var (low, high) = (most.low, most.high)
        let ends = [low]
        while low < high {
            let middle = (low + high) / 2
            guard let cut = cut(localExpertCount: middle, rowCount: rowCount),
                let quotas = pool.quotas(of: awayCount(middle))
            else { return [] }
            if cut.longest < quotas.longest { low = middle + 1 } else { high = middle }
        }
        let counts = Set(ends + [low, max(low - 1, most.low)])
        return counts.sorted().compactMap { count in
            settled { rowCount in self.ring(localExpertCount: count, rowCount: rowCount) }
        }
    }

    /// Whether anything fits at all, whatever its speed.
    func fits() -> Bool {
        if cut(localExpertCount: expertCount, rowCount: 1) != nil { return true }
        return !members.isEmpty && localCountBounds(pool(rowCount: 1)) != nil
    }

    // MARK: Rooms

    private func fits(_ ring: PlannedRing) -> Bool {
        ring.usedHosts.allSatisfy { host in
            planner.memory.prediction(ofHost: host, in: ring).totalBytes
                <= planner.hosts.hosts[host].memoryBytes
        }
    }

    /// Rows of a micro-batch before anything is known: one micro-batch a node.
    private var rowsBefore: Double {
        Double(planner.wish.sequenceCount)
            / Double(min(planner.wish.sequenceCount, ringHosts.count))
    }

    /// Repeats a cut with the rows that the forecast of the last one gives.
    private func settled(
        _ make: (Double) -> PlannedRing?
    ) -> ClusterPlanner.Candidate? {
        var best: ClusterPlanner.Candidate?
        var rowCount = rowsBefore
        for _ in 0..<3 {
            guard let ring = make(rowCount) else { break }
            let candidate = planner.candidate(ring)
            if candidate.score > best?.score ?? 0 { best = candidate }
            let next =
                Double(planner.wish.sequenceCount) / Double(candidate.forecast.microBatchCount)
            if next == rowCount { break }
            rowCount = next
        }
        return best
    }

    /// Experts of all MoE layers that are remote.
    private func awayCount(_ localExpertCount: Int) -> Int {
        mixturesBefore[layerCount] * (expertCount - localExpertCount)
    }

    /// The fewest local experts for which the pool has room, and the most for which stages have.
    private func localCountBounds(_ pool: ExpertPool) -> (low: Int, high: Int)? {
        let mixtureCount = mixturesBefore[layerCount]
        guard mixtureCount > 0 else { return nil }
        // Each stage rounds its shares; one expert of every layer is kept free for that.
        let slack = mixtureCount * min(1, members.count)
        let fewest = max(
            0, expertCount - max(0, pool.room - slack) / mixtureCount)
        guard fewest < expertCount, cut(localExpertCount: fewest, rowCount: 1) != nil else {
            return nil
        }
        var (low, high) = (fewest, expertCount - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if cut(localExpertCount: middle, rowCount: 1) != nil {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return (fewest, low)
    }

    private func pool(rowCount: Double) -> ExpertPool {
        let work = planner.model.routedExpertsWork(of: 1, rowCount: rowCount)
        return ExpertPool(
            members: members.map { index in
                let host = planner.hosts.hosts[index]
                return ExpertPool.Member(
                    host: index, room: planner.memory.expertRoom(in: host.memoryBytes),
                    secondsPerExpert: max(1e-12, host.rates.seconds(of: work)))
            }.filter { $0.room > 0 })
    }

    private func ring(localExpertCount: Int, rowCount: Double) -> PlannedRing? {
        guard let cut = cut(localExpertCount: localExpertCount, rowCount: rowCount) else {
            return nil
        }
        var ring = ring(cut.parts)
        let layerIsMixture = planner.model.configuration.layerIsMixture
        let stages = zip(ring.stageHosts, ring.slices).flatMap { host, slice in
            Self.runs(slice.layers.filter { layerIsMixture[$0] }).map { (host: host, layers: $0) }
        }
        guard
            let shards = pool(rowCount: rowCount).shards(
                stages: stages, localExpertCount: localExpertCount, expertCount: expertCount)
        else { return nil }
        ring.shards = shards
        guard fits(ring) else { return nil }
        let costs = RingCosts(model: planner.model, hosts: planner.hosts, ring: ring)
        let longest =
            costs.stageCosts(
                .decode(rowCount: rowCount, positionCount: planner.wish.meanPositionCount)
            ).map { ($0.computeSeconds + $0.awaySeconds) / max(1e-9, $0.computeSeconds) }.max() ?? 1
        ring.serving.stepsAtOnce = min(
            max(2, Int(min(longest, 1_000).rounded(.up))), Limits.stepsAtOnceMax)
        return ring
    }

    private func ring(_ stageLayers: [Range<Int>]) -> PlannedRing {
        PlannedRing(
            kind: kind, nodeHosts: ringHosts, stageLayers: stageLayers,
            serving: planner.wish.settings)
    }

    /// Seconds of a node with two ranges of layers, one of them perhaps empty; `nil` where it does
    /// not fit.
    private func seconds(
        localExpertCount: Int, rowCount: Double
    ) -> (Int, Range<Int>, Range<Int>) -> Double? {
        let times = HostTimes.table(
            planner, ringHosts, localExpertCount: localExpertCount, rowCount: rowCount)
        let memory = planner.memory.table(localExpertCount: localExpertCount)
        return { node, first, second in
            let mixtureCount = mixtureCount(first) + mixtureCount(second)
            let denseCount = first.count + second.count - mixtureCount
            let holdsHead = first.upperBound == layerCount || second.upperBound == layerCount
            let need = memory.totalBytes(
                denseCount: denseCount, mixtureCount: mixtureCount,
                holdsEmbedding: first.lowerBound == 0, holdsHead: holdsHead)
            guard need <= times[node].memoryBytes else { return nil }
            return Double(denseCount) * times[node].denseSeconds
                + Double(mixtureCount) * times[node].mixtureSeconds
                + (holdsHead ? times[node].headSeconds : 0)
        }
    }

    /// Cuts the layers; `parts` are the stages in ring order.
    private func cut(
        localExpertCount: Int, rowCount: Double
    ) -> LayerPartition.Cut<Range<Int>>? {
        let seconds = seconds(localExpertCount: localExpertCount, rowCount: rowCount)
        switch kind {
        case .linear:
            return LayerPartition.linear(
                layerCount: layerCount, hostCount: ringHosts.count, keeping: inner
            ) {
                seconds($0, $1, 1..<1)
            }
        case .vfold:
            let cut = LayerPartition.folded(
                layerCount: layerCount, hostCount: ringHosts.count, keeping: inner
            ) { seconds($0, $1.outward, $1.returning) }
            return cut.map { cut in
                LayerPartition.Cut(
                    parts: cut.parts.map(\.outward) + cut.parts.reversed().map(\.returning),
                    longest: cut.longest)
            }
        }
    }

    private func mixtureCount(_ layers: Range<Int>) -> Int {
        mixturesBefore[layers.upperBound] - mixturesBefore[layers.lowerBound]
    }

    /// Ascending numbers as ranges without gaps.
    private static func runs(_ numbers: [Int]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for number in numbers {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<(number + 1)
            } else {
                runs.append(number..<(number + 1))
            }
        }
        return runs
    }
}

/// What layers of each kind take on one host, for a search that tries many slices.
private struct HostTimes {
    let denseSeconds: Double
    let mixtureSeconds: Double
    let headSeconds: Double
    let memoryBytes: Int

    static func table(
        _ planner: ClusterPlanner, _ hosts: [Int], localExpertCount: Int, rowCount: Double
    ) -> [HostTimes] {
        let model = planner.model
        let shape = StepShape.decode(
            rowCount: rowCount, positionCount: planner.wish.meanPositionCount)
        let mixture =
            model.mixtureLayerWork(shape)
            + model.routedExpertsWork(of: Double(localExpertCount), rowCount: rowCount)
        let (dense, head) = (model.denseLayerWork(shape), model.headWork(rowCount: rowCount))
        return hosts.map { index in
            let host = planner.hosts.hosts[index]
            return HostTimes(
                denseSeconds: host.rates.seconds(of: dense),
                mixtureSeconds: host.rates.seconds(of: mixture),
                headSeconds: host.rates.seconds(of: head), memoryBytes: host.memoryBytes)
        }
    }
}
