public import SkeinCore
import SkeinWeights

/// Finds who should hold what, before anything is loaded.
///
/// For each placement and each number of ring nodes the layers are cut by ``LayerPartition``, once
/// with all experts local and once with the hosts left over as an ``ExpertPool``; every cut that
/// fits gets a ``RingForecast``, and the one that gives most tokens a second is taken. A simpler
/// shape is kept where the gain is less than what a forecast can tell.
public struct ClusterPlanner: Sendable {
    /// How much more a V must give to be taken before a line.
    static let foldGainMin = 1.01

    /// How much more experts on other hosts must give to be taken: they are more to keep running.
    static let expertsGainMin = 1.05

    let model: ModelCosts
    let hosts: PlannedHosts
    let wish: PlanWish
    let memory: MemoryPlan

    /// Prepares a search.
    ///
    /// - Throws: a refusal where the wish is more than the model or the format of a cluster allows.
    public init(
        configuration: ModelConfiguration, hosts: PlannedHosts, wish: PlanWish
    ) throws(Refusal) {
        let settings = wish.settings
        let arithmetic = ModelArithmetic(configuration, serving: settings)
        model = ModelCosts(arithmetic)
        self.hosts = hosts
        self.wish = wish
        memory = MemoryPlan(
            arithmetic: arithmetic, pageCount: settings.pageCount,
            rowCount: settings.prefillRowsMax)
        try settings.check(configuration)
        guard settings.pageCount <= Limits.pagesMax else {
            throw Refusal(
                "context and concurrency",
                "ask for \(settings.pageCount) pages, at most \(Limits.pagesMax) expected")
        }
        guard wish.promptTokenCount + wish.newTokenCount <= settings.positionCount else {
            throw Refusal(
                "prompt and completion",
                "ask for \(wish.promptTokenCount + wish.newTokenCount) positions, a sequence has "
                    + "\(settings.positionCount)")
        }
    }

    /// Finds the best plan.
    ///
    /// - Throws: a refusal where nothing fits, with what is missing and what would make it fit.
    public func plan() throws(Refusal) -> ClusterPlan {
        try checkShape()
        let kinds = wish.kind.map { [$0] } ?? PlacementKind.allCases
        let candidates = kinds.flatMap { best(of: $0).map(withCredits).map(alternative) }
        guard let first = candidates.first else { throw Shortfall(self).refusal }
        let chosen = candidates.dropFirst().reduce(first) { best, other in
            other.gain(over: best) > 1 ? other : best
        }
        return clusterPlan(chosen, of: candidates)
    }

    /// Refuses a shape for which there are too few hosts, layers or experts, whatever their size.
    private func checkShape() throws(Refusal) {
        func refusal(_ wanted: String, _ found: String) -> Refusal {
            Refusal("plan", "asks for \(wanted), \(found)")
        }
        let able = hosts.hosts.count { $0.role != .experts }
        let bound = hosts.hosts.count { $0.role == .stages }
        let hostCount = hosts.hosts.count
        let ringCount = wish.nodeCount ?? max(1, bound)
        let ring = "\(ringCount) ring node\(ringCount == 1 ? "" : "s")"
        guard ringCount <= able else {
            let others = able < hostCount ? " that may hold a slice" : ""
            throw refusal(ring, "the hosts file has \(able)\(others)")
        }
        guard bound <= ringCount else {
            throw refusal(ring, "the hosts file has \(bound) of role 'stages'")
        }
        let kind = wish.kind ?? .linear
        let (stages, layers) = (kind.stageCount(nodeCount: ringCount), layerCount)
        guard stages <= layers else {
            throw refusal(
                "\(ring) with \(stages) \(kind.rawValue) stages", "the model has \(layers) layers")
        }
        let expertHosts = wish.expertHostCount ?? 0
        guard expertHosts > 0 else { return }
        let experts = "\(expertHosts) expert host\(expertHosts == 1 ? "" : "s")"
        guard model.expertCount > 0 else {
            throw refusal(experts, "the model is dense and has no experts")
        }
        let free = hostCount - max(ringCount, bound)
        guard expertHosts <= min(free, hosts.hosts.count { $0.role != .stages }) else {
            throw refusal("\(experts) beside \(ring)", "the hosts file has \(hostCount) hosts")
        }
        guard ringCount + expertHosts <= Limits.nodesMax else {
            throw refusal(
                "\(experts) beside \(ring)", "a cluster has at most \(Limits.nodesMax) nodes")
        }
    }

    private var layerCount: Int { model.configuration.layerCount }

    /// Predicts what a given ring gives.
    ///
    /// - Throws: a refusal where it does not fit.
    public func plan(of ring: PlannedRing) throws(Refusal) -> ClusterPlan {
        for host in ring.usedHosts {
            let need = memory.prediction(ofHost: host, in: ring).totalBytes
            guard need <= hosts.hosts[host].memoryBytes else {
                throw Shortfall.refusal(
                    host: hosts.hosts[host], needBytes: need, remedies: ["put less on it"])
            }
        }
        let given = alternative(candidate(ring))
        return clusterPlan(given, of: [given])
    }

    /// A ring with experts on other hosts gets as many credits as serve it best.
    private func withCredits(_ candidate: Candidate) -> Candidate {
        var candidate = candidate
        if !candidate.ring.shards.isEmpty {
            candidate.ring.serving.microBatchesInFlightMax =
                candidate.ring.serving.microBatchesInFlightMax
                ?? candidate.forecast.microBatchCount
        }
        return candidate
    }

    /// What a ring gives, in full.
    private func alternative(_ candidate: Candidate) -> ClusterPlan.Alternative {
        let costs = RingCosts(model: model, hosts: hosts, ring: candidate.ring)
        return ClusterPlan.Alternative(
            ring: candidate.ring, forecast: candidate.forecast,
            simulated: SimulatedForecast(costs: costs, wish: wish))
    }

    private func clusterPlan(
        _ chosen: ClusterPlan.Alternative, of candidates: [ClusterPlan.Alternative]
    ) -> ClusterPlan {
        let ring = chosen.ring
        return ClusterPlan(
            configuration: model.configuration, hosts: hosts, wish: wish, ring: ring,
            nodes: ring.usedHosts.map { host in
                ClusterPlan.Node(
                    host: host, slices: ring.slices(ofHost: host),
                    shards: ring.shards.filter { $0.host == host },
                    memory: memory.prediction(ofHost: host, in: ring))
            },
            forecast: chosen.forecast, simulated: chosen.simulated, candidates: candidates)
    }

    // MARK: Search

    /// The same search for other hosts or another wish.
    func with(hosts: PlannedHosts, wish: PlanWish) -> ClusterPlanner {
        ClusterPlanner(model: model, hosts: hosts, wish: wish)
    }

    private init(model: ModelCosts, hosts: PlannedHosts, wish: PlanWish) {
        self.model = model
        self.hosts = hosts
        self.wish = wish
        memory = MemoryPlan(
            arithmetic: model.arithmetic, pageCount: wish.settings.pageCount,
            rowCount: wish.serving.prefillRowsMax)
    }

    /// Whether any ring fits, whatever its speed.
    var anythingFits: Bool {
        (wish.kind.map { [$0] } ?? PlacementKind.allCases).contains { kind in
            nodeCounts(kind).contains { count in
                ringHosts(count: count).contains { ringHosts in
                    let members =
                        wish.expertHostCount == 0 ? [] : poolHosts(without: ringHosts)
                    return RingSearch(self, kind, ringHosts, members: members).fits()
                }
            }
        }
    }

    /// A ring that fits, and what it gives.
    struct Candidate {
        var ring: PlannedRing
        let forecast: RingForecast

        /// What counts when shapes are compared.
        var score: Double { forecast.tokensPerSecond }
    }

    func candidate(_ ring: PlannedRing) -> Candidate {
        let costs = RingCosts(model: model, hosts: hosts, ring: ring)
        let forecast = RingForecast(
            costs, sequenceCount: wish.sequenceCount, positionCount: wish.meanPositionCount)
        return Candidate(ring: ring, forecast: forecast)
    }

    /// The best rings of one placement, of each way to cut it.
    func best(of kind: PlacementKind) -> [Candidate] {
        var best: [Cutting: Candidate] = [:]
        var tried: Set<Int> = []
        func tryOut(_ nodeCount: Int) {
            guard tried.insert(nodeCount).inserted else { return }
            for ringHosts in ringHosts(count: nodeCount) {
                for (cutting, candidate) in candidates(kind, ringHosts)
                where candidate.score > best[cutting]?.score ?? 0 { best[cutting] = candidate }
            }
        }
        let counts = nodeCounts(kind)
        counts.forEach(tryOut)
        // The numbers left out between two that were tried, where the best are.
        while wish.nodeCount == nil {
            let found = best.values.map(\.ring.nodeHosts.count)
            let allowed = 1...max(1, counts.max() ?? 1)
            let near = found.flatMap { Array(($0 - 2)...($0 + 2)) }
                .filter { allowed.contains($0) && !tried.contains($0) }
            guard !near.isEmpty else { break }
            near.forEach(tryOut)
        }
        return Cutting.allCases.compactMap { best[$0] }
    }

    /// Numbers of ring nodes worth a try: all of a few, of many some, and all that there may be.
    private func nodeCounts(_ kind: PlacementKind) -> [Int] {
        let able = hosts.hosts.count { $0.role != .experts }
        let most = min(
            able, model.configuration.layerCount / kind.stageCount(nodeCount: 1), Limits.nodesMax)
        guard most >= 1 else { return [] }
        if let count = wish.nodeCount { return count <= most ? [count] : [] }
        let some = [1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90].filter { $0 < most }
        return most <= 8 ? Array((1...most).reversed()) : [most] + some
    }

    /// Hosts for so many ring nodes, in the order of the file: the fastest, or the largest.
    private func ringHosts(count: Int) -> [[Int]] {
        let bound = hosts.hosts.indices.filter { hosts.hosts[$0].role == .stages }
        let free = hosts.hosts.indices.filter { hosts.hosts[$0].role == .any }
        guard bound.count <= count, bound.count + free.count >= count else { return [] }
        func chosen(_ value: (PlannedHost) -> Double) -> [Int] {
            let ranked = free.sorted {
                (value(hosts.hosts[$1]), $0) < (value(hosts.hosts[$0]), $1)
            }
            return (bound + ranked.prefix(count - bound.count)).sorted()
        }
        let fastest = chosen { $0.rates.readBytesPerSecond }
        let largest = chosen { Double($0.memoryBytes) }
        return fastest == largest ? [fastest] : [fastest, largest]
    }

    /// The ways to cut, in the order in which they are preferred.
    private enum Cutting: CaseIterable {
        /// The nodes are as equally busy as can be, all experts beside their layers.
        case equalNodes
        /// The stages of a V are as equally long as can be.
        case equalStages
        /// Experts lie on other hosts too.
        case withPool
    }

    /// Rings of some hosts: with all experts local, and with a pool of those left over.
    private func candidates(
        _ kind: PlacementKind, _ ringHosts: [Int]
    ) -> [(Cutting, Candidate)] {
        var candidates: [(Cutting, Candidate)] = []
        if wish.expertHostCount ?? 0 == 0 {
            let search = RingSearch(self, kind, ringHosts, members: [])
            candidates += [search.ringWithLocalExperts()].compactMap {
                $0.map { (.equalNodes, $0) }
            }
            candidates += [search.evenFold()].compactMap { $0.map { (.equalStages, $0) } }
        }
        let members = poolHosts(without: ringHosts)
        if wish.expertHostCount != 0, !members.isEmpty, model.expertCount > 0 {
            let search = RingSearch(self, kind, ringHosts, members: members)
            candidates += search.ringsWithPool().map { (.withPool, $0) }
        }
        return candidates
    }

    private func poolHosts(without ringHosts: [Int]) -> [Int] {
        let free = hosts.hosts.indices.filter {
            hosts.hosts[$0].role != .stages && !ringHosts.contains($0)
        }
        guard let count = wish.expertHostCount else {
            return Array(free.prefix(Limits.nodesMax - ringHosts.count))
        }
        return count <= free.count ? Array(free.prefix(count)) : []
    }
}
