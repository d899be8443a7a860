internal import SkeinCore

/// How far a stream has come, as its events' `id:` lines tell it: events of each answer, and those
/// at the end that belong to none.
///
///     7        the seventh event of the one answer
///     3.5      of two answers, three events and five
///     9+1      the one answer is whole, and the usage has followed
///
/// Answers of one stream come in any order between each other, so one number for all of them would
/// not tell what is still to come.
struct EventPosition: Equatable, Sendable {
    /// Events of each answer.
    private(set) var counts: [Int]
    /// Events after all answers.
    private(set) var tail = 0

    /// Before the first event.
    init(answerCount: Int) { counts = [Int](repeating: 0, count: answerCount) }

    /// Reads what a client gives back; `nil` where no such stream has told it.
    init?(_ text: String, answerCount: Int) {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            .map { Int($0) }
        let known = numbers.compactMap { $0 }
        guard known.count == numbers.count, known.count == answerCount,
            known.allSatisfy({ $0 >= 0 }), parts.count <= 2
        else { return nil }
        counts = known
        guard parts.count == 2 else { return }
        guard let tail = Int(parts[1]), tail > 0 else { return nil }
        self.tail = tail
    }

    /// The position as a client gives it back.
    var text: String {
        counts.map(String.init).joined(separator: ".") + (tail > 0 ? "+\(tail)" : "")
    }

    /// Counts an event of an answer, or one that belongs to none.
    mutating func step(of answer: Int?) {
        if let answer { counts[answer] += 1 } else { tail += 1 }
    }

    /// Whether a client that has come so far has the newest event of an answer.
    func holds(_ newest: EventPosition, of answer: Int?) -> Bool {
        if let answer { counts[answer] >= newest.counts[answer] } else { tail >= newest.tail }
    }
}
