public import SkeinCore

// A new placement: nothing that was in the ring counts, and everything live is replayed.
extension PipelineSchedule {
    /// Follows a new placement: what is in flight is void, all pages are empty, and the live
    /// sequences are replayed by chunked prefill of prompt and completion, oldest first.
    ///
    /// Sequences that the new plan has no room for are refused.
    ///
    /// - Precondition: The epoch is newer.
    public mutating func onEpoch(_ epoch: Epoch, plan: SchedulePlan? = nil) -> [Directive] {
        precondition(epoch > self.epoch, "epoch \(epoch.rawValue) is not newer")
        if let plan {
            plan.check()
            self.plan = plan
        }
        self.epoch = epoch
        flights = [:]
        flightCounts = [:]
        ready = []
        lastPhase = nil
        stepTimes = StepTimes()
        ringTimes = RingTimes()
        drafting = DraftTuning()
        allocator = PageAllocator(pageCount: self.plan.pageCount)
        prefixes = PrefixIndex()
        var directives: [Directive] = []
        for id in table.running {
            let isEnding = table.update(id) { state in
                state.pages = []
                state.inFlightCount = 0
                state.isInterrupted = state.isInterrupted || !state.completionTokens.isEmpty
                return state.life == .ending
            }
            if isEnding { table.depart(id) } else { table.wait(id) }
        }
        for id in table.waiting {
            var request = table[id].request
            request.completionTokens = Array(table[id].completionTokens)
            guard let refusal = refusal(of: request) else { continue }
            table.depart(id)
            if !request.isProbe { totals.finishCount += 1 }
            directives.append(.refuse(id, refusal))
        }
        return directives
    }

    /// Checks every invariant; each line of the answer is a fault, so it should be empty.
    public func audit() -> [String] {
        let states = table.all
        var faults = allocator.audit(
            owned: states.map(\.pages)
                + states.compactMap { state in state.copiedPage.map { [$0.page] } },
            kept: prefixes.pages)
        if flights.count > plan.microBatchesInFlightMax {
            faults.append(
                "\(flights.count) in flight, credits \(plan.microBatchesInFlightMax)")
        }
        var inFlight: [SequenceID: Int] = [:]
        for microBatch in flights.values {
            if microBatch.epoch != epoch { faults.append("a flight of another epoch") }
            for span in microBatch.spans { inFlight[span.sequence, default: 0] += 1 }
        }
        for phase in [Phase.prefill, .decode] {
            let count = flights.values.count { $0.phase == phase }
            if count != flightCounts[phase, default: 0] { faults.append("credits of \(phase)") }
        }
        let readySet = Set(ready)
        if readySet.count != ready.count { faults.append("ready twice") }
        for state in states {
            let id = state.request.id
            if state.inFlightCount != inFlight.removeValue(forKey: id) ?? 0 {
                faults.append("sequence \(id.rawValue): flights miscounted")
            }
            let copiedLater = state.copiedPage.map { $0.isSent ? 0 : $0.rowCount } ?? 0
            if state.pages.count < PageIndex.count(ofRows: state.rowsSent - copiedLater) {
                faults.append("sequence \(id.rawValue): rows without page")
            }
            if state.life == .waiting && !(state.ownedPages.isEmpty && state.inFlightCount == 0) {
                faults.append("sequence \(id.rawValue) waits with pages or flights")
            }
            if let prefixOwner = state.prefixOwner,
                prefixOwner.sequence >= id || !state.ownedPages.isEmpty
            {
                faults.append("sequence \(id.rawValue) waits for a younger one, or with pages")
            }
            let isReady =
                state.life == .decoding && state.inFlightCount == 0 && !state.awaitsAllowance
            if isReady != readySet.contains(id) && state.life == .decoding {
                faults.append("sequence \(id.rawValue): readiness")
            }
        }
        if !inFlight.isEmpty { faults.append("flights of sequences that departed") }
        return faults
    }
}
