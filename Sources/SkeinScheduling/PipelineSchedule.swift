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
/// 2. Sequences start in the order of arrival, so nobody starves.
/// 3. Ready decode sequences go first, spread as in ``DecodePlan``. While sequences decode, prompt
///    rows ride in their micro-batches, as many as ``PrefillBudget`` allows, so that the weights
///    are read once for both; micro-batches of prefill alone take only places in the ring that
///    decode leaves empty. So neither starves.
/// 4. Chunks follow each other without waiting for returns; only the last asks for a token. The
///    oldest prompt takes most of a micro-batch's prompt rows, those behind it share the rest.
/// 5. A sequence takes pages as it grows. When none is left the youngest sequence is preempted for
///    an older one: its pages are free when its last micro-batch has returned, and it is replayed
///    later. The oldest can always go on, and a sequence that would not fit alone is refused.
/// 6. Where prefixes are reused, a sequence begins with the rows that are known of its prompt: it
///    shares full pages and copies the first rows of one that goes on differently. While an older
///    sequence runs what it lacks, it waits, and lets those behind it pass.
/// 7. A constrained sequence waits after each token until it is told what may follow; nobody waits
///    with it.
/// 8. Draws are keyed by seed and position, so a replay continues as if nothing had happened.
/// 9. Drafts ride behind a sequence's last token where its own pages have room for them; a draft
///    counts where it is what is drawn. They are dropped with everything that interrupts a life.
public struct PipelineSchedule: Sendable {
    /// The numbers it runs by.
    public internal(set) var plan: SchedulePlan

    /// The placement it sends for.
    public internal(set) var epoch: Epoch

    /// What has happened since the beginning.
    public internal(set) var totals = ScheduleCounts.Totals()

    var table = SequenceTable()
    var allocator: PageAllocator
    var prefixes = PrefixIndex()
    var flights: [MicroBatchID: MicroBatch] = [:]
    var flightCounts: [Phase: Int] = [:]
    /// Sequences whose next decode step may be sent, by the time they became ready.
    var ready: [SequenceID] = []
    var lastPhase: Phase?
    var stepTimes = StepTimes()
    var ringTimes = RingTimes()
    var drafting = DraftTuning()
    var nextMicroBatchNumber: UInt64 = 1

    /// Opens an empty schedule.
    public init(plan: SchedulePlan, epoch: Epoch) {
        plan.check()
        self.plan = plan
        self.epoch = epoch
        allocator = PageAllocator(pageCount: plan.pageCount)
    }

    /// Takes in a sequence, or refuses it where it can never run or too many wait.
    ///
    /// - Precondition: The identifier is new; targets are absent or one for each prompt token.
    public mutating func onArrival(_ request: SequenceRequest) -> [Directive] {
        precondition(
            request.targets.isEmpty || request.targets.count == request.promptTokens.count,
            "one target for each prompt token")
        if let refusal = refusal(of: request) { return [.refuse(request.id, refusal)] }
        let mayBeBusy = !request.isProbe && !request.wasTakenIn
        if mayBeBusy, table.waiting.count >= plan.waitingSequencesMax {
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
        if !request.isProbe { totals.arrivalCount += 1 }
        return []
    }

    /// Takes back a credit, and with it tokens and scores.
    ///
    /// A return of an older epoch is dropped. One that does not answer a micro-batch in flight is
    /// refused and changes nothing.
    ///
    /// - Parameter roundTime: From sending the micro-batch to its return, where it was measured.
    public mutating func onReturn(
        _ tokenReturn: TokenReturn, roundTime: Duration? = nil
    ) throws(Refusal) -> [Directive] {
        guard tokenReturn.epoch >= epoch else {
            totals.staleReturnCount += 1
            return []
        }
        let microBatch = try answered(by: tokenReturn)
        takeBack(microBatch)
        learn(from: microBatch, tokenReturn, roundTime: roundTime)
        var directives: [Directive] = []
        var tokens = tokenReturn.tokens[...]
        var drafts = tokenReturn.drafts[...]
        var scores = tokenReturn.targetScores[...]
        for span in microBatch.spans {
            let isAsking = span.demand != nil
            let drawn = tokens.prefix { isAsking && $0.sequence == span.sequence }
            tokens = tokens.dropFirst(drawn.count)
            let spanDrafts = isAsking ? drafts.popFirst() ?? [] : []
            let spanScores = scores.prefix(span.targets.count)
            scores = scores.dropFirst(span.targets.count)
            land(span)
            accept(spanScores, of: span, into: &directives)
            accept(drawn, drafts: spanDrafts, of: span, into: &directives)
            settle(span.sequence, into: &directives)
        }
        return directives
    }

    /// A micro-batch in flight that should have come before a return: rows of the return follow its
    /// rows, and links keep their order, so it was lost, and what was drawn after it is worth
    /// nothing.
    public func lostBefore(_ tokenReturn: TokenReturn) -> MicroBatchID? {
        guard tokenReturn.epoch == epoch, let microBatch = flights[tokenReturn.microBatch] else {
            return nil
        }
        for span in microBatch.spans {
            guard let state = table.state(of: span.sequence),
                span.firstWrittenPosition > state.rowsReturned
            else { continue }
            return flights.keys.filter { id in
                id < microBatch.id
                    && flights[id]?.spans.contains { $0.sequence == span.sequence } == true
            }.min() ?? microBatch.id
        }
        return nil
    }

    /// Why a sequence ends with the tokens that it arrives with; `nil` where it goes on.
    public func endReason(of request: SequenceRequest) -> FinishReason? {
        guard let last = request.completionTokens.last else { return nil }
        return request.stopRule.reason(
            after: last, completionCount: request.completionTokens.count,
            tokenCount: request.promptTokens.count + request.completionTokens.count,
            positionCountMax: plan.sequencePositionsMax)
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

    /// It is known what may follow the last token of a constrained sequence: it goes on.
    public mutating func onAllowed(_ sequence: SequenceID) {
        guard table.state(of: sequence)?.awaitsAllowance == true else { return }
        let isReady = table.update(sequence) { state in
            state.awaitsAllowance = false
            return state.life == .decoding
        }
        if isReady { ready.append(sequence) }
    }

    /// Ends a sequence whose client went away; its pages are free within one round.
    public mutating func onCancel(_ sequence: SequenceID) -> [Directive] {
        onStop(sequence, reason: .cancelled)
    }

    /// Ends the sequences of a micro-batch on which a stage failed, and takes back its credit.
    ///
    /// Their rows are never shared.
    public mutating func onFault(_ id: MicroBatchID) -> [Directive] {
        guard let microBatch = flights[id] else { return [] }
        var directives: [Directive] = []
        for span in microBatch.spans {
            table.update(span.sequence) { $0.hasFaultyRows = true }
            directives += onCancel(span.sequence)
        }
        takeBack(microBatch)
        for span in microBatch.spans {
            land(span)
            settle(span.sequence, into: &directives)
        }
        return directives
    }

    /// Takes back the credit of a micro-batch that is no longer in the ring.
    private mutating func takeBack(_ microBatch: MicroBatch) {
        flights[microBatch.id] = nil
        flightCounts[microBatch.phase, default: 0] -= 1
        totals.returnCount += 1
    }

    /// Learns what steps and rounds take, and follows it.
    private mutating func learn(
        from microBatch: MicroBatch, _ tokenReturn: TokenReturn, roundTime: Duration?
    ) {
        let stageTimes = tokenReturn.stageTimes
        if let roundTime {
            drafting.onReturn(of: microBatch, tokenCount: tokenReturn.tokens.count, roundTime)
        }
        guard microBatch.phase == .decode, microBatch.capture.isEmpty,
            let slowest = stageTimes.max()
        else { return }
        stepTimes.onStep(rowCount: microBatch.rowCount, time: slowest)
        guard plan.followsMeasurements, let roundTime,
            microBatch.spans.allSatisfy({ $0.tokens.count == 1 + $0.draftCount })
        else { return }
        ringTimes.onRound(stageTimes: stageTimes, roundTime: roundTime)
        guard let count = ringTimes.microBatchCount(owners: plan.computeOwners) else { return }
        plan.decodeMicroBatchCount = min(count, plan.microBatchesInFlightMax)
    }
}

// What the coordinator, health and tests may ask.
extension PipelineSchedule {
    /// What it holds and has done.
    public var counts: ScheduleCounts {
        ScheduleCounts(
            liveCount: table.all.count { !$0.request.isProbe }, waitingCount: waitingCount,
            waitingMax: plan.waitingSequencesMax, runningCount: runningCount,
            inFlightCount: inFlightCount, inFlightMax: plan.microBatchesInFlightMax,
            pageCount: plan.pageCount, ownedPageCount: ownedPageCount,
            idlePageCount: idlePageCount, totals: totals)
    }

    /// Sequences that have arrived and not departed.
    public var liveCount: Int { table.count }

    /// Sequences in the queue.
    public var waitingCount: Int { table.waiting.count }

    /// Sequences that own pages or are in the ring.
    public var runningCount: Int { table.running.count }

    /// Micro-batches in the ring.
    public var inFlightCount: Int { flights.count }

    /// Pages owned by sequences.
    public var ownedPageCount: Int { plan.pageCount - allocator.freeCount - allocator.idleCount }

    /// Pages kept for their rows only.
    public var idlePageCount: Int { allocator.idleCount }

    /// What every stage computes for a decode micro-batch of late, in ring order.
    public var decodeStageTimes: [Duration] { ringTimes.stageMedians }

    /// Latency and payload of all hops of a round, of late.
    public var decodeWayTime: Duration { ringTimes.way }

    /// Pages that the index of known beginnings holds, owned ones included.
    public var knownPageCount: Int { prefixes.count }

    /// The micro-batch in the ring, to match captured rows with sequences.
    public func microBatch(inFlight id: MicroBatchID) -> MicroBatch? { flights[id] }

    /// Prompt and completion of a live sequence.
    public func tokens(of sequence: SequenceID) -> [TokenID]? {
        table.state(of: sequence)?.tokens
    }
}
