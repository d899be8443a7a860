import SkeinCore
import SkeinReference
import SkeinRollout

/// What one form gave.
struct EvalColumn: Sendable {
    let form: String
    /// How it predicted the text.
    var text = LogitComparison()
    /// How it answered, by task.
    var tasks: [String: TaskTally] = [:]
}

/// Asks one form after the other.
struct EvalRun: Sendable {
    let work: EvalWork
    /// The yardstick's logits, once it has run; `nil` where there is none.
    var yardstick: YardstickFile?

    /// Sequences that are scored at a time.
    private static let scoresAtOnce = 4

    /// Answers that are drawn at a time.
    private static let answersAtOnce = 16

    /// Runs a reference over the text and the choices; the yardstick keeps its logits.
    ///
    /// It answers no questions of other kinds: each token would be a run of its own.
    func column(
        _ form: EvalForm, of reference: ReferenceModel, onLayer: (Int, Int) -> Void
    ) throws -> EvalColumn {
        var column = EvalColumn(form: form.rawValue)
        let isYardstick = form == .float32
        let choices = work.choiceSequences
        var likelihoods: [Int: [Double]] = [:]
        try reference.run(work.windows + choices.map(\.tokens), onLayer: onLayer) { place, logits in
            guard place >= work.windows.count else {
                if isYardstick { try yardstick?.append(logits) }
                let wanted = isYardstick ? nil : try yardstick?.rows(place)
                return column.text.take(logits, yardstick: wanted, tokens: work.windows[place])
            }
            let (question, tokens) = choices[place - work.windows.count]
            var sum = 0.0
            for row in work.prompts[question].count - 1..<tokens.count - 1 {
                let logprobs = LogitComparison.logProbabilities(logits[row])
                sum += logprobs[Int(tokens[row + 1].rawValue)]
            }
            likelihoods[question, default: []].append(sum)
        }
        work.judge(likelihoods, into: &column.tasks)
        return column
    }

    /// Asks a cluster.
    ///
    /// - Parameters:
    ///   - wantsLogits: whether it can give logits, to hold them against the yardstick's.
    ///   - onDone: is told how many parts of the work are done, and of how many.
    func column(
        _ name: String, of subject: any EvalSubject, wantsLogits: Bool,
        onDone: @Sendable (Int, Int) -> Void
    ) async throws -> EvalColumn {
        var column = EvalColumn(form: name)
        let checks = work.questions.indices.filter { work.choices[$0].isEmpty }
        let choices = work.choiceSequences
        let total = work.windows.count + choices.count + checks.count
        var done = 0
        for (place, window) in work.windows.enumerated() {
            let scored = try await subject.score(
                window, wantsLogits: wantsLogits && yardstick != nil)
            if let logits = scored.logits {
                column.text.take(logits, yardstick: try yardstick?.rows(place), tokens: window)
            } else {
                for logprob in scored.logprobs { column.text.take(logprob: logprob) }
            }
            done += 1
            onDone(done, total)
        }
        var likelihoods: [Int: [Double]] = [:]
        let scores = try await Self.inOrder(choices.count, atOnce: Self.scoresAtOnce) { place in
            try await subject.score(choices[place].tokens, wantsLogits: false).logprobs
        } onDone: {
            onDone(done + $0, total)
        }
        for (choice, logprobs) in zip(choices, scores) {
            let own = logprobs.suffix(choice.tokens.count - work.prompts[choice.question].count)
            likelihoods[choice.question, default: []].append(own.reduce(0, +))
        }
        done += choices.count
        let answers = try await Self.inOrder(checks.count, atOnce: Self.answersAtOnce) { place in
            try await subject.answer(checks[place])
        } onDone: {
            onDone(done + $0, total)
        }
        work.judge(likelihoods, into: &column.tasks)
        for (number, answer) in zip(checks, answers) {
            guard case .check(let check) = work.questions[number].judge else { continue }
            column.tasks[work.questions[number].task, default: TaskTally()]
                .take(check.reward(of: answer) == 1)
        }
        return column
    }

    /// Some results side by side, in order.
    private static func inOrder<Result: Sendable>(
        _ count: Int, atOnce: Int, _ work: @escaping @Sendable (Int) async throws -> Result,
        onDone: (Int) -> Void
    ) async throws -> [Result] {
        try await withThrowingTaskGroup(of: (Int, Result).self) { tasks in
            var results: [Int: Result] = [:]
            for place in 0..<count {
                if place >= atOnce, let (done, result) = try await tasks.next() {
                    results[done] = result
                    onDone(results.count)
                }
                tasks.addTask { (place, try await work(place)) }
            }
            for try await (done, result) in tasks {
                results[done] = result
                onDone(results.count)
            }
            return (0..<count).compactMap { results[$0] }
        }
    }
}

extension LogitComparison {
    /// Takes the predictions of all tokens of a sequence after its first.
    mutating func take(_ logits: [[Float]], yardstick: [[Float]]?, tokens: [TokenID]) {
        for row in 0..<tokens.count - 1 {
            take(logits[row], yardstick: yardstick?[row], next: Int(tokens[row + 1].rawValue))
        }
    }
}
