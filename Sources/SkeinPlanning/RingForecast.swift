public import SkeinCore
import SkeinScheduling

/// What so many sequences that decode together would see of a ring, by the forward-only
/// `RingArithmetic` and the costs of ``RingCosts``.
public struct RingForecast: Equatable, Sendable {
    /// One stage.
    public struct Stage: Equatable, Sendable {
        /// The host's index.
        public let host: Int
        /// Its layers.
        public let slice: Slice
        /// Seconds that its host computes for one micro-batch.
        public let stepSeconds: Double
        /// Seconds that a micro-batch waits there for experts on other hosts.
        public let awaySeconds: Double
        /// The share of its time that the stage computes.
        public let busyShare: Double
        /// The share of its time that its host's cores wait.
        public let bubbleShare: Double
    }

    /// Sequences that decode.
    public let sequenceCount: Int

    /// Micro-batches in the ring.
    public let microBatchCount: Int

    /// Seconds of a round, in which each sequence gets one token: TPOT.
    public let roundSeconds: Double

    /// Seconds of a round's hops, there and back.
    public let waySeconds: Double

    /// The longest that anything is busy with one micro-batch.
    public let bottleneckSeconds: Double

    /// The stages in ring order.
    public let stages: [Stage]

    /// The share of its time that each used host's cores compute, by host.
    public let busyShares: [Int: Double]

    /// The share of communication under which the node concerned computed; 1 where there is none.
    public let hiddenCommunicationShare: Double

    /// Tokens a second of all sequences together.
    public var tokensPerSecond: Double {
        roundSeconds > 0 ? Double(sequenceCount) / roundSeconds : 0
    }

    /// The largest bubble share of a stage.
    public var bubbleShare: Double { stages.map(\.bubbleShare).max() ?? 0 }

    /// Predicts a ring.
    ///
    /// The number of micro-batches is what the schedule comes to from the times that it would
    /// measure; its rows then have those times. A ring with experts on other hosts gets so many
    /// credits as serve it best, since the schedule cannot see how busy those hosts are.
    ///
    /// - Parameter positionCount: positions of a sequence, in the mean over its completion.
    init(_ costs: RingCosts, sequenceCount: Int, positionCount: Double) {
        let stageHosts = costs.ring.stageHosts
        let most = min(
            sequenceCount,
            SchedulePlan.creditCount(
                asked: costs.ring.serving.microBatchesInFlightMax, stageCount: stageHosts.count))
        func state(_ count: Int) -> State {
            State(costs, rowCount: Double(sequenceCount) / Double(count), positionCount)
        }
        var count = min(Set(stageHosts).count, most)
        var tried: Set<Int> = []
        while tried.insert(count).inserted {
            count = min(max(1, state(count).ring.microBatchCount), most)
        }
        if !costs.ring.shards.isEmpty {
            let rounds = (1...count).map {
                state($0).ring.forecast(microBatchCount: $0).roundSeconds
            }
            count = 1 + (rounds.indices.min { rounds[$0] < rounds[$1] } ?? 0)
        }
        let state = state(count)
        let forecast = state.ring.forecast(microBatchCount: count)
        self.sequenceCount = sequenceCount
        microBatchCount = count
        roundSeconds = forecast.roundSeconds
        waySeconds = state.hopsSeconds
        bottleneckSeconds = state.ring.bottleneckSeconds
        stages = costs.ring.slices.indices.map { index in
            Stage(
                host: stageHosts[index], slice: costs.ring.slices[index],
                stepSeconds: state.costs[index].computeSeconds,
                awaySeconds: state.costs[index].awaySeconds,
                busyShare: forecast.busyShares[index], bubbleShare: forecast.bubbleShares[index])
        }
        busyShares = forecast.ownerBusyShares
        hiddenCommunicationShare = forecast.hiddenShare(of: state.communications(costs))
    }

    /// Costs at one number of rows.
    private struct State {
        let costs: [StageCost]
        let ring: RingArithmetic
        let hopsSeconds: Double

        init(_ ring: RingCosts, rowCount: Double, _ positionCount: Double) {
            costs = ring.stageCosts(.decode(rowCount: rowCount, positionCount: positionCount))
            hopsSeconds = ring.waySeconds(rowCount: rowCount)
            self.ring = ring.arithmetic(costs, hopsSeconds: hopsSeconds, rowCount: rowCount)
        }

        /// What every stage communicates for one micro-batch.
        func communications(_ ring: RingCosts) -> [PipelineForecast.Communication] {
            let hops = ring.hops
            let hopCount = hops.count { $0 != nil } + (ring.returnSeconds > 0 ? 1 : 0)
            let hopSeconds = hopCount > 0 ? hopsSeconds / Double(hopCount) : 0
            return costs.enumerated().map { index, cost in
                // Every hop ends at some stage; the token return ends at the coordinator, beside
                // stage 0.
                let arrives = index == 0 ? ring.returnSeconds > 0 : hops[index - 1] != nil
                let layers = Double(cost.mixtureCount)
                return PipelineForecast.Communication(
                    stage: index, hopSeconds: arrives ? hopSeconds : 0,
                    expertSeconds: cost.remotes.isEmpty ? 0 : layers * cost.expertPhaseSeconds,
                    ownSeconds: layers * cost.localSeconds)
            }
        }
    }
}
