/// What the forward-only arithmetic says of a ring in steady decode.
///
/// With `C[s]` a stage's time for one micro-batch, `W` the way (latency and payload of all hops of
/// a round), and `M` micro-batches in the ring, a micro-batch comes round after
///
///     T = max( sum of C + W,  M * max over nodes of (sum of C on the node) )
///
/// and each stage is busy for `M * C[s] / T` of the time. A node's bubble share is what its
/// stages together leave. See the architecture article, "The schedule".
public struct PipelineForecast: Equatable, Sendable {
    /// Seconds of a round.
    public let roundSeconds: Double

    /// The share of its time that each stage computes.
    public let busyShares: [Double]

    /// The share of its time that the compute threads of each stage wait.
    public let bubbleShares: [Double]

    /// Applies the arithmetic.
    ///
    /// - Parameters:
    ///   - stageSeconds: Compute of every stage for one micro-batch, in ring order.
    ///   - owners: For every stage, the number of the compute threads that run it.
    public init(
        stageSeconds: [Double], owners: [Int], waySeconds: Double, microBatchCount: Int
    ) {
        var work: [Int: Double] = [:]
        for (seconds, owner) in zip(stageSeconds, owners) { work[owner, default: 0] += seconds }
        let alone = stageSeconds.reduce(waySeconds, +)
        let round = max(alone, Double(microBatchCount) * (work.values.max() ?? 0))
        roundSeconds = round
        let share = { (seconds: Double) in
            round > 0 ? min(1, Double(microBatchCount) * seconds / round) : 0
        }
        busyShares = stageSeconds.map(share)
        bubbleShares = owners.map { 1 - share(work[$0, default: 0]) }
    }
}
