import SkeinCore

/// The forward-only arithmetic of a ring in steady decode: scheduler, planner and bench all use it.
///
/// With `C[s]` a stage's time for one micro-batch and `W` the time between stages in one round
/// (latency and payload of all hops, and waits for experts), a micro-batch that finds every node
/// free comes back after
///
///     A = sum of C + W
///
/// Each node works `K = sum of C of its stages` for one micro-batch, and anything else (a wire, an
/// expert host) works `O`. With `M` micro-batches in the ring each comes back after
///
///     T = max( A,  M * max(K, O) )
///
/// so that the busiest node never waits from `M = A / K` on. With nothing between the stages that
/// is one micro-batch for each node, in a line as in a V; every `K` between them asks for one more.
/// With fewer micro-batches the node waits for `1 - M * K / T` of its time; with more nothing is
/// gained and each reads the weights again.
///
/// Nothing is borrowed from DualPipe, whose formulas count on a backward pass to fill the waits.
/// See the architecture article, "The schedule".
public struct RingArithmetic: Equatable, Sendable {
    /// Compute of every stage for one micro-batch, in ring order.
    public let stageSeconds: [Double]

    /// For every stage, the number of the compute threads that run it: stages of one node, or of
    /// one process, take turns.
    public let owners: [Int]

    /// Time between stages in one round: hops, and waits for experts.
    public let waySeconds: Double

    /// What the stages of each owner compute for one micro-batch.
    public let stageWork: [Int: Double]

    /// What each owner computes for one micro-batch, experts of other stages included.
    public let work: [Int: Double]

    /// The longest that anything but compute threads is busy with one micro-batch.
    public var othersSeconds: Double

    /// Describes a ring.
    ///
    /// - Parameter expertSeconds: what owners compute for one micro-batch beside stages.
    public init(
        stageSeconds: [Double], owners: [Int], waySeconds: Double,
        expertSeconds: [Int: Double] = [:], othersSeconds: Double = 0
    ) {
        self.stageSeconds = stageSeconds
        self.owners = owners
        self.waySeconds = waySeconds
        var work: [Int: Double] = [:]
        for (seconds, owner) in zip(stageSeconds, owners) { work[owner, default: 0] += seconds }
        stageWork = work
        work.merge(expertSeconds, uniquingKeysWith: +)
        self.work = work
        self.othersSeconds = othersSeconds
    }

    /// The longest that anything is busy with one micro-batch.
    public var bottleneckSeconds: Double { max(othersSeconds, work.values.max() ?? 0) }

    /// Seconds of a round of a micro-batch that finds every node free.
    public var aloneSeconds: Double { stageSeconds.reduce(waySeconds, +) }

    /// The smallest number of micro-batches that keeps the stages busy.
    ///
    /// It goes by the stages alone, which is all that a schedule can measure; one for each owner
    /// where nothing was measured yet.
    public var microBatchCount: Int {
        guard let busiest = stageWork.values.max(), busiest > 0 else {
            return max(1, stageWork.count)
        }
        // One more for a mere tenth of the bottleneck's time would cost more weight than it hides.
        let count = (aloneSeconds / busiest - 0.1).rounded(.up)
        return Int(min(max(count, 1), Double(Limits.microBatchesInFlightMax)))
    }

    /// What is to be expected with so many micro-batches in the ring.
    public func forecast(microBatchCount: Int) -> PipelineForecast {
        PipelineForecast(of: self, microBatchCount: microBatchCount)
    }
}
