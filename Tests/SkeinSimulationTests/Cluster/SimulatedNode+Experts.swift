import SkeinCore
import SkeinWire

@testable import SkeinCoordinator

// Rows that go to the experts of other nodes.
extension SimulatedNode {
    /// Applies the experts that are here, and sends the other rows to those who have theirs.
    mutating func consultExperts(_ layer: Int, _ expertCount: Int) {
        guard let placement, let loaded else { return }
        let distribution = placement.distribution
        let local = RangeSet(
            distribution.localRanges(of: layer, expertCount: expertCount, host: loaded.host))
        let holders = distribution.holders(of: layer, expertCount: expertCount)
        var requests: [String: [(place: Int, value: UInt64)]] = [:]
        for (place, row) in queue[0].rows.enumerated() {
            let expert = SimulatedModel.choice(row, expertCount: expertCount)
            if local.contains(expert) {
                queue[0].rows[place] = SimulatedModel.output(of: expert, layer: layer, row)
            } else if let host = holders[expert].randomly(by: row) {
                requests[placement.expertHosts[host].nodeName, default: []].append((place, row))
            } else {
                actions.append(.fault("expert \(expert) of layer \(layer) is nowhere"))
            }
        }
        queue[0].awaited = Set(requests.keys)
        let (id, stage) = (queue[0].step.microBatch.id, queue[0].stage)
        for (host, rows) in requests.sorted(by: { $0.key < $1.key }) {
            let rows = SimulatedRows(microBatch: id, stage: stage, layer: layer, rows: rows)
            actions.append(.send(.dispatch(rows, epoch: epoch, asker: name), to: host))
        }
    }

    mutating func serve(_ dispatch: SimulatedRows, of asker: String) {
        guard let placement, let host = loaded?.host else {
            return actions.append(.fault("\(name) was asked for experts and has none"))
        }
        let expertCount = shape.bytes.expertCounts[dispatch.layer]
        let own = RangeSet(placement.distribution.ranges(of: dispatch.layer, on: host))
        var answer = dispatch
        for (index, row) in dispatch.rows.enumerated() {
            let expert = SimulatedModel.choice(row.value, expertCount: expertCount)
            if !own.contains(expert) {
                actions.append(.fault("\(name) was asked for expert \(expert), not its own"))
            }
            answer.rows[index].value = SimulatedModel.output(
                of: expert, layer: dispatch.layer, row.value)
        }
        actions.append(.send(.combine(answer, epoch: epoch, host: name), to: asker))
    }

    mutating func take(_ combine: SimulatedRows, from host: String, _ now: UInt64) {
        guard isComputing, let work = queue.first, work.step.microBatch.id == combine.microBatch,
            work.stage == combine.stage, work.layer == combine.layer,
            work.awaited.contains(host)
        else { return }
        for row in combine.rows { queue[0].rows[row.place] = row.value }
        queue[0].awaited.remove(host)
        guard queue[0].awaited.isEmpty else { return }
        queue[0].layer += 1
        advance(now)
    }
}
