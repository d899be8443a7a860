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
        try check(tokenReturn, of: microBatch.spans.filter { $0.demand != nil }, subject)
        let targetCount = microBatch.spans.reduce(0) { $0 + $1.targets.count }
        guard tokenReturn.targetScores.count == targetCount else {
            throw Refusal(
                subject,
                "has \(tokenReturn.targetScores.count) scores, \(targetCount) were asked for")
        }
        return microBatch
    }

    /// Checks that each span has its token, and further ones only for drafts that were right.
    private func check(
        _ tokenReturn: TokenReturn, of asking: [SequenceSpan], _ subject: String
    ) throws(Refusal) {
        var tokens = tokenReturn.tokens[...]
        for span in asking {
            let first = span.firstPosition + span.tokens.count - span.draftCount
            var expected = 0..<1
            while expected.lowerBound < expected.upperBound {
                let position = first + expected.lowerBound
                guard let token = tokens.popFirst() else {
                    throw Refusal(
                        subject,
                        "has \(tokenReturn.tokens.count) tokens, \(asking.count) were asked for")
                }
                guard token.sequence == span.sequence, token.position == position else {
                    throw Refusal(
                        subject,
                        "has a token of sequence \(token.sequence.rawValue) at position "
                            + "\(token.position), expected sequence \(span.sequence.rawValue) at "
                            + "position \(position)")
                }
                let isDraft =
                    span.drafts.dropFirst(expected.lowerBound).first == token.token
                expected = (expected.lowerBound + 1)..<(expected.upperBound + (isDraft ? 1 : 0))
            }
        }
        guard tokens.isEmpty else {
            throw Refusal(
                subject,
                "has \(tokenReturn.tokens.count) tokens, \(asking.count) were asked for")
        }
        guard tokenReturn.drafts.isEmpty || tokenReturn.drafts.count == asking.count,
            zip(tokenReturn.drafts, asking).allSatisfy({ $0.count <= $1.draftsWantedCount })
        else { throw Refusal(subject, "has more drafts than were asked for") }
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
                    state.rowsReturned,
                    span.firstPosition + span.tokens.count - span.draftCount)
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

    /// Gives out a span's tokens as if they had come one by one, up to the one with which the
    /// sequence ends, if any.
    ///
    /// Tokens of a preempted sequence count: the replay continues after them.
    mutating func accept(
        _ drawn: ArraySlice<SampledToken>, drafts: [TokenID], of span: SequenceSpan,
        into directives: inout [Directive]
    ) {
        let id = span.sequence
        guard table[id].life != .ending else { return }
        if drawn.isEmpty, isScoredOnly(table[id]) { finish(id, .length, into: &directives) }
        var given: [SampledToken] = []
        for token in drawn {
            given.append(token)
            guard let reason = take(token, isAccepted: given.count < drawn.count, of: id) else {
                continue
            }
            directives.append(.deliver(id, given))
            // Drafts behind the end are neither right nor wrong.
            count(span, acceptedCount: given.count - 1, judgedCount: given.count - 1)
            return finish(id, reason, into: &directives)
        }
        guard !given.isEmpty else { return }
        directives.append(.deliver(id, given))
        count(span, acceptedCount: given.count - 1, judgedCount: given.count)
        let isReady = table.update(id) { state in
            let goesOn = state.life != .preempted
            if goesOn {
                state.life = .decoding
                state.isInterrupted = false
                state.drafts = drafts
            }
            state.awaitsAllowance = state.request.isConstrained
            return goesOn && !state.awaitsAllowance
        }
        if isReady { ready.append(id) }
    }

    /// Adds a token to its sequence.
    ///
    /// - Parameter isAccepted: whether its row was run as a draft, and so is cached by every stage.
    /// - Returns: why the sequence ends with it, if it does.
    private mutating func take(
        _ token: SampledToken, isAccepted: Bool, of id: SequenceID
    ) -> FinishReason? {
        let positionsMax = plan.sequencePositionsMax
        return table.update(id) { state in
            precondition(token.position == state.tokens.count, "token out of order")
            state.tokens.append(token.token)
            if isAccepted, state.rowsReturned == token.position { state.rowsReturned += 1 }
            state.rowsSent = max(state.rowsSent, state.rowsReturned)
            return state.request.stopRule.reason(
                after: token.token, completionCount: state.completionTokens.count,
                tokenCount: state.tokens.count, positionCountMax: positionsMax)
        }
    }

    /// Counts drafts that were verified: up to the first that was wrong.
    private mutating func count(_ span: SequenceSpan, acceptedCount: Int, judgedCount: Int) {
        let places = 0..<min(span.draftCount, judgedCount)
        guard !places.isEmpty, !table[span.sequence].request.isProbe else { return }
        var counts = table[span.sequence].draftCounts ?? DraftCounts()
        for place in places {
            let isAccepted = place < acceptedCount
            totals.draftCounts[place] += 1
            totals.acceptedDraftCounts[place] += isAccepted ? 1 : 0
            counts.acceptedCount += isAccepted ? 1 : 0
            counts.rejectedCount += isAccepted ? 0 : 1
        }
        table.update(span.sequence) { $0.draftCounts = counts }
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
        if let counts = table[id].draftCounts { directives.append(.drafted(id, counts)) }
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
