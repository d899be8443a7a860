internal import SkeinCore
internal import SkeinJournal

/// What the head keeps of requests so that their clients can come back, and what it holds back
/// until that is written down (a pure value).
///
/// A token is shown once the disk has it: a head that is started again has then drawn whatever a
/// client has seen.
struct RequestKeeping: Sendable {
    /// Whether requests are written down.
    enum Standing: Equatable, Sendable {
        /// They are remembered as long as this process lives.
        case nowhere
        /// They are written down.
        case written
        /// They should be, and cannot be.
        case failed(Refusal)
    }

    var memory: RequestMemory
    private(set) var standing: Standing
    /// Whether a journal that could not be written is rewritten just now.
    private(set) var isRecovering = false
    /// Whether nothing new is taken in while it cannot be written down.
    let refusesUnwritten: Bool
    /// Records that were handed over, and those of them that the disk has.
    private(set) var recordCount: UInt64 = 0
    private(set) var writtenCount: UInt64 = 0
    /// When the journal was last tried after a failure.
    var triedAt = Duration.zero
    /// Since when nothing of a request is drawn, by its name.
    private(set) var quietSince: [String: Duration] = [:]
    private var held: [Held] = []

    private struct Held {
        let directive: HeadDirective
        /// Is shown when the disk has this record.
        let after: UInt64
    }

    /// Begins with what is known.
    init(
        _ standing: Standing, memory: RequestMemory = RequestMemory(),
        refusesUnwritten: Bool = false
    ) {
        self.standing = standing
        self.memory = memory
        self.refusesUnwritten = refusesUnwritten
        for (name, request) in memory.requests where request.isQuiet { quietSince[name] = .zero }
    }

    /// Why nothing is taken in; `nil` where something may be.
    var refusal: Refusal? {
        guard case .failed(let refusal) = standing, refusesUnwritten else { return nil }
        return Refusal("journal", "cannot be written: \(refusal)")
    }

    /// Takes in a record.
    ///
    /// - Returns: its number, where it is to be written.
    mutating func record(_ record: JournalRecord, now: Duration) -> UInt64? {
        memory.apply(record)
        noteQuiet(after: record, now: now)
        guard standing == .written else { return nil }
        recordCount += 1
        return recordCount
    }

    private mutating func noteQuiet(after record: JournalRecord, now: Duration) {
        switch record {
        case .ended(let id, _), .rested(let id):
            guard let request = memory.request(of: id), request.isQuiet else { return }
            quietSince[request.request.id] = now
        case .drawing(_, let name, _, _), .forgotten(let name): quietSince[name] = nil
        case .opened, .placed, .accepted, .began, .scored, .drawn: break
        }
    }

    /// Holds a directive back that shows what is not written yet.
    ///
    /// - Returns: whether it may be carried out at once.
    mutating func mayShow(_ directive: HeadDirective) -> Bool {
        guard standing == .written, writtenCount < recordCount else { return true }
        held.append(Held(directive: directive, after: recordCount))
        return false
    }

    /// The whole journal is about to be rewritten: records go behind it from now on.
    ///
    /// - Returns: the number under which it is written.
    mutating func beginRewriting() -> UInt64 {
        if case .failed = standing { isRecovering = true }
        standing = .written
        recordCount += 1
        return recordCount
    }

    /// The disk has all records up to a number.
    ///
    /// - Returns: what may be shown now.
    mutating func onWritten(through number: UInt64) -> [HeadDirective] {
        writtenCount = max(writtenCount, number)
        isRecovering = false
        let count = held.prefix { $0.after <= writtenCount }.count
        defer { held.removeFirst(count) }
        return held.prefix(count).map(\.directive)
    }

    /// The disk takes no records: what was held back is shown without it.
    mutating func onFailed(_ refusal: Refusal, now: Duration) -> [HeadDirective] {
        standing = .failed(refusal)
        isRecovering = false
        triedAt = now
        writtenCount = recordCount
        defer { held = [] }
        return held.map(\.directive)
    }

    /// What a reader has been shown of a sequence's answer, as events.
    func shown(of id: SequenceID) -> (events: [GenerationEvent], end: AnswerEnd?)? {
        guard let answer = memory.answer(of: id) else { return nil }
        var (hasBegun, tokenCount, scoreCount) = (
            answer.cachedTokenCount, answer.tokens.count, answer.scores.count
        )
        var end = answer.end
        for case .yield(id, let event) in held.map(\.directive) {
            switch event {
            case .began: hasBegun = nil
            case .token: tokenCount -= 1
            case .scored(let scores): scoreCount -= scores.count
            case .drafted, .finished, .captured: break
            }
        }
        if held.contains(where: { $0.directive.closes(id) }) { end = nil }
        var events: [GenerationEvent] = []
        if let hasBegun { events.append(.began(cachedTokenCount: hasBegun)) }
        if scoreCount > 0 { events.append(.scored(Array(answer.scores.prefix(scoreCount)))) }
        events += answer.tokens.prefix(tokenCount).map { .token($0) }
        if case .finished(let reason) = end { events.append(.finished(reason)) }
        return (events, end)
    }

    /// Requests to forget: quiet for long, or the quietest of too many.
    func forgettable(after bound: Duration, bytesMax: Int, now: Duration) -> [String] {
        var sum = memory.byteCount
        var names: [String] = []
        for (name, since) in quietSince.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            guard let request = memory.requests[name] else { continue }
            let isGivenUp = request.hasEnded && request.wasCancelled
            guard isGivenUp || now - since >= bound || sum > bytesMax else { continue }
            sum -= request.byteCount
            names.append(name)
        }
        return names
    }
}

extension HeadDirective {
    /// Whether it tells a reader of the sequence that nothing more comes.
    fileprivate func closes(_ id: SequenceID) -> Bool {
        if case .close(id, _) = self { true } else { false }
    }
}

extension RememberedRequest {
    /// Whether nothing of it is drawn.
    fileprivate var isQuiet: Bool { answers.values.allSatisfy { $0.end != nil || $0.rests } }

    /// Whether an answer was ended before its time, so that nobody will ask for it.
    fileprivate var wasCancelled: Bool {
        answers.values.contains { $0.end == .finished(.cancelled) }
    }
}
