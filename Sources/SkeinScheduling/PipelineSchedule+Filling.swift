import SkeinCore

// What goes in: credits are spent on decode and prefill micro-batches.
extension PipelineSchedule {
    /// Spends the free credits, and says what to send.
    public mutating func fillRing() -> [Directive] {
        var directives: [Directive] = []
        while flights.count < plan.microBatchesInFlightMax {
            startWaiting()
            guard let builder = nextBuilder(into: &directives) else { break }
            let id = MicroBatchID(rawValue: nextMicroBatchNumber)
            nextMicroBatchNumber += 1
            let microBatch = builder.close(id: id, epoch: epoch)
            flights[id] = microBatch
            flightCounts[builder.phase, default: 0] += 1
            lastPhase = builder.phase
            tally.sendCount += 1
            switch builder.phase {
            case .prefill: tally.prefillRowCount += builder.rowCount
            case .decode: tally.decodeRowCount += builder.rowCount
            }
            directives.append(.send(microBatch))
        }
        return directives
    }

    /// Starts sequences in the order of arrival, as long as their tokens so far find room beside
    /// what the running ones still need for theirs, and a little more for those that decode.
    private mutating func startWaiting() {
        guard let first = table.waiting.first else { return }
        var promised = table.running.reduce(0) { sum, id in
            let state = table[id]
            return sum
                + max(0, PageLedger.pagesNeeded(rows: state.tokens.count) - state.pages.count)
        }
        var next: SequenceID? = first
        while let id = next, table.running.count < plan.runningSequencesMax {
            let needed = PageLedger.pagesNeeded(rows: table[id].tokens.count)
            let reserve = min(table.running.count, plan.pageCount / 16)
            let available = ledger.freeCount + ledger.idleCount - promised
            guard table.running.isEmpty || available >= needed + reserve else { return }
            table.start(id)
            reusePrefix(of: id)
            promised += needed - table[id].pages.count
            next = table.waiting.first
        }
    }

    /// Decode first, within the credits that rule 3 gives to each phase.
    private mutating func nextBuilder(into directives: inout [Directive]) -> MicroBatchBuilder? {
        let inFlightMax = plan.microBatchesInFlightMax
        let decodingCount = table.running.count { table[$0].life == .decoding }
        let prefillWaits = table.running.contains { table[$0].hasChunkLeft }
        let decodeNeed = min(plan.decodeMicroBatchCount, decodingCount)
        let prefillMax = max(1, min(plan.prefillMicroBatchCount, inFlightMax - decodeNeed))
        let decodeMax = max(
            1, min(plan.decodeMicroBatchCount, prefillWaits ? inFlightMax - 1 : inFlightMax))
        let prefillsNext = inFlightMax == 1 && lastPhase == .decode && prefillWaits
        for phase in prefillsNext ? [Phase.prefill, .decode] : [.decode, .prefill] {
            let inFlight = flightCounts[phase, default: 0]
            switch phase {
            case .decode where inFlight < decodeMax && !ready.isEmpty:
                let builder = decodeBuilder(decodingCount, inFlight, into: &directives)
                if !builder.isEmpty { return builder }
            case .prefill where inFlight < prefillMax && prefillWaits:
                let rowsMax =
                    decodingCount > 0
                    ? plan.prefillBudget.rowsBesideDecode : plan.prefillBudget.rowsMax
                let builder = prefillBuilder(rowsMax, into: &directives)
                if !builder.isEmpty { return builder }
            default: break
            }
        }
        return nil
    }

    private mutating func decodeBuilder(
        _ decodingCount: Int, _ inFlightCount: Int, into directives: inout [Directive]
    ) -> MicroBatchBuilder {
        let spansMax = DecodePlan.spanCount(
            readyCount: ready.count, liveCount: decodingCount,
            microBatchCount: plan.decodeMicroBatchCount, inFlightCount: inFlightCount)
        var builder = MicroBatchBuilder(phase: .decode, rowsMax: .max, spansMax: spansMax)
        for id in ready where !builder.isFull {
            // One that was taken before it in this loop may have preempted it.
            guard let state = table.state(of: id), state.life == .decoding,
                builder.accepts(state.request.capture)
            else { continue }
            let rows = (state.tokens.count - 1)..<state.tokens.count
            guard ensurePages(of: id, rows: rows.upperBound, into: &directives) else { continue }
            add(rows, of: id, to: &builder)
            ready.removeAll { $0 == id }
        }
        return builder
    }

    private mutating func prefillBuilder(
        _ rowsMax: Int, into directives: inout [Directive]
    ) -> MicroBatchBuilder {
        var builder = MicroBatchBuilder(
            phase: .prefill, rowsMax: rowsMax, spansMax: Limits.microBatchSpansMax)
        // Nobody is skipped: one that cannot join now is the first of a later micro-batch.
        for id in table.running where !builder.isFull {
            guard let state = table.state(of: id), state.hasChunkLeft else { continue }
            guard builder.accepts(state.request.capture) else { break }
            // A sequence with a chunk length of its own keeps to it, even beyond the budget.
            var chunkMax = builder.rowsLeft
            if let own = state.request.chunkRowsMax {
                let room = builder.isEmpty ? Limits.microBatchRowsMax : builder.rowsLeft
                chunkMax = min(max(1, own), room)
            }
            let rows = PrefillPlan(rowsMax: chunkMax).chunk(of: state)
            guard ensurePages(of: id, rows: rows.upperBound, into: &directives) else { break }
            add(rows, of: id, to: &builder)
        }
        return builder
    }

    private mutating func add(
        _ rows: Range<Int>, of id: SequenceID, to builder: inout MicroBatchBuilder
    ) {
        let span = table.update(id) { state -> SequenceSpan in
            state.rowsSent = rows.upperBound
            state.inFlightCount += 1
            let isLast = rows.upperBound == state.tokens.count
            let targets = state.request.targets
            let owes = state.owesScores && rows.upperBound <= targets.count
            let isScored = owes && rows.upperBound > state.scoredCount
            return SequenceSpan(
                sequence: id, firstPosition: rows.lowerBound, tokens: Array(state.tokens[rows]),
                pageTable: Array(state.pages.prefix(PageLedger.pagesNeeded(rows: rows.upperBound))),
                demand: isLast && state.request.wantsToken ? state.demand() : nil,
                targets: isScored ? Array(targets[rows]) : [],
                targetTopLogprobsCount: isScored
                    ? state.request.sampling.topLogprobsCount ?? 0 : 0)
        }
        builder.add(span, capture: table[id].request.capture)
    }
}
