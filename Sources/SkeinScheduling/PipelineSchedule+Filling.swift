import SkeinCore

// What goes in: credits are spent on decode and prefill micro-batches.
extension PipelineSchedule {
    /// Spends the free credits, and says what to send.
    public mutating func fillRing() -> [Directive] {
        var directives: [Directive] = []
        while flights.count < plan.microBatchesInFlightMax {
            releasePrefixWaiters()
            startWaiting()
            guard let builder = nextBuilder(into: &directives) else { break }
            let id = MicroBatchID(rawValue: nextMicroBatchNumber)
            nextMicroBatchNumber += 1
            let microBatch = builder.close(id: id, epoch: epoch)
            flights[id] = microBatch
            flightCounts[builder.phase, default: 0] += 1
            lastPhase = builder.phase
            totals.sendCount += 1
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
                + max(0, PageIndex.count(ofRows: state.tokens.count) - state.pages.count)
        }
        var next: SequenceID? = first
        while let id = next, table.running.count < plan.runningSequencesMax {
            let needed = PageIndex.count(ofRows: table[id].tokens.count)
            let reserve = min(table.running.count, plan.pageCount / 16)
            let available = allocator.freeCount + allocator.idleCount - promised
            guard table.running.isEmpty || available >= needed + reserve else { return }
            table.start(id)
            seekPrefix(of: id)
            promised += needed - table[id].pages.count
            next = table.waiting.first
        }
    }

    /// Decode first, within the places that rule 3 gives to each phase.
    private mutating func nextBuilder(into directives: inout [Directive]) -> MicroBatchBuilder? {
        let inFlightMax = plan.microBatchesInFlightMax
        let decodingCount = table.running.count { table[$0].life == .decoding }
        let firstChunk = table.running.first { table[$0].hasChunkLeft }
        let canRide = firstChunk.map { chunksCanRide(first: $0) } ?? false
        let decodeNeed = min(plan.decodeMicroBatchCount, decodingCount)
        let leftOver = inFlightMax - decodeNeed
        let prefillMax =
            canRide
            ? min(plan.prefillMicroBatchCount, plan.decodeMicroBatchCount - decodeNeed, leftOver)
            : max(1, min(plan.prefillMicroBatchCount, leftOver))
        let mustShare = firstChunk != nil && !canRide
        let decodeMax = max(
            1, min(plan.decodeMicroBatchCount, mustShare ? inFlightMax - 1 : inFlightMax))
        let prefillsNext = inFlightMax == 1 && lastPhase == .decode && mustShare
        for phase in prefillsNext ? [Phase.prefill, .decode] : [.decode, .prefill] {
            let inFlight = flightCounts[phase, default: 0]
            switch phase {
            case .decode where inFlight < decodeMax && !ready.isEmpty:
                let builder = decodeBuilder(decodingCount, inFlight, into: &directives)
                if !builder.isEmpty { return builder }
            // An empty ring takes a chunk whatever decode is waiting for.
            case .prefill where firstChunk != nil && (inFlight < prefillMax || flights.isEmpty):
                let builder = prefillBuilder(besides: decodingCount, into: &directives)
                if !builder.isEmpty { return builder }
            default: break
            }
        }
        return nil
    }

    /// Whether the next chunk may join a micro-batch of decode.
    private func chunksCanRide(first id: SequenceID) -> Bool {
        table[id].request.capture.isEmpty
            && table.running.contains {
                table[$0].life == .decoding && table[$0].request.capture.isEmpty
            }
    }

    private mutating func decodeBuilder(
        _ decodingCount: Int, _ inFlightCount: Int, into directives: inout [Directive]
    ) -> MicroBatchBuilder {
        let spansMax = DecodePlan.spanCount(
            readyCount: ready.count, liveCount: decodingCount,
            microBatchCount: plan.decodeMicroBatchCount, inFlightCount: inFlightCount)
        var builder = MicroBatchBuilder(phase: .decode, spansMax: spansMax)
        for id in ready where !builder.isFull {
            // One that was taken before it in this loop may have preempted it.
            guard let state = table.state(of: id), state.life == .decoding,
                builder.accepts(state.request.capture)
            else { continue }
            let rows = (state.tokens.count - 1)..<state.tokens.count
            // Only a sequence's own pages have room for drafts, so nobody is preempted for them.
            guard ensurePages(of: id, rows: rows.upperBound, into: &directives) else { continue }
            add(rows, of: id, to: &builder, isChunk: false, into: &directives)
            ready.removeAll { $0 == id }
        }
        guard !builder.isEmpty, builder.accepts([]) else { return builder }
        let rowsMax = ridersMax(besides: builder.rowCount)
        builder.spansMax = Limits.microBatchSpansMax
        addChunks(rowsMax, to: &builder, into: &directives)
        return builder
    }

    private mutating func prefillBuilder(
        besides decodingCount: Int, into directives: inout [Directive]
    ) -> MicroBatchBuilder {
        var rowsMax = plan.prefillBudget.rowsMax
        if decodingCount > 0 {
            let count = plan.decodeMicroBatchCount
            let decodeRows = (decodingCount + count - 1) / count
            rowsMax = min(rowsMax, decodeRows + ridersMax(besides: decodeRows))
        }
        var builder = MicroBatchBuilder(phase: .prefill, spansMax: Limits.microBatchSpansMax)
        addChunks(rowsMax, to: &builder, into: &directives)
        return builder
    }

    /// Prompt rows that may ride with rows of decode.
    ///
    /// Streams that stand still since a node was lost wait longer than the others would be slowed:
    /// as long as there are any, chunks are as large as where none decodes.
    private func ridersMax(besides decodeRows: Int) -> Int {
        let someStandStill = table.running.contains {
            table[$0].isInterrupted && table[$0].hasChunkLeft
        }
        if someStandStill { return plan.prefillBudget.rowsMax }
        return plan.prefillBudget.rowsBesideDecode(
            decodeRows, times: stepTimes, stageCount: plan.stageCount)
    }

    /// Adds the next chunks of prompts, the oldest first; nobody is skipped: one that cannot join
    /// now is the first of a later micro-batch.
    private mutating func addChunks(
        _ rowsMax: Int, to builder: inout MicroBatchBuilder, into directives: inout [Directive]
    ) {
        for (id, rowCount) in shares(of: rowsMax, in: builder) where !builder.isFull {
            // One that was taken before it in this loop may have preempted it.
            guard let state = table.state(of: id), state.hasChunkLeft else { continue }
            var rows = PrefillPlan(rowsMax: rowCount).chunk(of: state)
            if !ensurePages(of: id, rows: rows.upperBound, into: &directives) {
                // The page that is missing may be the one that it copies.
                guard abandonCopy(of: id) else { return }
                rows = PrefillPlan(rowsMax: rowCount).chunk(of: table[id])
                guard ensurePages(of: id, rows: rows.upperBound, into: &directives) else { return }
            }
            add(rows, of: id, to: &builder, isChunk: true, into: &directives)
        }
    }

    /// Divides prompt rows among the sequences that have some left.
    private func shares(of rowsMax: Int, in builder: MicroBatchBuilder) -> [(SequenceID, Int)] {
        var shares: [(id: SequenceID, rowCount: Int, needed: Int)] = []
        var left = rowsMax
        var capture = builder.isEmpty ? nil : builder.capture
        let candidates = table.running.filter { table[$0].hasChunkLeft }
        for (place, id) in candidates.enumerated() where left > 0 {
            let state = table[id]
            guard capture ?? state.request.capture == state.request.capture else { break }
            capture = state.request.capture
            let needed = PrefillPlan(rowsMax: Limits.microBatchRowsMax).chunk(of: state).count
            if let own = state.request.chunkRowsMax {
                // A sequence with a chunk length of its own keeps to it, even beyond the budget.
                let isFirst = builder.isEmpty && shares.isEmpty
                let rowCount = min(needed, max(1, own), isFirst ? Limits.microBatchRowsMax : left)
                shares.append((id, rowCount, rowCount))
                left -= rowCount
            } else {
                let othersWait = !state.isInterrupted && place + 1 < candidates.count
                let share = PrefillPlan.share(of: left, othersWait: othersWait)
                shares.append((id, min(needed, share), needed))
                left -= min(needed, share)
            }
        }
        for place in shares.indices where left > 0 {
            let more = min(left, shares[place].needed - shares[place].rowCount)
            shares[place].rowCount += more
            left -= more
        }
        return shares.map { ($0.id, $0.rowCount) }
    }

    private mutating func add(
        _ rows: Range<Int>, of id: SequenceID, to builder: inout MicroBatchBuilder,
        isChunk: Bool, into directives: inout [Directive]
    ) {
        let isFirst = !table[id].hasBegun
        if !table[id].isNamed { choosePrediction(for: id) }
        let wanted = draftsWanted(of: id)
        let drafts = isChunk ? [] : ridingDrafts(of: id, beside: builder.rowCount)
        let span = table.update(id) { state -> SequenceSpan in
            state.rowsSent = rows.upperBound
            state.inFlightCount += 1
            state.hasBegun = true
            let label = state.isNamed ? "" : state.request.label
            state.isNamed = true
            let isLast = rows.upperBound == state.tokens.count
            state.drafts = []
            let targets = state.request.targets
            let owes = state.owesScores && rows.upperBound <= targets.count
            let isScored = owes && rows.upperBound > state.scoredCount
            var span = SequenceSpan(
                sequence: id, firstPosition: rows.lowerBound,
                tokens: Array(state.tokens[rows]) + drafts,
                pageTable: Array(
                    state.pages.prefix(PageIndex.count(ofRows: rows.upperBound + drafts.count))),
                demand: isLast && state.request.wantsToken ? state.demand() : nil,
                targets: isScored ? Array(targets[rows]) : [],
                targetTopLogprobsCount: isScored
                    ? state.request.sampling.topLogprobsCount ?? 0 : 0,
                label: label)
            span.draftCount = drafts.count
            span.draftsWantedCount = span.demand == nil ? 0 : wanted
            span.isPredicted = state.isPredicted && span.demand != nil
            if state.isPredicted, !isLast { span.followingToken = state.tokens[rows.upperBound] }
            if let copied = state.copiedPage, !copied.isSent {
                state.copiedPage?.isSent = true
                span.pageCopy = PageCopy(
                    source: copied.page, target: state.pages[rows.lowerBound / Limits.pageRowCount],
                    rowCount: copied.rowCount)
            }
            return span
        }
        let request = table[id].request
        if isFirst { begin(id, cachedRowCount: rows.lowerBound, into: &directives) }
        if !request.isProbe {
            totals.prefillRowCount += isChunk ? rows.count : 0
            totals.decodeRowCount += isChunk ? 0 : span.tokens.count
        }
        builder.add(span, capture: request.capture)
    }

    /// Tells how much of the prompt was known; a probe's rows are nobody's.
    private mutating func begin(
        _ id: SequenceID, cachedRowCount: Int, into directives: inout [Directive]
    ) {
        let request = table[id].request
        let promptCount = request.promptTokens.count
        let cachedCount = min(cachedRowCount, promptCount)
        if !request.isProbe {
            totals.promptTokenCount += promptCount
            totals.cachedTokenCount += cachedCount
        }
        directives.append(.began(id, cachedTokenCount: cachedCount))
    }
}
