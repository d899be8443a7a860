/// What the forward-only arithmetic says of a ring in steady decode.
///
/// With `C[s]` a stage's time for one micro-batch, `W` the way (latency and payload of all hops of
/// a round), and `M` micro-batches in the ring, a micro-batch comes round after
///
///     T = max( sum of C + W,  M * max(O, max over nodes of (sum of C on the node)) )
///
/// where `O` is the longest that anything else is busy with one micro-batch (a wire, an expert
/// host), and each stage is busy for `M * C[s] / T` of the time. A node's bubble share is what its
/// stages together leave. See the architecture article, "The schedule".
///
/// Micro-batches come to a node every `P = T / M`, and it computes `C` of each `P`. A hop of time
/// `H` ends where the node's wait ends, so that the wait's `P - C` lies at its end: of each whole
/// `P` before that, `C` is hidden, and of the rest what is longer than the wait.
public struct PipelineForecast: Equatable, Sendable {
    /// Seconds of a round.
    public let roundSeconds: Double

    /// The share of its time that each stage computes.
    public let busyShares: [Double]

    /// The share of its time that the compute threads of each stage wait.
    public let bubbleShares: [Double]

    /// The share of the time of hops that reach each stage under which its compute threads work; 1
    /// where hops take no time.
    public let hiddenShares: [Double]

    /// Applies the arithmetic.
    ///
    /// - Parameters:
    ///   - stageSeconds: Compute of every stage for one micro-batch, in ring order.
    ///   - owners: For every stage, the number of the compute threads that run it.
    ///   - waySeconds: Latency and payload of all hops of a round, and waiting for experts.
    ///   - othersSeconds: The longest that anything but the stages' threads is busy with one.
    public init(
        stageSeconds: [Double], owners: [Int], waySeconds: Double, microBatchCount: Int,
        othersSeconds: Double = 0
    ) {
        var work: [Int: Double] = [:]
        for (seconds, owner) in zip(stageSeconds, owners) { work[owner, default: 0] += seconds }
        let alone = stageSeconds.reduce(waySeconds, +)
        let round = max(alone, Double(microBatchCount) * max(othersSeconds, work.values.max() ?? 0))
        roundSeconds = round
        let share = { (seconds: Double) in
            round > 0 ? min(1, Double(microBatchCount) * seconds / round) : 0
        }
        busyShares = stageSeconds.map(share)
        bubbleShares = owners.map { 1 - share(work[$0, default: 0]) }
        // From the coordinator to the first stage, between the stages, and back.
        let hop = waySeconds / Double(stageSeconds.count + 1)
        let period = round / Double(max(1, microBatchCount))
        hiddenShares = owners.map {
            Self.hiddenShare(ofHop: hop, period: period, work: work[$0, default: 0])
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
        /// Seconds of the hop that reaches the stage.
        public var hopSeconds: Double

        /// Seconds from dispatch to combine, all layers together; 0 where experts are at home.
        public var expertSeconds: Double

        /// Seconds of these in which the stage computes for the same micro-batch.
        public var ownSeconds: Double

        /// Describes what a stage communicates.
        public init(hopSeconds: Double, expertSeconds: Double = 0, ownSeconds: Double = 0) {
            self.hopSeconds = hopSeconds
            self.expertSeconds = expertSeconds
            self.ownSeconds = ownSeconds
        }

        /// Seconds of all of it.
        public var seconds: Double { hopSeconds + expertSeconds }

        /// Seconds of it under which the stage's node computes.
        ///
        /// Meanwhile a node computes for the `M - 1` others: during `(M - 1) * C` of the `T - C` of
        /// a round in which it does not compute for this one. What the stage computes under its
        /// own dispatch is hidden besides.
        ///
        /// - Parameter workSeconds: what the node computes for one micro-batch, all of its stages
        ///   together.
        public func hiddenSeconds(
            workSeconds: Double, roundSeconds: Double, microBatchCount: Int
        ) -> Double {
            let rest = roundSeconds - workSeconds
            let others =
                rest > 0 ? min(1, max(0, Double(microBatchCount - 1) * workSeconds / rest)) : 1
            let own = min(ownSeconds, expertSeconds)
            return own + (seconds - own) * others
        }
    }
}
