internal import SkeinCore
internal import SkeinText

/// How far a constrained answer has come.
struct ConstraintProgress: Sendable {
    /// What the answer must be.
    let constraint: AnswerConstraint
    /// Where it stands.
    var state: AnswerConstraint.State
    /// What may be drawn there.
    var allowed: AllowedTokens
    /// Whether it is being worked out what follows the last token.
    var isBeingWorkedOut = false
    /// Whether the answer is whole and nothing may follow.
    var isComplete = false
}

/// Works out which tokens may come next, where that is not known yet.
///
/// A walk over a large vocabulary takes milliseconds. They are spent here and not on the
/// coordinator, one walk after the other, so that whatever clients ask for keeps one core busy at
/// most; only the sequences of that walk wait for it.
actor ConstraintDesk {
    /// What follows a token.
    struct Question: Sendable {
        let sequence: SequenceID
        let token: TokenID
        let constraint: AnswerConstraint
        let state: AnswerConstraint.State
    }

    /// What an answer may begin with.
    func beginning(of constraint: AnswerConstraint) -> AnswerConstraint.Outcome {
        constraint.beginning()
    }

    /// What may follow tokens that were drawn before.
    func standing(
        of constraint: AnswerConstraint, after tokens: [TokenID]
    ) async -> AnswerConstraint.Outcome {
        var outcome = constraint.beginning()
        for token in tokens {
            guard case .goesOn(let state, _) = outcome else { return outcome }
            outcome = constraint.outcome(after: token, in: state)
            await Task.yield()
        }
        return outcome
    }

    /// Answers questions in order.
    func outcomes(
        of questions: [Question]
    ) async -> [(sequence: SequenceID, outcome: AnswerConstraint.Outcome)] {
        var outcomes: [(sequence: SequenceID, outcome: AnswerConstraint.Outcome)] = []
        for question in questions {
            let outcome = question.constraint.outcome(
                after: question.token, in: question.state)
            outcomes.append((question.sequence, outcome))
            await Task.yield()
        }
        return outcomes
    }
}
