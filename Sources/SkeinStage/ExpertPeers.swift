internal import SkeinCore
internal import SkeinModel

/// What one expert host is asked for one layer of one step.
struct ExpertRequest: Equatable, Sendable {
    /// The host's number.
    let host: Int
    /// Rows of the step, ascending, each once.
    var rows: [Int] = []
    /// For each of them the number of its experts here.
    var choiceCounts: [Int] = []
    /// The experts, row after row.
    var experts: [Int] = []
    /// Their places in the choice.
    var slots: [Int] = []
}

/// Which expert host serves which choice (a pure value).
///
/// Of an expert that several hosts hold, all rows of a dispatch go to one, so that its weights are
/// read once: to the one that has the fewest rows yet, and among equals to the lowest. Experts with
/// one holder are given first, then the others, those with most rows first. Which host serves
/// changes no byte of the answer.
struct ExpertPeers: Sendable {
    /// The hosts of each expert, by layer.
    private let holders: [LayerIndex: [[Int]]]

    /// Takes the layers of a slice of which some experts are remote.
    init(
        _ distribution: ExpertDistribution, layers: some Sequence<Int>, expertCounts: [Int]
    ) {
        var holders: [LayerIndex: [[Int]]] = [:]
        for layer in layers {
            holders[LayerIndex(layer)] = distribution.holders(
                of: layer, expertCount: expertCounts[layer])
        }
        self.holders = holders
    }

    /// What each host is asked, by their numbers.
    func requests(for demand: ExpertDemand) -> [ExpertRequest] {
        guard let holders = holders[demand.layer] else {
            preconditionFailure("layer \(demand.layer.rawValue) has all experts local")
        }
        let choice = demand.choice
        let hosts = hosts(of: demand, holders: holders)
        var requests: [Int: ExpertRequest] = [:]
        for slot in demand.slots {
            let expert = choice.experts[slot]
            guard let host = hosts[expert] else { continue }
            let row = slot / choice.slotCount
            var request = requests[host] ?? ExpertRequest(host: host)
            if request.rows.last == row {
                request.choiceCounts[request.choiceCounts.count - 1] += 1
            } else {
                request.rows.append(row)
                request.choiceCounts.append(1)
            }
            request.experts.append(expert)
            request.slots.append(slot)
            requests[host] = request
        }
        return requests.values.sorted { $0.host < $1.host }
    }

    /// The host that serves each demanded expert.
    private func hosts(of demand: ExpertDemand, holders: [[Int]]) -> [Int: Int] {
        var rowCounts: [Int: Int] = [:]
        for slot in demand.slots { rowCounts[demand.choice.experts[slot], default: 0] += 1 }
        let experts = rowCounts.sorted { left, right in
            let (isFree, isOtherFree) = (
                holders[left.key].count > 1, holders[right.key].count > 1
            )
            if isFree != isOtherFree { return !isFree }
            return left.value == right.value ? left.key < right.key : left.value > right.value
        }
        var given: [Int: Int] = [:]
        var hosts: [Int: Int] = [:]
        for (expert, count) in experts {
            let host = holders[expert].min {
                (given[$0, default: 0], $0) < (given[$1, default: 0], $1)
            }
            guard let host else {
                preconditionFailure("expert \(expert) is neither local nor remote")
            }
            given[host, default: 0] += count
            hosts[expert] = host
        }
        return hosts
    }
}
