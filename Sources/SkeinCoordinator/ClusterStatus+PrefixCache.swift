internal import SkeinScheduling

extension ClusterStatus {
    /// What the reuse of equal beginnings has brought since the coordinator started.
    public struct PrefixCache: Equatable, Sendable {
        /// Prompt tokens that were not run, since their rows were known.
        public let cachedTokenCount: Int
        /// Prompt tokens of all sequences that have begun.
        public let promptTokenCount: Int
        /// Rows that were put into the ring to fill the cache, replays included.
        public let prefillRowCount: Int
        /// Pages that no sequence owns, kept for their rows.
        public let idlePageCount: Int
        /// Pages that were kept for their rows and given up for others.
        public let evictionCount: Int

        init(_ schedule: PipelineSchedule) {
            cachedTokenCount = schedule.tally.cachedTokenCount
            promptTokenCount = schedule.tally.promptTokenCount
            prefillRowCount = schedule.tally.prefillRowCount
            idlePageCount = schedule.idlePageCount
            evictionCount = schedule.tally.evictionCount
        }
    }
}
