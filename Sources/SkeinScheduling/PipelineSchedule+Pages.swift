import SkeinCore

// Who owns which page, who must give pages up, and which beginnings are shared.
extension PipelineSchedule {
    /// Gives the sequence the pages of its first `rows` positions.
    ///
    /// - Returns: `false` where it must wait: older sequences own the pages, or younger ones that
    ///   were preempted for it are still in the ring.
    mutating func ensurePages(
        of id: SequenceID, rows: Int, into directives: inout [Directive]
    ) -> Bool {
        let missing = PageLedger.pagesNeeded(rows: rows) - table[id].pages.count
        guard missing > 0 else { return true }
        if ledger.freeCount + ledger.idleCount < missing {
            preempt(for: id, missing: missing, into: &directives)
        }
        while ledger.freeCount < missing {
            guard prefixes.evict(from: &ledger) else { return false }
        }
        guard let pages = ledger.take(missing) else { return false }
        table.update(id) { $0.pages.append(contentsOf: pages) }
        return true
    }

    /// Preempts the youngest sequences, as few as needed, and none where it would not help.
    private mutating func preempt(
        for id: SequenceID, missing: Int, into directives: inout [Directive]
    ) {
        // Pages that come free with the returns of those who leave already.
        var coming = table.running.reduce(0) { sum, other in
            let state = table[other]
            let leaves = state.life == .ending || state.life == .preempted
            return sum + (leaves ? soleCount(state.pages) : 0)
        }
        let younger = table.running.reversed().prefix { $0 > id }.filter {
            let life = table[$0].life
            return life == .prefilling || life == .decoding
        }
        let reclaimable = younger.reduce(coming) { $0 + soleCount(table[$1].pages) }
        guard ledger.freeCount + ledger.idleCount + reclaimable >= missing else { return }
        for victim in younger where ledger.freeCount + ledger.idleCount + coming < missing {
            let state = table[victim]
            guard !state.pages.isEmpty else { continue }
            tally.preemptionCount += 1
            table.update(victim) { $0.life = .preempted }
            if state.inFlightCount > 0 { coming += soleCount(state.pages) }
            settle(victim, into: &directives)
        }
    }

    /// How many of the pages have no other owner.
    private func soleCount(_ pages: [PageIndex]) -> Int {
        pages.count { ledger.ownerCount(of: $0) == 1 }
    }

    /// Lets known pages stand in for the beginning of a sequence that starts.
    ///
    /// The last token is always run, since the token after it is wanted.
    func reusablePagesMax(of state: SequenceState) -> Int {
        (state.tokens.count - 1) / Limits.pageRowCount
    }

    mutating func reusePrefix(of id: SequenceID) {
        let state = table[id]
        guard plan.reusesPrefixes, state.mayReusePrefix else { return }
        let match = prefixes.match(
            state.tokens, tenant: state.request.tenant, pagesMax: reusablePagesMax(of: state))
        guard !match.pages.isEmpty else { return }
        ledger.share(match.pages)
        let rows = match.pages.count * Limits.pageRowCount
        tally.reusedRowCount += rows
        table.update(id) { state in
            state.pages = match.pages
            state.rowsSent = rows
            state.rowsReturned = rows
            state.indexedPageCount = match.pages.count
            state.prefixNode = match.node
        }
    }

    /// Makes full pages whose rows are in every stage's cache known to later sequences.
    mutating func indexPages(of id: SequenceID) {
        guard plan.reusesPrefixes else { return }
        while true {
            let state = table[id]
            let number = state.indexedPageCount
            guard (number + 1) * Limits.pageRowCount <= state.rowsReturned else { return }
            // A parent that was evicted meanwhile leaves its children unreachable.
            if let node = state.prefixNode, !prefixes.contains(node) { return }
            let (node, isNew) = prefixes.insert(
                state.pages[number], number: number, of: state.tokens,
                tenant: state.request.tenant, after: state.prefixNode)
            if isNew { ledger.keep(state.pages[number]) }
            table.update(id) { state in
                state.indexedPageCount += 1
                state.prefixNode = node
            }
        }
    }
}
