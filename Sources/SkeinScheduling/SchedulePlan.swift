public import SkeinCore

/// The numbers that the schedule runs by; a planner makes them, measurements change them.
public struct SchedulePlan: Equatable, Sendable {
    /// Places in the ring.
    public var stageCount: Int

    /// Credits: micro-batches in the ring at most.
    public var microBatchesInFlightMax: Int

    /// Decode micro-batches in the ring at most; see ``RingArithmetic``.
    public var decodeMicroBatchCount: Int

    /// Prefill micro-batches in the ring at most.
    public var prefillMicroBatchCount: Int

    /// How many rows a prefill micro-batch may have.
    public var prefillBudget: PrefillBudget

    /// Pages of the latent cache on every stage.
    public var pageCount: Int

    /// Positions that the model's context has.
    public var positionCountMax: Int

    /// Sequences that own pages at the same time, at most.
    public var runningSequencesMax: Int

    /// Sequences that wait for their start, at most; further ones are told to come later.
    public var waitingSequencesMax: Int

    /// For every stage, the number of the compute threads that run it; stages that share them take
    /// turns.
    public var computeOwners: [Int]

    /// Whether the number of decode micro-batches follows what is measured.
    public var followsMeasurements: Bool

    /// Whether sequences of one tenant share the pages of equal beginnings.
    public var reusesPrefixes: Bool

    /// How many tokens are guessed ahead.
    public var speculation = Speculation.off

    /// Plans a ring; counts that are left out follow from the number of stages.
    ///
    /// - Precondition: All counts are positive and within `Limits`.
    public init(
        stageCount: Int, pageCount: Int, positionCountMax: Int,
        microBatchesInFlightMax: Int? = nil, decodeMicroBatchCount: Int? = nil,
        prefillMicroBatchCount: Int? = nil, prefillBudget: PrefillBudget = PrefillBudget(),
        runningSequencesMax: Int = 256, waitingSequencesMax: Int = 1_024,
        computeOwners: [Int]? = nil, followsMeasurements: Bool = false,
        reusesPrefixes: Bool = false
    ) {
        self.stageCount = stageCount
        self.pageCount = pageCount
        self.positionCountMax = positionCountMax
        let decodeCount = decodeMicroBatchCount ?? stageCount
        let prefillCount = prefillMicroBatchCount ?? stageCount
        self.decodeMicroBatchCount = decodeCount
        self.prefillMicroBatchCount = prefillCount
        self.microBatchesInFlightMax =
            microBatchesInFlightMax
            ?? min(decodeCount + prefillCount, Limits.microBatchesInFlightMax)
        self.prefillBudget = prefillBudget
        self.runningSequencesMax = runningSequencesMax
        self.waitingSequencesMax = waitingSequencesMax
        self.computeOwners = computeOwners ?? Array(0..<stageCount)
        self.followsMeasurements = followsMeasurements
        self.reusesPrefixes = reusesPrefixes
        check()
    }

    /// Positions that a sequence can reach: the context, or all pages if they hold less.
    public var sequencePositionsMax: Int {
        let (rows, overflows) = pageCount.multipliedReportingOverflow(by: Limits.pageRowCount)
        return overflows ? positionCountMax : min(positionCountMax, rows)
    }

    func check() {
        precondition((1...Limits.stagesMax).contains(stageCount), "stages: \(stageCount)")
        precondition(
            (1...Limits.microBatchesInFlightMax).contains(microBatchesInFlightMax),
            "micro-batches in flight: \(microBatchesInFlightMax)")
        precondition(decodeMicroBatchCount >= 1, "decode: \(decodeMicroBatchCount)")
        precondition(prefillMicroBatchCount >= 1, "prefill: \(prefillMicroBatchCount)")
        precondition(pageCount >= 1 && pageCount <= Int(Int32.max), "pages: \(pageCount)")
        precondition(positionCountMax >= 1, "positions: \(positionCountMax)")
        precondition(runningSequencesMax >= 1, "running: \(runningSequencesMax)")
        precondition(waitingSequencesMax >= 0, "waiting: \(waitingSequencesMax)")
        precondition(computeOwners.count == stageCount, "owners of \(computeOwners.count) stages")
    }
}
