import SkeinCore
import SkeinScheduling

/// What micro-batches cost on a planned ring of given hosts.
struct RingCosts: Sendable {
    let model: ModelCosts
    let hosts: PlannedHosts
    let ring: PlannedRing

    private let stages: [Stage]

    private struct Stage: Sendable {
        let host: Int
        let denseCount: Int
        let mixtureCount: Int
        let holdsHead: Bool
        /// Messages that bring a micro-batch and take it on; none within a host.
        let hopMessageCount: Int
        /// Experts of each MoE layer that its own host serves.
        let localExpertCount: Double
        /// The same of other hosts, by their indices.
        let remoteExpertCounts: [(host: Int, count: Double)]
    }

    init(model: ModelCosts, hosts: PlannedHosts, ring: PlannedRing) {
        self.model = model
        self.hosts = hosts
        self.ring = ring
        let layerIsMixture = model.configuration.layerIsMixture
        let stageHosts = ring.stageHosts
        stages = ring.slices.indices.map { index in
            let slice = ring.slices[index]
            let mixtureCount = slice.layers.count { layerIsMixture[$0] }
            let counts = ring.servedExpertCounts(
                ofStage: index, layerIsMixture: layerIsMixture, expertCount: model.expertCount)
            let own = stageHosts[index]
            return Stage(
                host: own, denseCount: slice.layers.count - mixtureCount,
                mixtureCount: mixtureCount, holdsHead: slice.holdsHead,
                hopMessageCount: (index > 0 && stageHosts[index - 1] == own ? 0 : 1)
                    + (index + 1 < stageHosts.count && stageHosts[index + 1] == own ? 0 : 1),
                localExpertCount: counts[own] ?? 0,
                remoteExpertCounts: counts.filter { $0.key != own }.sorted { $0.key < $1.key }
                    .map { (host: $0.key, count: $0.value) })
        }
    }

    /// What one micro-batch costs at every stage, in ring order.
    func stageCosts(_ shape: StepShape) -> [StageCost] {
        stages.map { stage in
            let rates = hosts.hosts[stage.host].rates
            var cost = StageCost()
            cost.mixtureCount = stage.mixtureCount
            cost.hopSeconds =
                Double(stage.hopMessageCount)
                * rates.message.seconds(ofBytes: shape.rowCount * hopRowBytes)
            if stage.denseCount > 0 {
                cost.denseSeconds =
                    Double(stage.denseCount) * rates.seconds(of: model.denseLayerWork(shape))
            }
            if stage.holdsHead {
                cost.headSeconds = rates.seconds(of: model.headWork(rowCount: shape.headRowCount))
            }
            guard stage.mixtureCount > 0 else { return cost }
            let shared = rates.seconds(of: model.sharedExpertsWork(rowCount: shape.rowCount))
            let layer = rates.seconds(of: model.mixtureLayerWork(shape))
            cost.localSeconds =
                shared
                + rates.seconds(
                    of: model.routedExpertsWork(
                        of: stage.localExpertCount, rowCount: shape.rowCount))
            cost.attendSeconds = layer - shared
            for (host, count) in stage.remoteExpertCounts {
                let bytes = dispatchBytes(to: count, rowCount: shape.rowCount)
                cost.attendSeconds += bytes.seconds(at: rates.message)
                cost.remotes.append(remote(host, serving: count, bytes, from: stage.host, shape))
            }
            return cost
        }
    }

    /// What goes out to a host of experts for one layer, and what comes back.
    private struct DispatchBytes {
        let sent: Double
        let back: Double

        /// Seconds of both messages at one of their ends.
        func seconds(at message: MessageRate) -> Double {
            message.seconds(ofBytes: sent) + message.seconds(ofBytes: back)
        }
    }

    private func dispatchBytes(to count: Double, rowCount: Double) -> DispatchBytes {
        DispatchBytes(
            sent: model.sentRowCount(to: count, rowCount: rowCount)
                * model.rowBytes(ring.serving.dispatchForm),
            // Each choice comes back by itself, since sums are made local in one order.
            back: model.chosenRowCount(of: count, rowCount: rowCount) * model.rowBytes)
    }

    private func remote(
        _ host: Int, serving count: Double, _ bytes: DispatchBytes, from own: Int,
        _ shape: StepShape
    ) -> StageCost.Remote {
        let link = hosts.link(from: own, to: host) ?? hosts.link
        let rates = hosts.hosts[host].rates
        return StageCost.Remote(
            host: host,
            expertSeconds: bytes.seconds(at: rates.message)
                + rates.seconds(of: model.routedExpertsWork(of: count, rowCount: shape.rowCount)),
            latencySeconds: 2 * link.latencySeconds,
            sendingSeconds: bytes.sent / link.bytesPerSecond,
            returningSeconds: bytes.back / link.bytesPerSecond)
    }

    /// The links of a micro-batch between its stages, and back to the head: `nil` within a host.
    ///
    /// The coordinator lives beside the first node; only a token return travels there.
    var hops: [LinkRate?] {
        let stageHosts = stages.map(\.host)
        return zip(stageHosts, stageHosts.dropFirst()).map { hosts.link(from: $0, to: $1) }
    }

    /// Bytes of one row of a hop.
    var hopRowBytes: Double { model.rowBytes(ring.serving.hopForm) }

    /// Seconds of a token's return.
    var returnSeconds: Double {
        hosts.link(from: stages[stages.count - 1].host, to: stages[0].host)?.latencySeconds ?? 0
    }

    /// Seconds that a micro-batch is under way between stages in one round.
    func waySeconds(rowCount: Double) -> Double {
        hops.reduce(returnSeconds) { sum, link in
            guard let link else { return sum }
            return sum + link.latencySeconds + rowCount * hopRowBytes / link.bytesPerSecond
        }
    }

    /// The arithmetic of the ring for micro-batches of these costs.
    ///
    /// - Parameter hopsSeconds: see ``waySeconds(rowCount:)``.
    func arithmetic(
        _ costs: [StageCost], hopsSeconds: Double, rowCount: Double
    ) -> RingArithmetic {
        let loads = loads(costs, rowCount: rowCount)
        var arithmetic = RingArithmetic(
            stageSeconds: costs.map(\.computeSeconds), owners: stages.map(\.host),
            waySeconds: costs.reduce(hopsSeconds) { $0 + $1.awaySeconds },
            expertSeconds: loads.expertSeconds)
        arithmetic.othersSeconds = othersSeconds(costs, loads, work: arithmetic.work)
        return arithmetic
    }

    /// What one micro-batch asks of every host in a round, beside the ring's own computing.
    private func loads(_ costs: [StageCost], rowCount: Double) -> HostLoads {
        var loads = HostLoads()
        for (stage, cost) in zip(stages, costs) {
            let layers = Double(cost.mixtureCount)
            for remote in cost.remotes {
                loads.expertSeconds[remote.host, default: 0] += layers * remote.expertSeconds
                let (out, back) = (layers * remote.sendingSeconds, layers * remote.returningSeconds)
                loads.sendingSeconds[stage.host, default: 0] += out
                loads.receivingSeconds[remote.host, default: 0] += out
                loads.sendingSeconds[remote.host, default: 0] += back
                loads.receivingSeconds[stage.host, default: 0] += back
            }
        }
        for (index, link) in hops.enumerated() {
            guard let link else { continue }
            let seconds = rowCount * hopRowBytes / link.bytesPerSecond
            loads.sendingSeconds[stages[index].host, default: 0] += seconds
            loads.receivingSeconds[stages[index + 1].host, default: 0] += seconds
        }
        return loads
    }

    /// The longest that anything but one host's cores is busy with one micro-batch: one direction
    /// of a host's link, the cores of a machine that several hosts share, or a stage that may not
    /// begin more.
    ///
    /// - Parameter work: seconds that each host computes.
    private func othersSeconds(
        _ costs: [StageCost], _ loads: HostLoads, work: [Int: Double]
    ) -> Double {
        var longest = max(
            loads.sendingSeconds.values.max() ?? 0, loads.receivingSeconds.values.max() ?? 0)
        for cost in costs where !cost.remotes.isEmpty {
            let occupied = StepTime.occupiedSeconds(
                computed: cost.computeSeconds, stay: cost.computeSeconds + cost.awaySeconds,
                concurrency: ring.serving.stepsAtOnce)
            longest = max(longest, occupied)
        }
        var machines: [String: Double] = [:]
        for (host, seconds) in work {
            guard let machine = hosts.hosts[host].machine else { continue }
            machines[machine, default: 0] += seconds * Double(hosts.hosts[host].coreCount)
        }
        for (machine, coreSeconds) in machines {
            longest = max(longest, coreSeconds / Double(hosts.machineCoreCounts[machine] ?? 1))
        }
        return longest
    }
}
