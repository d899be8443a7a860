/// What ``RingArithmetic`` says of a ring with a given number of micro-batches in it.
///
/// Each stage is busy for `M * C[s] / T` of the time. A node's bubble share is what its stages
/// together leave.
///
/// Micro-batches come to a node every `P = T / M`, and it computes `C` of each `P`. A hop of time
/// `H` ends where the node's wait ends, so that the wait's `P - C` lies at its end: of each whole
/// `P` before that, `C` is hidden, and of the rest what is longer than the wait.
public struct PipelineForecast: Equatable, Sendable {
    /// The ring.
    public let ring: RingArithmetic

    /// Micro-batches in it.
    public let microBatchCount: Int

    /// Seconds of a round.
    public let roundSeconds: Double

    /// The share of its time that each stage computes.
    public let busyShares: [Double]

    /// The share of its time that each owner computes, experts of other stages included.
    public let ownerBusyShares: [Int: Double]

    /// The share of its time that the compute threads of each stage have no stage to compute.
    public let bubbleShares: [Double]

    /// The share of the time of hops that reach each stage under which its compute threads work; 1
    /// where hops take no time.
    public let hiddenShares: [Double]

    init(of ring: RingArithmetic, microBatchCount: Int) {
        let round = max(ring.aloneSeconds, Double(microBatchCount) * ring.bottleneckSeconds)
        let share = { (seconds: Double) in
            round > 0 ? min(1, Double(microBatchCount) * seconds / round) : 0
        }
        self.ring = ring
        self.microBatchCount = microBatchCount
        roundSeconds = round
        busyShares = ring.stageSeconds.map(share)
        ownerBusyShares = ring.work.mapValues(share)
        bubbleShares = ring.owners.map { 1 - share(ring.stageWork[$0, default: 0]) }
        // From the coordinator to the first stage, between the stages, and back.
        let hop = ring.waySeconds / Double(ring.stageSeconds.count + 1)
        let period = round / Double(max(1, microBatchCount))
        hiddenShares = ring.owners.map {
            Self.hiddenShare(ofHop: hop, period: period, work: ring.stageWork[$0, default: 0])
        }
    }

    private static func hiddenShare(ofHop hop: Double, period: Double, work: Double) -> Double {
        guard hop > 0, period > 0 else { return 1 }
        let wholePeriods = (hop / period).rounded(.down)
        let rest = hop - wholePeriods * period
        let wait = max(0, period - work)
        return min(1, (wholePeriods * min(work, period) + max(0, rest - wait)) / hop)
    }
}

extension PipelineForecast {
    /// What a stage communicates for one micro-batch in a round.
    ///
    ///     the hop that reaches it ─► … layer ─► dispatch ───────► combine ─► next layer …
    ///                                             └► own experts ┘
    public struct Communication: Equatable, Sendable {
        /// The stage's place in the ring.
        public var stage: Int

        /// Seconds of the hop that reaches the stage.
        public var hopSeconds: Double

        /// Seconds from dispatch to combine, all layers together; 0 where experts are local.
        public var expertSeconds: Double

        /// Seconds of these in which the stage computes for the same micro-batch.
        public var ownSeconds: Double

        /// Describes what a stage communicates.
        public init(
            stage: Int, hopSeconds: Double, expertSeconds: Double = 0, ownSeconds: Double = 0
        ) {
            self.stage = stage
            self.hopSeconds = hopSeconds
            self.expertSeconds = expertSeconds
            self.ownSeconds = ownSeconds
        }

        /// Seconds of all of it.
        public var seconds: Double { hopSeconds + expertSeconds }
    }

    /// The share of communication under which the node concerned computes; 1 where there is none.
    public func hiddenShare(of communications: [Communication]) -> Double {
        let all = communications.reduce(0) { $0 + $1.seconds }
        return all > 0 ? communications.reduce(0) { $0 + hiddenSeconds(of: $1) } / all : 1
    }

    /// Seconds of a stage's communication under which its node computes.
    ///
    /// Meanwhile a node computes for the `M - 1` others: during `(M - 1) * K` of the `T - K` of a
    /// round in which it does not compute for this one. What the stage computes under its own
    /// dispatch is hidden besides.
    private func hiddenSeconds(of communication: Communication) -> Double {
        let work = ring.work[ring.owners[communication.stage], default: 0]
        let rest = roundSeconds - work
        let others = rest > 0 ? min(1, max(0, Double(microBatchCount - 1) * work / rest)) : 1
        let own = min(communication.ownSeconds, communication.expertSeconds)
        return own + (communication.seconds - own) * others
    }
}
