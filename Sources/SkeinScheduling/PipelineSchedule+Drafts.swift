public import SkeinCore

// Which sequences are guessed ahead, and how many tokens.
extension PipelineSchedule {
    /// Says how many tokens may be guessed ahead under the placement in force.
    public mutating func onSpeculation(_ speculation: Speculation) {
        plan.speculation = speculation
    }

    /// Decides at the beginning of a life whether the prediction layer reads along.
    ///
    /// What may follow a token of a constrained sequence is known only after the token, so nothing
    /// is guessed there; captured values concern rows that are there in any case.
    mutating func choosePrediction(for id: SequenceID) {
        let request = table[id].request
        let isWorthIt =
            plan.speculation != .off && request.wantsToken && !request.isConstrained
            && !request.isProbe && request.capture.isEmpty
        let isPredicted = isWorthIt && drafting.readsNext(plan.speculation)
        table.update(id) { $0.isPredicted = isPredicted }
    }

    /// Drafts to ask for with the next token of a sequence: none that could not be given out.
    func draftsWanted(of id: SequenceID) -> Int {
        let state = table[id]
        guard state.isPredicted else { return 0 }
        return max(0, min(drafting.count(plan.speculation), tokensLeft(state) - 2))
    }

    /// The drafts that ride with a sequence's next step.
    ///
    /// - Parameter rowCount: rows that the micro-batch has already.
    func ridingDrafts(of id: SequenceID, beside rowCount: Int) -> [TokenID] {
        let state = table[id]
        // Further sequences have a row each, so all of them have their place.
        guard !state.drafts.isEmpty, rowCount <= Limits.microBatchRowsMax / 2 else { return [] }
        let room = state.pages.count * Limits.pageRowCount - state.tokens.count
        return Array(state.drafts.prefix(max(0, min(room, tokensLeft(state) - 1))))
    }

    /// Tokens after which the sequence ends in any case.
    private func tokensLeft(_ state: SequenceState) -> Int {
        min(
            state.request.stopRule.completionTokensMax - state.completionTokens.count,
            plan.sequencePositionsMax - state.tokens.count)
    }
}
