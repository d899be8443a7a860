/// What a schedule holds and has done: the one snapshot for status, metrics and simulations.
public struct ScheduleCounts: Equatable, Sendable {
    /// Sequences that have arrived and not departed; the cluster's own probe is none of them.
    public var liveCount: Int
    /// Sequences in the queue.
    public var waitingCount: Int
    /// Sequences that the queue holds at most.
    public var waitingMax: Int
    /// Sequences that have begun: they own pages or are in the ring.
    public var runningCount: Int
    /// Micro-batches in the ring.
    public var inFlightCount: Int
    /// Micro-batches that may be in the ring.
    public var inFlightMax: Int
    /// Pages of every stage's pool.
    public var pageCount: Int
    /// Pages owned by sequences.
    public var ownedPageCount: Int
    /// Pages that no sequence owns, kept for the rows of a known beginning.
    public var idlePageCount: Int
    /// What has happened since the schedule was opened.
    public var totals: Totals

    /// What a schedule has done since it was opened.
    public struct Totals: Equatable, Sendable {
        /// Sequences taken in.
        public var arrivalCount = 0
        /// Sequences ended, for whatever reason.
        public var finishCount = 0
        /// Micro-batches sent.
        public var sendCount = 0
        /// Micro-batches returned in their own epoch.
        public var returnCount = 0
        /// Returns of an older epoch, dropped.
        public var staleReturnCount = 0
        /// Sequences that gave up their pages for an older one.
        public var preemptionCount = 0
        /// Rows put into the ring by prefill, replays included.
        public var prefillRowCount = 0
        /// Rows put into the ring by decode.
        public var decodeRowCount = 0
        /// Rows that another sequence's pages stood in for, replays included.
        public var reusedRowCount = 0
        /// Prompt tokens of the sequences that have begun.
        public var promptTokenCount = 0
        /// Those of them that were not run, since their rows were known when the sequence began.
        public var cachedTokenCount = 0
        /// Idle pages that were given up for others.
        public var evictionCount = 0
        /// Drafts that were verified, by their place among those of a step.
        public var draftCounts = [Int](repeating: 0, count: Limits.draftsMax)
        /// Those of them that were right.
        public var acceptedDraftCounts = [Int](repeating: 0, count: Limits.draftsMax)

        /// Nothing has happened yet.
        public init() {}
    }

    /// States what a schedule holds.
    public init(
        liveCount: Int, waitingCount: Int, waitingMax: Int, runningCount: Int, inFlightCount: Int,
        inFlightMax: Int, pageCount: Int, ownedPageCount: Int, idlePageCount: Int, totals: Totals
    ) {
        self.liveCount = liveCount
        self.waitingCount = waitingCount
        self.waitingMax = waitingMax
        self.runningCount = runningCount
        self.inFlightCount = inFlightCount
        self.inFlightMax = inFlightMax
        self.pageCount = pageCount
        self.ownedPageCount = ownedPageCount
        self.idlePageCount = idlePageCount
        self.totals = totals
    }
}
