import SkeinCore

/// How many prompt rows go into a micro-batch, so that decode beside it is not stalled.
///
/// While sequences decode, rows of prompts ride in their micro-batches: the weights are read once
/// for both, where a chunk of its own would read them again and make every stream wait for it. The
/// rows are cut so that a step takes at most `1 + decodeSlowdownMax` times what it takes without
/// them (measured, see ``StepTimes``), or a round at most `roundTimeMin` if that is longer. While
/// none decodes, nobody waits, and chunks have `rowsMax` rows.
public struct PrefillBudget: Equatable, Sendable {
    /// Prompt rows of a micro-batch at most.
    public var rowsMax: Int

    /// Prompt rows of a micro-batch at least, however slow the stages are.
    public var rowsMin: Int

    /// By how much of its time a decode step may grow for the prompt rows that ride with it.
    public var decodeSlowdownMax: Double

    /// A round that is shorter than this is never too long: nobody reads forty tokens a second.
    public var roundTimeMin: Duration

    /// Bounds prefill by rows, and beside decode by time.
    public init(
        rowsMax: Int = 256, rowsMin: Int = 4, decodeSlowdownMax: Double = 0.6,
        roundTimeMin: Duration = .milliseconds(25)
    ) {
        self.rowsMax = min(max(rowsMax, 1), Limits.microBatchRowsMax)
        self.rowsMin = min(max(rowsMin, 1), self.rowsMax)
        self.decodeSlowdownMax = max(0, decodeSlowdownMax)
        self.roundTimeMin = max(.zero, roundTimeMin)
    }

    /// Prompt rows that may ride with `decodeRowCount` rows of decode.
    ///
    /// None where the time without riders is not known: the step then measures it. A ring that
    /// measures nothing takes the fewest.
    func rowsBesideDecode(_ decodeRowCount: Int, times: StepTimes, stageCount: Int) -> Int {
        if times.isEmpty { return rowsMin }
        guard times.isKnown(rowCount: decodeRowCount),
            let alone = times.time(ofRows: decodeRowCount)
        else { return 0 }
        let bound = max(alone * (1 + decodeSlowdownMax), roundTimeMin / stageCount)
        let filled = times.rowsMax(ownRows: decodeRowCount + rowsMin, within: bound)
        return min(filled - decodeRowCount, rowsMax)
    }
}

/// Cuts what is left of a sequence into the next chunk.
struct PrefillPlan {
    /// Rows that the micro-batch still has room for, and that the sequence allows.
    let rowsMax: Int

    /// Positions of the next chunk.
    ///
    /// A sequence is replayed with the tokens that it had produced. Scores are wanted for prompt
    /// rows only and a span has them for all rows or none, so a chunk ends at the prompt's end as
    /// long as scores are owed.
    func chunk(of state: SequenceState) -> Range<Int> {
        let first = state.rowsSent
        let promptEnd = state.request.promptTokens.count
        let end = state.owesScores && first < promptEnd ? promptEnd : state.tokens.count
        return first..<min(end, first + rowsMax)
    }

    /// Rows that the oldest prompt takes where others wait behind it.
    ///
    /// A quarter is left to those behind, who share it in the same way: a short question then does
    /// not wait for the whole of a long one, and the oldest is hardly later for it.
    static func share(of rowCount: Int, othersWait: Bool) -> Int {
        othersWait ? max(1, rowCount - rowCount / 4) : rowCount
    }
}
