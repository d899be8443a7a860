internal import SkeinScheduling
internal import SkeinWire

/// What the schedule holds and has done, for whoever measures.
public struct ScheduleCounts: Equatable, Sendable {
    /// Sequences that own pages or have owned some.
    public let runningCount: Int
    /// Sequences in the queue.
    public let waitingCount: Int
    /// Pages of every stage's pool.
    public let pageCount: Int
    /// Pages owned by sequences.
    public let ownedPageCount: Int
    /// Pages kept only because another prompt may begin the same way.
    public let keptPageCount: Int
    /// Sequences that gave up their pages for an older one, since the start.
    public let preemptionCount: Int
    /// Micro-batches in the ring.
    public let inFlightCount: Int
    /// Steps that each node has run since the placement began, as it last said.
    public let nodeStepCounts: [String: UInt64]
}

extension Coordinator {
    /// What the schedule holds and has done.
    public var scheduleCounts: ScheduleCounts {
        ScheduleCounts(
            runningCount: schedule.liveCount - schedule.waitingCount,
            waitingCount: schedule.waitingCount, pageCount: schedule.plan.pageCount,
            ownedPageCount: schedule.ownedPageCount, keptPageCount: schedule.idlePageCount,
            preemptionCount: schedule.tally.preemptionCount,
            inFlightCount: schedule.inFlightCount,
            nodeStepCounts: nodes.compactMapValues(\.alive).mapValues(\.doneStepCount))
    }
}
