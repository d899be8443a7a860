import SkeinCore

// What comes back: rows land, scores and tokens are given out, ended sequences depart.
extension PipelineSchedule {
    /// Why the sequence could never run, or `nil`.
    func refusal(of request: SequenceRequest) -> Refusal? {
        let count = request.promptTokens.count + request.completionTokens.count
        guard !request.promptTokens.isEmpty else {
            return Refusal("prompt", "is empty, expected at least one token")
        }
        // A token that is wanted needs a position of its own.
        let needed = count + (request.wantsToken ? 1 : 0)
        if needed > plan.positionCountMax {
            return Refusal(
                "prompt",
                "needs \(needed) positions, the model's context has \(plan.positionCountMax)")
        }
        if needed > plan.sequencePositionsMax {
            return Refusal(
                "prompt",
                "needs \(needed) positions, the latent cache holds \(plan.sequencePositionsMax) "
                    + "(\(plan.pageCount) pages of \(Limits.pageRowCount) rows)")
        }
        return nil
    }

    /// The micro-batch that a return answers, once everything in the return was checked.
    func answered(by tokenReturn: TokenReturn) throws(Refusal) -> MicroBatch {
        let subject = "token return of micro-batch \(tokenReturn.microBatch.rawValue)"
        guard tokenReturn.epoch == epoch else {
            throw Refusal(
                subject, "has epoch \(tokenReturn.epoch.rawValue), the ring has \(epoch.rawValue)")
        }
        guard let microBatch = flights[tokenReturn.microBatch] else {
            throw Refusal(subject, "answers none in flight")
        }
        let asking = microBatch.spans.filter { $0.demand != nil }
        guard tokenReturn.tokens.count == asking.count else {
            throw Refusal(
                subject, "has \(tokenReturn.tokens.count) tokens, \(asking.count) were asked for")
        }
        for (span, token) in zip(asking, tokenReturn.tokens) {
            let position = span.firstPosition + span.tokens.count
            guard token.sequence == span.sequence, token.position == position else {
                throw Refusal(
                    subject,
                    "has a token of sequence \(token.sequence.rawValue) at position "
                        + "\(token.position), expected sequence \(span.sequence.rawValue) at "
                        + "position \(position)")
            }
        }
        let targetCount = microBatch.spans.reduce(0) { $0 + $1.targets.count }
        guard tokenReturn.targetScores.count == targetCount else {
            throw Refusal(
                subject,
                "has \(tokenReturn.targetScores.count) scores, \(targetCount) were asked for")
        }
        return microBatch
    }

    /// The span's rows are in every stage's cache.
    mutating func land(_ span: SequenceSpan) {
        if let copy = span.pageCopy {
            allocator.release([copy.source])
            table.update(span.sequence) { $0.copiedPage = nil }
        }
        let isPrefilled = table.update(span.sequence) { state in
            state.inFlightCount -= 1
            // Where a row before these is missing, they are worth nothing.
            if span.firstWrittenPosition <= state.rowsReturned {
                state.rowsReturned = max(
                    state.rowsReturned, span.firstPosition + span.tokens.count)
            }
            return state.life == .prefilling && state.rowsReturned == state.tokens.count
        }
        indexPages(of: span.sequence, includesTail: isPrefilled)
    }

    /// Gives out scores; those of a replay that were given out before are dropped.
    mutating func accept(
        _ scores: ArraySlice<TargetScore>, of span: SequenceSpan, into directives: inout [Directive]
    ) {
        guard !scores.isEmpty else { return }
        let end = span.firstPosition + scores.count
        let first = table.update(span.sequence) { state -> Int? in
            guard state.life != .ending, end > state.scoredCount else { return nil }
            let first = max(state.scoredCount, span.firstPosition)
            state.scoredCount = end
            return first
        }
        guard let first else { return }
        let fresh = Array(scores.dropFirst(first - span.firstPosition))
        directives.append(.score(span.sequence, firstPosition: first, fresh))
    }

    /// Gives out a token, and ends the sequence where its rule says so.
    ///
    /// A token of a preempted sequence counts: the replay continues after it.
    mutating func accept(
        _ token: SampledToken?, of id: SequenceID, into directives: inout [Directive]
    ) {
        guard table[id].life != .ending else { return }
        guard let token else {
            if isScoredOnly(table[id]) { finish(id, .length, into: &directives) }
            return
        }
        let positionsMax = plan.sequencePositionsMax
        let (reason, goesOn) = table.update(id) { state in
            precondition(token.position == state.tokens.count, "token out of order")
            state.tokens.append(token.token)
            let reason = state.request.stopRule.reason(
                after: token.token, completionCount: state.completionTokens.count,
                tokenCount: state.tokens.count, positionCountMax: positionsMax)
            let goesOn = reason == nil && state.life != .preempted
            if goesOn {
                state.life = .decoding
                state.isInterrupted = false
            }
            state.awaitsAllowance = reason == nil && state.request.isConstrained
            return (reason, goesOn && !state.awaitsAllowance)
        }
        directives.append(.deliver(id, [token]))
        if let reason { finish(id, reason, into: &directives) }
        if goesOn { ready.append(id) }
    }

    /// Whether a sequence that wants no token has run to its end.
    private func isScoredOnly(_ state: SequenceState) -> Bool {
        !state.request.wantsToken && state.life == .prefilling && state.inFlightCount == 0
            && state.rowsSent == state.tokens.count
    }

    mutating func finish(
        _ id: SequenceID, _ reason: FinishReason, into directives: inout [Directive]
    ) {
        table.update(id) { $0.life = .ending }
        if !table[id].request.isProbe { totals.finishCount += 1 }
        directives.append(.finished(id, reason))
    }

    /// Frees the pages of a sequence that leaves the ring and has nothing in flight any more.
    mutating func settle(_ id: SequenceID, into directives: inout [Directive]) {
        let state = table[id]
        let leaves = state.life == .ending || state.life == .preempted
        guard leaves, state.inFlightCount == 0 else { return }
        giveBack(id)
        ready.removeAll { $0 == id }
        if state.life == .ending {
            table.depart(id)
        } else {
            table.wait(id)
        }
        if state.rowsSent > 0 { directives.append(.release([id])) }
    }
}
