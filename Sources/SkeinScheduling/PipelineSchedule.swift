public import SkeinCore

/// Decides what enters the pipeline next; a value that knows no clock, socket or task.
///
///     onArrival ─► waiting ─► prefilling ─► decoding ─► ended ─► pages free
///                     ▲           └────── preempted ──────┘
///                     └── replayed by prefill of prompt and completion ──┘
///
/// Events are named `on…` and answer with what follows from them alone; ``fillRing()`` then spends
/// the free credits. Call it after the directives of one or more events were carried out: a stop
/// string found in delivered text then costs no further step, and arrivals of one moment share a
/// micro-batch.
///
/// Rules:
/// 1. A credit is one micro-batch in the ring; a ``TokenReturn`` gives it back.
/// 2. Sequences start in the order of arrival; nobody overtakes, so nobody starves.
/// 3. Ready decode sequences go first, spread as in ``DecodePlan``. While sequences decode, prefill
///    takes only credits that decode does not need; while a prompt waits, decode leaves one credit
///    to prefill. With one credit the two take turns. So neither starves.
/// 4. Chunks follow each other without waiting for returns; only the last asks for a token.
/// 5. A sequence takes pages as it grows. When none is left the youngest sequence is preempted for
///    an older one: its pages are free when its last micro-batch has returned, and it is replayed
///    later. The oldest can always go on, and a sequence that would not fit alone is refused.
/// 6. Draws are keyed by seed and position, so a replay continues as if nothing had happened.
public struct PipelineSchedule: Sendable {
    /// The numbers it runs by.
    public internal(set) var plan: SchedulePlan

    /// The placement it sends for.
    public internal(set) var epoch: Epoch

    /// What has happened since the beginning.
    public internal(set) var tally = ScheduleTally()

    var table = SequenceTable()
    var ledger: PageLedger
    var prefixes = PrefixIndex()
    var flights: [MicroBatchID: MicroBatch] = [:]
    var flightCounts: [Phase: Int] = [:]
    /// Sequences whose next decode step may be sent, by the time they became ready.
    var ready: [SequenceID] = []
    var lastPhase: Phase?
    var nextMicroBatchNumber: UInt64 = 1

    /// Opens an empty schedule.
    public init(plan: SchedulePlan, epoch: Epoch) {
        plan.check()
        self.plan = plan
        self.epoch = epoch
        ledger = PageLedger(pageCount: plan.pageCount)
    }

    /// Takes in a sequence, or refuses it where it can never run or too many wait.
    ///
    /// - Precondition: The identifier is new; targets are absent or one for each prompt token.
    public mutating func onArrival(_ request: SequenceRequest) -> [Directive] {
        precondition(
            request.targets.isEmpty || request.targets.count == request.promptTokens.count,
            "one target for each prompt token")
        if let refusal = refusal(of: request) { return [.refuse(request.id, refusal)] }
        if table.waiting.count >= plan.waitingSequencesMax {
            return [
                .busy(
                    request.id,
                    Refusal(
                        "request",
                        "\(table.waiting.count) sequences wait already, and at most "
                            + "\(plan.waitingSequencesMax) may; try again later"))
            ]
        }
        table.arrive(request)
        tally.arrivalCount += 1
        return []
    }

    /// Takes back a credit, and with it tokens and scores.
    ///
    /// A return of an older epoch is dropped. One that does not answer a micro-batch in flight is
    /// refused and changes nothing.
    public mutating func onReturn(_ tokenReturn: TokenReturn) throws(Refusal) -> [Directive] {
        guard tokenReturn.epoch >= epoch else {
            tally.staleReturnCount += 1
            return []
        }
        let microBatch = try answered(by: tokenReturn)
        flights[microBatch.id] = nil
        flightCounts[microBatch.phase, default: 0] -= 1
        tally.returnCount += 1
        var directives: [Directive] = []
        var tokens = tokenReturn.tokens[...]
        var scores = tokenReturn.targetScores[...]
        for span in microBatch.spans {
            let token = span.demand == nil ? nil : tokens.popFirst()
            let spanScores = scores.prefix(span.targets.count)
            scores = scores.dropFirst(span.targets.count)
            land(span)
            accept(spanScores, of: span, into: &directives)
            accept(token, of: span.sequence, into: &directives)
            settle(span.sequence, into: &directives)
        }
        return directives
    }

    /// Ends a sequence because of its text: a stop string, or a grammar that is complete.
    public mutating func onStop(
        _ sequence: SequenceID, reason: FinishReason = .stop
    ) -> [Directive] {
        guard let state = table.state(of: sequence), state.life != .ending else { return [] }
        var directives: [Directive] = []
        finish(sequence, reason, into: &directives)
        settle(sequence, into: &directives)
        return directives
    }

    /// Ends a sequence whose client went away; its pages are free within one round.
    public mutating func onCancel(_ sequence: SequenceID) -> [Directive] {
        onStop(sequence, reason: .cancelled)
    }

    /// Follows measurements: how many micro-batches of each phase, and how large chunks may be.
    public mutating func onMeasurement(
        decodeMicroBatchCount: Int, prefillMicroBatchCount: Int, prefillBudget: PrefillBudget
    ) {
        plan.decodeMicroBatchCount = decodeMicroBatchCount
        plan.prefillMicroBatchCount = prefillMicroBatchCount
        plan.prefillBudget = prefillBudget
        plan.check()
    }
}

// What the coordinator, health and tests may ask.
extension PipelineSchedule {
    /// Sequences that have arrived and not departed.
    public var liveCount: Int { table.count }

    /// Sequences in the queue.
    public var waitingCount: Int { table.waiting.count }

    /// Micro-batches in the ring.
    public var inFlightCount: Int { flights.count }

    /// Pages owned by sequences.
    public var ownedPageCount: Int { plan.pageCount - ledger.freeCount - ledger.idleCount }

    /// Pages kept for their rows only.
    public var idlePageCount: Int { ledger.idleCount }

    /// The micro-batch in the ring, for whoever must match captured rows with sequences.
    public func microBatch(inFlight id: MicroBatchID) -> MicroBatch? { flights[id] }

    /// Prompt and completion of a live sequence.
    public func tokens(of sequence: SequenceID) -> [TokenID]? {
        table.state(of: sequence)?.tokens
    }
}

/// What a schedule has done since it was opened.
public struct ScheduleTally: Equatable, Sendable {
    /// Sequences taken in.
    public var arrivalCount = 0
    /// Sequences ended, for whatever reason.
    public var finishCount = 0
    /// Micro-batches sent.
    public var sendCount = 0
    /// Micro-batches returned in their own epoch.
    public var returnCount = 0
    /// Returns of an older epoch, dropped.
    public var staleReturnCount = 0
    /// Sequences that gave up their pages for an older one.
    public var preemptionCount = 0
    /// Rows put into the ring by prefill, replays included.
    public var prefillRowCount = 0
    /// Rows put into the ring by decode.
    public var decodeRowCount = 0
    /// Rows that another sequence's pages stood in for.
    public var reusedRowCount = 0
}
