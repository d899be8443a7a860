internal import Logging
internal import SkeinCore
internal import SkeinJournal
internal import SkeinScheduling
internal import SkeinText

// What is written down of requests, and how a request goes on that a client, or a head before this
// one, has left.
extension Head {
    /// Refuses what cannot be kept, and what was asked before.
    func checkKeeping(of request: GenerationRequest) throws(AdmissionError) {
        guard let origin = request.origin else { return }
        if let refusal = keeping.refusal { throw .ended(refusal) }
        guard let key = origin.request.idempotencyKey,
            let known = keeping.memory.request(withKey: key, of: origin.request.tenant),
            known.request.id != origin.request.id, !known.hasFailed
        else { return }
        throw .repeated(request: known.request.id)
    }

    /// Keeps a request that was taken in; the first of its answers brings the request itself.
    mutating func keep(_ request: GenerationRequest, as id: SequenceID) {
        guard let origin = request.origin else { return }
        if keeping.memory.requests[origin.request.id] == nil {
            record(.accepted(origin.request), of: id)
        }
        record(
            .drawing(
                id, request: origin.request.id, answer: origin.answer,
                prompt: PromptMark(request.promptTokens)), of: id)
    }

    /// Takes in a record of a sequence whose client may come back.
    mutating func record(_ record: JournalRecord, of id: SequenceID) {
        if live[id]?.request.origin != nil { write(record) }
    }

    private mutating func write(_ record: JournalRecord) {
        guard let number = keeping.record(record, now: now) else { return }
        add(.record(record, number: number))
    }

    /// Notes that nodes are told a placement: the next head counts on from it.
    mutating func notePlacement(_ epoch: Epoch) { write(.placed(epoch)) }

    /// Has a directive carried out as soon as what it shows is written down.
    mutating func show(_ directive: HeadDirective) {
        if keeping.mayShow(directive) { add(directive) }
    }

    /// The disk has done something, or cannot.
    mutating func onJournal(_ outcome: Journal.Outcome, now: Duration) {
        self.now = now
        let shown: [HeadDirective]
        switch outcome {
        case .written(let number):
            if keeping.isRecovering { log(.notice, "the journal is written again") }
            shown = keeping.onWritten(through: number)
        case .failed(let refusal):
            log(.error, "the journal cannot be written: \(refusal)")
            shown = keeping.onFailed(refusal, now: now)
        }
        for directive in shown { add(directive) }
        resumeWrittenWaits()
    }

    /// Rewrites the whole journal.
    mutating func rewriteJournal() {
        add(.rewrite(keeping.memory.records, through: keeping.beginRewriting()))
    }

    /// Forgets what nobody has asked for in a while, and tries a journal again that has failed.
    mutating func tidyJournal() {
        let forgettable = keeping.forgettable(
            after: settings.answerRetention, bytesMax: Limits.rememberedBytesMax, now: now)
        for name in forgettable { write(.forgotten(request: name)) }
        guard case .failed = keeping.standing,
            now - keeping.triedAt >= settings.journalRetryPause
        else { return }
        keeping.triedAt = now
        rewriteJournal()
    }

    // MARK: Waiting for the disk

    /// Lets a caller wait until everything so far is written down.
    ///
    /// - Returns: `nil` where there is nothing to wait for.
    mutating func awaitWritten() -> WaitID? {
        guard keeping.standing == .written, keeping.writtenCount < keeping.recordCount else {
            return nil
        }
        let wait = newWait()
        writtenWaits.append((wait, keeping.recordCount))
        return wait
    }

    private mutating func resumeWrittenWaits() {
        let isWritten = keeping.standing == .written
        for (wait, number) in writtenWaits where !isWritten || number <= keeping.writtenCount {
            add(.resume(wait))
        }
        writtenWaits.removeAll { !isWritten || $0.after <= keeping.writtenCount }
    }

    // MARK: Clients that come back

    /// Lets a sequence rest whose client has left, or goes on where the client means to come back.
    mutating func leave(_ id: SequenceID, now: Duration) {
        self.now = now
        guard let request = live[id]?.request else { return }
        if request.origin?.request.idempotencyKey != nil { return }
        if request.origin != nil {
            record(.rested(id), of: id)
            live[id] = nil
        }
        carryOut(schedule.onCancel(id))
        fillRing()
    }

    /// The answer that a request is for, where nobody draws it and it has not ended.
    func answerAtRest(of request: GenerationRequest) -> RememberedAnswer? {
        guard let origin = request.origin,
            let answer = keeping.memory.requests[origin.request.id]?.answers[origin.answer],
            answer.end == nil, live[answer.sequence] == nil
        else { return nil }
        return answer
    }

    /// Has an answer drawn on that rests, or that a head before this one has drawn.
    ///
    /// - Parameters:
    ///   - request: the same as when it was taken in.
    ///   - standing: what may follow the tokens that are there, where it is constrained.
    /// - Returns: the sequence that draws it or has drawn it.
    mutating func resume(
        _ request: GenerationRequest, standing: AnswerConstraint.Outcome? = nil, now: Duration
    ) throws(AdmissionError) -> SequenceID {
        self.now = now
        if let endReason { throw .ended(endReason) }
        guard let origin = request.origin, let known = keeping.memory.requests[origin.request.id]
        else { throw .invalid(Refusal("request", "is not known here")) }
        // The head may have ended after it had written the request, and before this answer of it.
        guard let answer = known.answers[origin.answer] else {
            return try submit(request, beginning: standing, now: now)
        }
        guard answerAtRest(of: request) != nil else { return answer.sequence }
        let id = newSequence()
        live[id] = LiveRequest(
            request: request, progress: nil, hasBegun: answer.cachedTokenCount != nil)
        write(
            .drawing(
                id, request: origin.request.id, answer: origin.answer, prompt: answer.prompt))
        goOn(with: answer, as: id, request, standing)
        fillRing()
        return id
    }

    private mutating func goOn(
        with answer: RememberedAnswer, as id: SequenceID, _ request: GenerationRequest,
        _ standing: AnswerConstraint.Outcome?
    ) {
        guard answer.prompt == PromptMark(request.promptTokens) else {
            return close(
                id, Refusal("request", "was taken in by a version that writes prompts differently"))
        }
        var arrival = request.arrival(id)
        arrival.completionTokens = answer.tokens.map(\.token)
        arrival.scoredCount = answer.scores.count
        arrival.wasTakenIn = true
        arrival.wasInterrupted = !answer.rests && !answer.tokens.isEmpty
        if let reason = schedule.endReason(of: arrival) { return finish(id, reason) }
        switch standing {
        case .complete where !answer.tokens.isEmpty: return finish(id, .stop)
        case .stuck(let refusal): return close(id, refusal)
        default: break
        }
        do throws(AdmissionError) {
            live[id]?.progress = try Self.progress(of: request, standing)
        } catch {
            return close(id, error.refusal)
        }
        carryOut(schedule.onArrival(arrival))
    }

    /// Ends an answer whose last token had been drawn before its end was written down.
    private mutating func finish(_ id: SequenceID, _ reason: FinishReason) {
        live[id]?.endedFor = reason
        finishIfComplete(id)
    }

    /// Requests that a head before this one has left in the middle, the oldest first.
    var interrupted: [ClientRequest] {
        keeping.memory.requests.values
            .filter { $0.answers.values.contains { $0.end == nil && !$0.rests } }
            .map(\.request)
            .sorted { ($0.acceptedAt, $0.id) < ($1.acceptedAt, $1.id) }
    }
}
