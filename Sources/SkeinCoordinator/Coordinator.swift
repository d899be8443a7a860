public import Logging
public import SkeinCore
internal import SkeinJournal
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinText
public import SkeinTransport
internal import SkeinWire

/// Owns requests from arrival to last token, and the placement of slices on nodes.
///
/// ```
///  submit ─► Head ─► stage 0 ─► … ─► last stage
///             ▲                          │
///             └────── TokenReturn ◄──────┘
/// ```
///
/// All decisions are the ``Head``'s, a value; this actor reads the clock, opens links, carries out
/// directives without a pause in between, and keeps the streams of those who wait. It is not on the
/// way of activations.
public actor Coordinator {
    let inbox: any Inbox
    private let logger: Logger
    let settings: CoordinatorSettings
    private let start = ContinuousClock.now
    var head: Head
    var outboxes: NodeOutboxes
    private var readers = AnswerReaders()
    private let journal: Journal?
    /// Records of the event at hand, which are written together.
    private var records: [JournalRecord] = []
    /// The number of the last of them.
    private var recordNumber: UInt64 = 0
    private var waiting: [WaitID: CheckedContinuation<Void, Never>] = [:]
    private let constraintDesk = ConstraintDesk()

    /// Makes a coordinator that listens on `inbox` once it runs.
    ///
    /// - Parameter state: where requests are written down, and what was found there.
    public init(
        settings: CoordinatorSettings, inbox: any Inbox, links: any LinkOpening, logger: Logger,
        state: RequestState = .nowhere
    ) {
        self.settings = settings
        self.inbox = inbox
        self.logger = logger
        outboxes = NodeOutboxes(over: links, logger: logger)
        journal = state.journal
        head = Head(
            settings: settings, address: inbox.address,
            keeping: state.keeping(refusesUnwritten: settings.refusesUnwritten))
    }

    /// Time since this coordinator started.
    var now: Duration { ContinuousClock.now - start }

    /// Works until the task is cancelled or `shutdown()` is called.
    public func run() async {
        journal?.onOutcome { [weak self] outcome in
            Task { await self?.noteJournal(outcome) }
        }
        let ticks = Task {
            while !Task.isCancelled {
                self.tick()
                do { try await Task.sleep(for: .milliseconds(500)) } catch { return }
            }
        }
        for await arrival in inbox.arrivals { receive(arrival) }
        ticks.cancel()
        fail(Refusal("cluster \(settings.clusterName)", "has ended"))
    }

    private func tick() {
        head.onTick(now: now)
        if journal?.isWorthRewriting(rememberedBytes: head.keeping.memory.byteCount) == true {
            head.rewriteJournal()
        }
        carryOut()
    }

    private func noteJournal(_ outcome: Journal.Outcome) {
        head.onJournal(outcome, now: now)
        carryOut()
    }

    private func receive(_ arrival: Arrival) {
        do throws(WireError) {
            let envelope = try Envelope(parsing: arrival.frames, from: arrival.peer)
            head.onMessage(
                envelope, peer: arrival.peer, peerKey: arrival.peerKey, now: now)
            carryOut()
        } catch {
            logger.warning("\(error)")
        }
    }

    /// The connection to the peer that listens at an address broke.
    public func noteBrokenLink(to address: String) {
        head.onLinkBroken(to: address, now: now)
        carryOut()
    }

    /// Nobody listens at an address to which a connection was open.
    public func noteNobodyListens(at address: String) {
        head.onNotReached(address, now: now)
        carryOut()
    }

    // MARK: Requests

    /// Takes in a request; it is written down when this returns, where there is a journal.
    ///
    /// - Returns: the sequence's number, to stop it by, and its events.
    /// - Throws: an error where the request can never run here, or too many wait.
    public func submit(
        _ request: GenerationRequest
    ) async throws(AdmissionError) -> (SequenceID, TokenStream) {
        var beginning: AnswerConstraint.Outcome?
        if let constraint = request.constraint {
            beginning = await constraintDesk.beginning(of: constraint)
        }
        let id = try head.submit(request, beginning: beginning, now: now)
        let stream = addReader(to: id, of: request).stream
        carryOut()
        if let wait = head.awaitWritten() { await self.wait(wait) }
        return (id, stream)
    }

    /// Reads an answer that is drawn, rests, or has ended: from its first token on, even if
    /// another reader has had them.
    ///
    /// - Parameter request: the same as when it was taken in.
    /// - Throws: an error where it is not known, or the cluster has ended.
    public func resume(
        _ request: GenerationRequest
    ) async throws(AdmissionError) -> (SequenceID, TokenStream) {
        var standing: AnswerConstraint.Outcome?
        if let constraint = request.constraint, let answer = head.answerAtRest(of: request) {
            standing = await constraintDesk.standing(
                of: constraint, after: answer.tokens.map(\.token))
        }
        let id = try head.resume(request, standing: standing, now: now)
        let (stream, continuation) = addReader(to: id, of: request)
        let shown = head.keeping.shown(of: id)
        for event in shown?.events ?? [] { continuation.yield(event) }
        switch shown?.end {
        case .finished: readers.close(id, nil)
        case .failed(let refusal): readers.close(id, refusal)
        case nil: break
        }
        carryOut()
        return (id, stream)
    }

    private func addReader(
        to id: SequenceID, of request: GenerationRequest
    ) -> (stream: TokenStream, continuation: TokenStream.Continuation) {
        readers.add(to: id, eventsMax: request.eventsMax(settings.configuration)) {
            [weak self] number in Task { await self?.noteLeft(number, from: id) }
        }
    }

    /// A reader has gone away; where it was the last one, nobody waits for the answer now.
    private func noteLeft(_ number: Int, from id: SequenceID) {
        guard readers.remove(number, from: id) else { return }
        head.leave(id, now: now)
        carryOut()
    }

    /// Ends a sequence whose text is complete.
    public func stop(_ sequence: SequenceID) {
        head.stop(sequence, now: now)
        carryOut()
    }

    /// Ends a sequence whose client went away; its pages are free within one round.
    public func cancel(_ sequence: SequenceID) {
        head.cancel(sequence, now: now)
        carryOut()
    }

    // MARK: Beginning and end

    /// Waits until every stage is loaded.
    ///
    /// - Throws: a `Refusal` where the cluster cannot form.
    public func waitUntilReady() async throws {
        if let wait = head.awaitReady() {
            // Who waits for a cluster of its own gives up the cluster with the wait.
            await withTaskCancellationHandler {
                await self.wait(wait)
            } onCancel: {
                guard settings.endsWithItsNodes else { return }
                Task { await self.fail(Refusal("cluster", "was interrupted while it formed")) }
            }
        }
        if let reason = head.endReason { throw reason }
    }

    /// Tells every node that the cluster ends, and ends.
    public func shutdown() async {
        head.shutdown(now: now)
        carryOut()
        for task in outboxes.takeClosing() { await task.value }
        await inbox.close()
    }

    /// Ends the cluster for a reason that the wire cannot tell, such as the end of a process.
    ///
    /// - Parameter name: a node whose process has ended: nobody waits for its link any more.
    public func fail(_ refusal: Refusal, withoutNode name: String? = nil) {
        head.fail(refusal, withoutNode: name, now: now)
        carryOut()
    }

    // MARK: Directives

    /// Waits until the head lets a caller go on.
    func wait(_ id: WaitID) async {
        await withCheckedContinuation { continuation in
            // Nothing has happened since the head gave the number: this actor did not suspend.
            waiting[id] = continuation
            carryOut()
        }
    }

    /// Does what the head says, in order and without a pause.
    func carryOut() {
        // A link that opens, or does not, is an event with directives of its own.
        while true {
            let directives = head.takeDirectives()
            if directives.isEmpty { return writeRecords() }
            for directive in directives { carryOut(directive) }
        }
    }

    private func writeRecords() {
        guard !records.isEmpty else { return }
        journal?.append(records, through: recordNumber)
        records = []
    }

    private func carryOut(_ directive: HeadDirective) {
        switch directive {
        case .connect(let name, let address, let publicKey):
            do throws(Refusal) {
                try outboxes.open(name, at: address, publicKey: publicKey)
                head.onConnected(name, now: now)
            } catch {
                head.onConnectFailed(name, error)
            }
        case .disconnect(let name, let drains): outboxes.close(name, drains: drains)
        case .tell(let name, let envelope): outboxes.tell(name, envelope)
        case .yield(let id, let event): readers.yield(event, of: id)
        case .close(let id, let refusal): readers.close(id, refusal)
        case .record(let record, let number):
            records.append(record)
            recordNumber = number
        case .rewrite(let all, let number):
            records = []
            journal?.rewrite(all, through: number)
        case .resume(let wait): waiting.removeValue(forKey: wait)?.resume()
        case .workOut(let questions):
            Task {
                let outcomes = await constraintDesk.outcomes(of: questions)
                head.onOutcomes(outcomes, now: now)
                carryOut()
            }
        case .log(let level, let line, let fields):
            logger.log(level: level, "\(line)", metadata: fields)
        case .report(let progress): settings.onProgress(progress)
        }
    }
}
