public import SkeinCore
public import SkeinWeights

/// Who holds what, what it needs, and what it will give.
public struct ClusterPlan: Sendable {
    /// One host that is used.
    public struct Node: Equatable, Sendable {
        /// The host's index.
        public let host: Int
        /// Its slices, none for a host of experts alone.
        public let slices: [Slice]
        /// Its experts, where not all experts lie with their layers.
        public let shards: [PlannedShard]
        /// What it will hold in memory.
        public let memory: MemoryPrediction
    }

    /// The best ring of one placement.
    public struct Alternative: Equatable, Sendable {
        /// Who holds what.
        public let ring: PlannedRing
        /// What it would give by the arithmetic.
        public let forecast: RingForecast
        /// What it would give by the simulator.
        public let simulated: SimulatedForecast

        /// How many times as much it gives as a ring tried before it must give to keep its place: a
        /// V, and remote experts, have to be worth what they add.
        func gain(over other: Alternative) -> Double {
            var needed = 1.0
            if ring.kind == .vfold, other.ring.kind == .linear {
                needed *= ClusterPlanner.foldGainMin
            }
            if !ring.expertHosts.isEmpty, other.ring.expertHosts.isEmpty {
                needed *= ClusterPlanner.expertsGainMin
            }
            return simulated.tokensPerSecond / other.simulated.tokensPerSecond / needed
        }
    }

    /// The model.
    public let configuration: ModelConfiguration
    /// What there is.
    public let hosts: PlannedHosts
    /// What was wanted.
    public let wish: PlanWish
    /// Who holds what.
    public let ring: PlannedRing
    /// The hosts that are used: the ring's in order, then those of experts.
    public let nodes: [Node]
    /// What the wanted sequences see together.
    public let forecast: RingForecast
    /// What clients see by the simulator.
    public let simulated: SimulatedForecast
    /// What was chosen from.
    public let candidates: [Alternative]

    /// Hosts that nothing was given.
    public var unusedHosts: [Int] {
        let used = Set(ring.usedHosts)
        return hosts.hosts.indices.filter { !used.contains($0) }
    }

    /// Why this placement and not the other.
    public var reason: String {
        let others = candidates.filter { $0.ring.kind != ring.kind }
        guard
            let other = others.max(by: {
                $0.simulated.tokensPerSecond < $1.simulated.tokensPerSecond
            })
        else { return wish.kind == nil ? "the other placement does not fit" : "as asked for" }
        let gain = simulated.tokensPerSecond / other.simulated.tokensPerSecond - 1
        let difference = other.simulated.timePerTokenSeconds - simulated.timePerTokenSeconds
        let round = Self.text(milliseconds: abs(difference) * 1_000)
        let name = other.ring.kind.rawValue
        if abs(gain) < 0.01 {
            return "\(name) would give the same within 1 %"
                + (ring.kind == .linear ? ", with more hops" : "")
        }
        return "its round is \(round) \(difference > 0 ? "shorter" : "longer") than \(name)'s, and "
            + "it gives \(Self.text(percent: gain * 100)) more tokens a second"
    }

    private static func text(milliseconds: Double) -> String {
        "\(Double((milliseconds * 10).rounded()) / 10) ms"
    }

    private static func text(percent: Double) -> String {
        "\(Double((percent * 10).rounded()) / 10) %"
    }
}
