public import SkeinCore

/// How decode sequences are spread over micro-batches.
///
/// Forward-only arithmetic (no backward pass fills the bubbles, so the training formulas of
/// DualPipe do not apply). A micro-batch computes for `C` on each of `S` stages, and between two
/// nodes it pays the latency `L` and the payload time `B`. Alone, its round takes
///
///     linear: T = S * C + (S - 1) * (L + B) + L         the return carries tokens only
///     vfold:  T = S * C + (S - 2) * (L + B)             the turn and the return stay on a node
///
/// The busiest node works `k * C` for each micro-batch: `k` is 1 for linear and 2 for vfold. All
/// nodes are busy when the micro-batches in the ring bring at least a round's worth of work:
///
///     M * max(k * C, B) >= T        so        M = ceil(T / max(k * C, B))
///
/// With no latency that is `S` for linear, `S / 2` for vfold: one for each node. Every `k * C`
/// spent on the way asks for one more. With fewer, the bubble share of a node is
/// `1 - M * k * C / T`. With more, nothing is gained and each micro-batch reads the weights again.
public enum DecodePlan {
    /// The smallest number of decode micro-batches that keeps the stages busy.
    ///
    /// - Parameters:
    ///   - stageCount: Stages of the ring; for vfold twice the number of nodes.
    ///   - compute: A stage's time for one decode micro-batch; zero where it was not measured.
    ///   - latency: One way between two nodes.
    ///   - payload: Time that the activations of one micro-batch need on a link.
    ///   - placement: How the stages lie on nodes.
    public static func microBatchCount(
        stageCount: Int, compute: Duration, latency: Duration, payload: Duration,
        placement: PlacementKind = .linear
    ) -> Int {
        let stagesPerNode = placement == .vfold ? 2 : 1
        let nodeCount = max(1, stageCount / stagesPerNode)
        let bottleneck = max(compute * stagesPerNode, payload)
        guard compute > .zero else { return nodeCount }
        let round = roundTime(
            stageCount: stageCount, compute: compute, latency: latency, payload: payload,
            placement: placement)
        // A count that a timer's last digit lifts above a whole number is not one more.
        let count = (round / bottleneck - 1e-6).rounded(.up)
        return Int(min(max(count, 1), Double(Limits.microBatchesInFlightMax)))
    }

    /// The same from measured times, which need not be even.
    ///
    /// - Parameters:
    ///   - stageTimes: Compute of every stage for one decode micro-batch, in ring order.
    ///   - owners: For every stage, the number of the compute threads that run it: stages of one
    ///     node, or of one process, take turns.
    ///   - way: Latency and payload of all hops of a round.
    public static func microBatchCount(
        stageTimes: [Duration], owners: [Int], way: Duration
    ) -> Int {
        var work: [Int: Duration] = [:]
        for (time, owner) in zip(stageTimes, owners) { work[owner, default: .zero] += time }
        guard let bottleneck = work.values.max(), bottleneck > .zero else {
            return max(1, work.count)
        }
        // One more for a mere tenth of the bottleneck's time would cost more weight than it hides.
        let count = ((stageTimes.reduce(way, +)) / bottleneck - 0.1).rounded(.up)
        return Int(min(max(count, 1), Double(Limits.microBatchesInFlightMax)))
    }

    /// The time of one round of a micro-batch that is alone in the ring.
    public static func roundTime(
        stageCount: Int, compute: Duration, latency: Duration, payload: Duration,
        placement: PlacementKind = .linear
    ) -> Duration {
        let hops = placement == .vfold ? max(0, stageCount - 2) : stageCount - 1
        let back = placement == .vfold || stageCount == 1 ? Duration.zero : latency
        return compute * stageCount + (latency + payload) * hops + back
    }

    /// The share of its time that the busiest node waits, with so many micro-batches in the ring.
    public static func bubbleShare(
        microBatchCount: Int, stageCount: Int, compute: Duration, latency: Duration,
        payload: Duration, placement: PlacementKind = .linear
    ) -> Double {
        let round = roundTime(
            stageCount: stageCount, compute: compute, latency: latency, payload: payload,
            placement: placement)
        let work = compute * (placement == .vfold ? 2 : 1)
        let cycle = max(round, max(work, payload) * microBatchCount)
        guard cycle > .zero else { return 0 }
        return max(0, 1 - work * microBatchCount / cycle)
    }

    /// Sequences of the next decode micro-batch.
    ///
    /// The live sequences are spread evenly: no micro-batch takes more than
    /// `ceil(live / microBatchCount)`, and those that are ready share the free places evenly too,
    /// so that a burst is not packed into one micro-batch while the others stay empty.
    ///
    /// - Parameters:
    ///   - readyCount: Sequences that wait for their next step.
    ///   - liveCount: Sequences that decode, in the ring or ready.
    ///   - microBatchCount: Decode micro-batches that the ring should hold.
    ///   - inFlightCount: Decode micro-batches that it holds.
    public static func spanCount(
        readyCount: Int, liveCount: Int, microBatchCount: Int, inFlightCount: Int
    ) -> Int {
        let freeCount = max(1, microBatchCount - inFlightCount)
        let even = (liveCount + microBatchCount - 1) / microBatchCount
        let share = (readyCount + freeCount - 1) / freeCount
        return min(even, share, Limits.microBatchSpansMax)
    }
}
