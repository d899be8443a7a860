import SkeinCore

/// How ready decode sequences are spread over micro-batches; how many of these the ring should hold
/// is told by ``RingArithmetic``.
enum DecodePlan {
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
    static func spanCount(
        readyCount: Int, liveCount: Int, microBatchCount: Int, inFlightCount: Int
    ) -> Int {
        let freeCount = max(1, microBatchCount - inFlightCount)
        let even = (liveCount + microBatchCount - 1) / microBatchCount
        let share = (readyCount + freeCount - 1) / freeCount
        return min(even, share, Limits.microBatchSpansMax)
    }
}
