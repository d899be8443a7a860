public import SkeinCore

/// One answer of a request, as far as it has come.
public struct RememberedAnswer: Equatable, Sendable {
    /// The sequence that draws it, or drew it last.
    public internal(set) var sequence: SequenceID
    /// By what its prompt is recognised.
    public let prompt: PromptMark
    /// Tokens of the prompt that were known when it began; `nil` before.
    public internal(set) var cachedTokenCount: Int?
    /// Scores of the prompt's tokens, where they are wanted.
    public internal(set) var scores: [TargetScore] = []
    /// Its tokens, in order.
    public internal(set) var tokens: [SampledToken] = []
    /// How it has ended; `nil` while it goes on or rests.
    public internal(set) var end: AnswerEnd?
    /// Whether its client has left, so that nothing is drawn until it comes back.
    public internal(set) var rests = false
}

/// A request and its answers, the latter by their number.
public struct RememberedRequest: Equatable, Sendable {
    /// What was asked.
    public let request: ClientRequest
    /// What was answered so far.
    public internal(set) var answers: [Int: RememberedAnswer] = [:]

    /// Whether every answer has ended.
    public var hasEnded: Bool { !answers.isEmpty && answers.values.allSatisfy { $0.end != nil } }

    /// Whether an answer could not go on.
    public var hasFailed: Bool {
        answers.values.contains { answer in
            switch answer.end {
            case .failed, .finished(.cancelled): true
            case .finished, nil: false
            }
        }
    }

    /// About how many bytes it takes.
    public var byteCount: Int {
        answers.values.reduce(request.body.utf8.count + 512) { sum, answer in
            let alternatives = answer.tokens.first?.topLogprobs.count ?? 0
            return sum + answer.tokens.count * (48 + 8 * alternatives) + answer.scores.count * 32
        }
    }
}

/// What a head remembers of requests: the sum of its journal's records (a pure value).
///
/// A record that does not follow from those before it changes nothing: where a line in the middle
/// of a journal is damaged, an answer is known up to there, and is drawn again from there on.
public struct RequestMemory: Sendable {
    /// The requests by their names.
    public private(set) var requests: [String: RememberedRequest] = [:]
    /// The newest placement that nodes were told.
    public private(set) var epoch = Epoch.none
    /// The newest sequence that ever drew.
    public private(set) var newestSequence = SequenceID(rawValue: 0)
    /// Whose answer a sequence draws.
    private var owners: [SequenceID: Owner] = [:]
    private var namesByKey: [IdempotencyKey: String] = [:]

    private struct Owner {
        let request: String
        let answer: Int
    }

    private struct IdempotencyKey: Hashable {
        let tenant: String
        let key: String
    }

    /// Remembers nothing.
    public init() {}

    /// Takes in a record.
    public mutating func apply(_ record: JournalRecord) {
        switch record {
        case .opened: break
        case .placed(let epoch): self.epoch = max(self.epoch, epoch)
        case .accepted(let request):
            guard requests[request.id] == nil else { return }
            requests[request.id] = RememberedRequest(request: request)
            if let key = request.idempotencyKey {
                namesByKey[IdempotencyKey(tenant: request.tenant, key: key)] = request.id
            }
        case .drawing(let id, let request, let answer, let prompt):
            draw(id, request, answer, prompt)
        case .began(let id, let count):
            update(id) { answer in
                if answer.cachedTokenCount == nil { answer.cachedTokenCount = count }
            }
        case .scored(let id, let first, let scores):
            update(id) { answer in
                if first == answer.scores.count { answer.scores += scores }
            }
        case .drawn(let token):
            update(token.sequence) { answer in
                let next = answer.prompt.tokenCount + answer.tokens.count
                if token.position == next { answer.tokens.append(token) }
            }
        case .ended(let id, let end): update(id) { $0.end = end }
        case .rested(let id): update(id) { $0.rests = true }
        case .forgotten(let name): forget(name)
        }
    }

    private mutating func draw(
        _ id: SequenceID, _ name: String, _ number: Int, _ prompt: PromptMark
    ) {
        guard requests[name] != nil else { return }
        newestSequence = max(newestSequence, id)
        if let former = requests[name]?.answers[number] {
            owners[former.sequence] = nil
            requests[name]?.answers[number]?.sequence = id
            requests[name]?.answers[number]?.rests = false
            for place in former.tokens.indices {
                requests[name]?.answers[number]?.tokens[place].sequence = id
            }
        } else {
            requests[name]?.answers[number] = RememberedAnswer(sequence: id, prompt: prompt)
        }
        owners[id] = Owner(request: name, answer: number)
    }

    private mutating func update(_ id: SequenceID, _ change: (inout RememberedAnswer) -> Void) {
        guard let owner = owners[id], var answer = requests[owner.request]?.answers[owner.answer],
            answer.end == nil
        else { return }
        // Taken out while it changes, so that its list of tokens is not copied.
        requests[owner.request]?.answers[owner.answer] = nil
        change(&answer)
        requests[owner.request]?.answers[owner.answer] = answer
    }

    private mutating func forget(_ name: String) {
        guard let former = requests.removeValue(forKey: name) else { return }
        for answer in former.answers.values { owners[answer.sequence] = nil }
        guard let key = former.request.idempotencyKey else { return }
        let place = IdempotencyKey(tenant: former.request.tenant, key: key)
        if namesByKey[place] == name { namesByKey[place] = nil }
    }

    // MARK: Questions

    /// The answer that a sequence draws.
    public func answer(of id: SequenceID) -> RememberedAnswer? {
        owners[id].flatMap { requests[$0.request]?.answers[$0.answer] }
    }

    /// The request whose answer a sequence draws.
    public func request(of id: SequenceID) -> RememberedRequest? {
        owners[id].flatMap { requests[$0.request] }
    }

    /// A tenant's request by its name, or by the newest that its client calls so.
    public func request(named name: String, of tenant: String) -> RememberedRequest? {
        if let found = requests[name] { return found.request.tenant == tenant ? found : nil }
        return requests.values
            .filter { $0.request.label == name && $0.request.tenant == tenant }
            .max { ($0.request.acceptedAt, $0.request.id) < ($1.request.acceptedAt, $1.request.id) }
    }

    /// A tenant's request by what its client recognises it by.
    public func request(withKey key: String, of tenant: String) -> RememberedRequest? {
        namesByKey[IdempotencyKey(tenant: tenant, key: key)].flatMap { requests[$0] }
    }

    /// About how many bytes the requests take.
    public var byteCount: Int { requests.values.reduce(0) { $0 + $1.byteCount } }

    /// The records that give this memory again, without what was forgotten.
    public var records: [JournalRecord] {
        var records: [JournalRecord] = epoch == .none ? [] : [.placed(epoch)]
        let ordered = requests.values.sorted {
            ($0.request.acceptedAt, $0.request.id) < ($1.request.acceptedAt, $1.request.id)
        }
        for remembered in ordered {
            records.append(.accepted(remembered.request))
            for (number, answer) in remembered.answers.sorted(by: { $0.key < $1.key }) {
                records += answer.records(request: remembered.request.id, number: number)
            }
        }
        return records
    }
}

extension RememberedAnswer {
    fileprivate func records(request: String, number: Int) -> [JournalRecord] {
        var records: [JournalRecord] = [
            .drawing(sequence, request: request, answer: number, prompt: prompt)
        ]
        if let cachedTokenCount {
            records.append(.began(sequence, cachedTokenCount: cachedTokenCount))
        }
        if !scores.isEmpty { records.append(.scored(sequence, firstPosition: 0, scores)) }
        records += tokens.map { .drawn($0) }
        if rests { records.append(.rested(sequence)) }
        if let end { records.append(.ended(sequence, end)) }
        return records
    }
}
