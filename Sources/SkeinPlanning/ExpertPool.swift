/// Lays the experts that leave their stages over the hosts of experts.
///
/// All MoE layers are alike, so what matters is how many experts of how many layers a host serves:
/// its quota. Quotas are filled like basins under one water level, each to the same time and none
/// beyond its memory. Laid end to end along the ring, a quota falls on one stage or on some that
/// follow each other, and there it is the same experts of each of the stage's layers; so a stage
/// speaks to few hosts, and the hosts of one stage share each of its layers.
struct ExpertPool: Sendable {
    /// One host of experts.
    struct Member: Sendable {
        /// Its index.
        let host: Int
        /// Experts over all layers that it has room for.
        let room: Int
        /// Seconds that one of them takes of a micro-batch.
        let secondsPerExpert: Double
    }

    let members: [Member]

    /// Experts over all layers that all of them have room for.
    var room: Int { members.reduce(0) { $0 + $1.room } }

    /// How many of so many experts each member serves, and how long the slowest is busy.
    func quotas(of count: Int) -> (counts: [Double], longest: Double)? {
        guard count <= room else { return nil }
        func filled(_ level: Double) -> Double {
            members.reduce(0) { $0 + min(Double($1.room), level / $1.secondsPerExpert) }
        }
        var high = members.map { Double($0.room) * $0.secondsPerExpert }.max() ?? 0
        var low = 0.0
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if filled(middle) < Double(count) { low = middle } else { high = middle }
        }
        let counts = members.map { min(Double($0.room), high / $0.secondsPerExpert) }
        return (counts, high)
    }

    /// The shards of a ring whose stages keep the first `localExpertCount` experts of each layer.
    ///
    /// - Parameters:
    ///   - stages: the host and the MoE layers of every stage, in ring order.
    ///   - expertCount: routed experts of a layer.
    func shards(
        stages: [(host: Int, layers: Range<Int>)], localExpertCount: Int, expertCount: Int
    ) -> [PlannedShard]? {
        let awayCount = expertCount - localExpertCount
        let unitCount = stages.reduce(0) { $0 + $1.layers.count } * awayCount
        guard let quotas = quotas(of: unitCount), unitCount > 0 else { return nil }
        // Where each member's quota ends on the line, in units of all.
        let sum = quotas.counts.reduce(0, +)
        var ends: [Double] = []
        var end = 0.0
        for count in quotas.counts {
            end += count / sum * Double(unitCount)
            ends.append(end)
        }
        var shards: [PlannedShard] = []
        var first = 0.0
        for stage in stages where !stage.layers.isEmpty {
            let length = Double(stage.layers.count * awayCount)
            if localExpertCount > 0 {
                shards.append(
                    PlannedShard(
                        host: stage.host, layers: stage.layers, experts: 0..<localExpertCount))
            }
            var begin = localExpertCount
            for (member, end) in zip(members, ends) {
                let share = min(1, max(0, (end - first) / length))
                let isLast = member.host == members[members.count - 1].host
                let until =
                    isLast
                    ? expertCount : localExpertCount + Int((share * Double(awayCount)).rounded())
                guard until > begin else { continue }
                shards.append(
                    PlannedShard(host: member.host, layers: stage.layers, experts: begin..<until))
                begin = until
            }
            first += length
        }
        return shards
    }
}
