internal import Logging
internal import SkeinCore
internal import SkeinJournal
internal import SkeinScheduling
internal import SkeinText

// Requests: taken in, followed where they are constrained, ended.
extension Head {
    /// Takes in a request; its reader is opened before the directives are carried out.
    ///
    /// - Parameter beginning: what may come first, where the request is constrained.
    /// - Throws: an error where the request can never run here, or too many wait.
    mutating func submit(
        _ request: GenerationRequest, beginning: AnswerConstraint.Outcome? = nil, now: Duration
    ) throws(AdmissionError) -> SequenceID {
        self.now = now
        if let endReason { throw .ended(endReason) }
        try checkKeeping(of: request)
        do throws(Refusal) { try check(request) } catch { throw .invalid(error) }
        let progress = try Self.progress(of: request, beginning)
        let id = newSequence()
        live[id] = LiveRequest(request: request, progress: progress)
        for directive in schedule.onArrival(request.arrival(id)) {
            switch directive {
            case .refuse(_, let refusal):
                live[id] = nil
                throw .invalid(refusal)
            case .busy(_, let refusal):
                live[id] = nil
                throw .busy(refusal)
            default: carryOut(directive)
            }
        }
        keep(request, as: id)
        fillRing()
        return id
    }

    /// A number that no sequence had before.
    mutating func newSequence() -> SequenceID {
        defer { nextSequenceNumber += 1 }
        return SequenceID(rawValue: nextSequenceNumber)
    }

    /// Ends a sequence whose text is complete.
    mutating func stop(_ sequence: SequenceID, now: Duration) {
        self.now = now
        carryOut(schedule.onStop(sequence))
        fillRing()
    }

    /// Ends a sequence whose client went away; its pages are free within one round.
    mutating func cancel(_ sequence: SequenceID, now: Duration) {
        self.now = now
        carryOut(schedule.onCancel(sequence))
        fillRing()
    }

    /// It has been worked out what follows tokens of constrained answers.
    mutating func onOutcomes(
        _ outcomes: [(sequence: SequenceID, outcome: AnswerConstraint.Outcome)], now: Duration
    ) {
        self.now = now
        for (id, outcome) in outcomes {
            live[id]?.progress?.isBeingWorkedOut = false
            settle(id, outcome)
            finishIfComplete(id)
        }
        fillRing()
    }

    /// Refuses what no stage should ever see.
    private func check(_ request: GenerationRequest) throws(Refusal) {
        let vocabularySize = settings.configuration.vocabularySize
        let known = 0..<Int32(clamping: vocabularySize)
        if let stray = request.promptTokens.first(where: { !known.contains($0.rawValue) }) {
            throw Refusal(
                "prompt", "token \(stray) is outside the vocabulary of \(vocabularySize)")
        }
        let biased = request.sampling.logitBias.keys
        if let stray = biased.first(where: { !known.contains($0.rawValue) }) {
            throw Refusal(
                "logit_bias", "token \(stray) is outside the vocabulary of \(vocabularySize)")
        }
        if let rows = request.chunkRowCount, rows < 1 || rows > Limits.microBatchRowsMax {
            throw Refusal("chunk", "is \(rows), expected 1 to \(Limits.microBatchRowsMax)")
        }
    }

    // MARK: Constrained answers
    //
    // What may follow is worked out at the head, where every token is known before the next one is
    // asked for. Stages are told it with each step and keep nothing, so a replay on other stages
    // draws the same.

    static func progress(
        of request: GenerationRequest, _ beginning: AnswerConstraint.Outcome?
    ) throws(AdmissionError) -> ConstraintProgress? {
        guard let constraint = request.constraint else { return nil }
        switch beginning ?? constraint.beginning() {
        case .goesOn(let state, let allowed):
            return ConstraintProgress(constraint: constraint, state: state, allowed: allowed)
        case .complete:
            throw .invalid(Refusal("constraint", "allows nothing but an empty answer"))
        case .stuck(let refusal): throw .invalid(refusal)
        }
    }

    /// Adds to the spans of a micro-batch which tokens may be drawn.
    func addAllowedTokens(to microBatch: inout MicroBatch) {
        for place in microBatch.spans.indices where microBatch.spans[place].demand != nil {
            let progress = live[microBatch.spans[place].sequence]?.progress
            microBatch.spans[place].demand?.allowed = progress?.allowed
        }
    }

    /// Follows a drawn token: at once where it is known what it leads to, and else later.
    mutating func follow(_ token: TokenID, of id: SequenceID) {
        guard let progress = live[id]?.progress else { return }
        if let outcome = progress.constraint.knownOutcome(after: token, in: progress.state) {
            return settle(id, outcome)
        }
        live[id]?.progress?.isBeingWorkedOut = true
        constraintQuestions.append(
            ConstraintDesk.Question(
                sequence: id, token: token, constraint: progress.constraint,
                state: progress.state))
    }

    /// Has the questions of one return worked out together: their sequences go on together, as they
    /// came, and share the next micro-batch.
    mutating func askConstraintQuestions() {
        guard !constraintQuestions.isEmpty else { return }
        add(.workOut(constraintQuestions))
        constraintQuestions = []
    }

    /// Carries out what follows a token of a constrained answer.
    private mutating func settle(_ id: SequenceID, _ outcome: AnswerConstraint.Outcome) {
        guard let request = live[id]?.request else { return }
        switch outcome {
        case .goesOn(let state, let allowed):
            live[id]?.progress?.state = state
            live[id]?.progress?.allowed = allowed
            schedule.onAllowed(id)
        case .complete:
            live[id]?.progress?.isComplete = true
            carryOut(schedule.onStop(id))
        case .stuck(let refusal):
            log(.error, "\(refusal)", ["request": "\(request.printableLabel)"])
            close(id, refusal)
            carryOut(schedule.onCancel(id))
        }
    }

    /// Ends a request that has failed.
    mutating func close(_ id: SequenceID, _ refusal: Refusal) {
        guard live[id] != nil else { return }
        record(.ended(id, .failed(refusal)), of: id)
        live[id] = nil
        show(.close(id, refusal))
    }
}

extension GenerationRequest {
    /// The request as the schedule takes it in.
    func arrival(_ id: SequenceID) -> SequenceRequest {
        var arrival = SequenceRequest(
            id: id, promptTokens: promptTokens,
            stopRule: StopRule(completionTokensMax: newTokensMax, stopTokens: stopTokens),
            sampling: sampling, capture: capture, chunkRowsMax: chunkRowCount, tenant: tenant,
            label: printableLabel, isConstrained: constraint != nil)
        if scoresPrompt {
            // The last row has no known successor: its score is of a token that stands in. An empty
            // prompt is refused by the schedule.
            arrival.targets = Array(promptTokens.dropFirst()) + promptTokens.prefix(1)
        }
        return arrival
    }
}
