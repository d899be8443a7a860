internal import Logging
internal import SkeinCore
internal import SkeinScheduling
internal import SkeinText

// Constrained answers: what may follow is worked out here, where every token is known before the
// next one is asked for. Stages are told it with each step and keep nothing, so a replay on other
// stages draws the same.
extension Coordinator {
    /// Where a constrained answer begins.
    func progress(of request: GenerationRequest) async throws(Refusal) -> ConstraintProgress? {
        guard let constraint = request.constraint else { return nil }
        switch await constraintDesk.beginning(of: constraint) {
        case .goesOn(let state, let allowed):
            return ConstraintProgress(constraint: constraint, state: state, allowed: allowed)
        case .complete: throw Refusal("constraint", "allows nothing but an empty answer")
        case .stuck(let refusal): throw refusal
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
    func follow(_ token: TokenID, of id: SequenceID) async {
        guard let progress = live[id]?.progress else { return }
        if let outcome = progress.constraint.knownOutcome(after: token, in: progress.state) {
            return await settle(id, outcome)
        }
        live[id]?.progress?.isBeingWorkedOut = true
        constraintQuestions.append(
            ConstraintDesk.Question(
                sequence: id, token: token, constraint: progress.constraint,
                state: progress.state))
    }

    /// Has the questions of one return worked out together: their sequences go on together, as they
    /// came, and share the next micro-batch.
    func askConstraintDesk() {
        guard !constraintQuestions.isEmpty else { return }
        let questions = constraintQuestions
        constraintQuestions = []
        Task {
            for (id, outcome) in await constraintDesk.outcomes(of: questions) {
                live[id]?.progress?.isBeingWorkedOut = false
                await settle(id, outcome)
                finishIfComplete(id)
            }
            await pump()
        }
    }

    /// Carries out what follows a token of a constrained answer.
    private func settle(_ id: SequenceID, _ outcome: AnswerConstraint.Outcome) async {
        guard live[id] != nil else { return }
        switch outcome {
        case .goesOn(let state, let allowed):
            live[id]?.progress?.state = state
            live[id]?.progress?.allowed = allowed
            schedule.onAllowed(id)
        case .complete:
            live[id]?.progress?.isComplete = true
            await carryOut(schedule.onStop(id))
        case .stuck(let refusal):
            logger.error(
                "\(refusal)", metadata: ["request": "\(live[id]?.request.printableLabel ?? "")"])
            live.removeValue(forKey: id)?.continuation.finish(throwing: refusal)
            await carryOut(schedule.onCancel(id))
        }
    }
}
