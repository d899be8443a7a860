import SkeinCore

/// How many rows a prefill micro-batch may have, so that decode beside it is not stalled.
///
/// A stage is busy with a chunk of `n` rows for about `fixedSeconds + n * secondsPerRow`. While
/// sequences decode, each of them waits that long once a round for every chunk in the ring, so
/// the rows are cut to what fits into `stepBudgetSeconds`. While none decodes, nobody waits.
public struct PrefillBudget: Equatable, Sendable {
    /// Rows of a prefill micro-batch at most.
    public var rowsMax: Int

    /// Rows of a prefill micro-batch at least, however slow the stages are.
    public var rowsMin: Int

    /// Seconds of one stage's step that a chunk may cost beside decode; `nil` sets no such bound.
    public var stepBudgetSeconds: Double?

    /// Measured seconds of the slowest stage's step before the first row.
    public var fixedSeconds: Double

    /// Measured seconds of the slowest stage's step for each row; 0 means not measured yet.
    public var secondsPerRow: Double

    /// Bounds prefill by rows, and by time where time was measured.
    public init(
        rowsMax: Int = 256, rowsMin: Int = 16, stepBudgetSeconds: Double? = nil,
        fixedSeconds: Double = 0, secondsPerRow: Double = 0
    ) {
        self.rowsMax = min(max(rowsMax, 1), Limits.microBatchRowsMax)
        self.rowsMin = min(max(rowsMin, 1), self.rowsMax)
        self.stepBudgetSeconds = stepBudgetSeconds
        self.fixedSeconds = fixedSeconds
        self.secondsPerRow = secondsPerRow
    }

    /// Rows of a chunk that goes into the ring while sequences decode.
    public var rowsBesideDecode: Int {
        guard let budget = stepBudgetSeconds, secondsPerRow > 0 else { return rowsMax }
        let rows = (budget - fixedSeconds) / secondsPerRow
        guard rows > Double(rowsMin) else { return rowsMin }
        return rows < Double(rowsMax) ? Int(rows) : rowsMax
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
}
