import SkeinCore

// Who owns which page, and who must give pages up.
extension PipelineSchedule {
    /// Gives the sequence the pages of its first `rows` positions.
    ///
    /// - Returns: `false` where it must wait: older sequences own the pages, or younger ones that
    ///   were preempted for it are still in the ring.
    mutating func ensurePages(
        of id: SequenceID, rows: Int, into directives: inout [Directive]
    ) -> Bool {
        let missing = PageIndex.count(ofRows: rows) - table[id].pages.count
        guard missing > 0 else { return true }
        if allocator.freeCount + allocator.idleCount < missing {
            preempt(for: id, missing: missing, into: &directives)
        }
        while allocator.freeCount < missing {
            guard evictOldest() else { return false }
        }
        guard let pages = allocator.take(missing) else { return false }
        table.update(id) { $0.pages.append(contentsOf: pages) }
        return true
    }

    /// Preempts the youngest sequences, as few as needed, and none where it would not help.
    private mutating func preempt(
        for id: SequenceID, missing: Int, into directives: inout [Directive]
    ) {
        var coming = LeavingPages()
        // Pages that come free with the returns of those who leave already.
        for other in table.running {
            let state = table[other]
            let leaves = state.life == .ending || state.life == .preempted
            if leaves { coming.add(state.ownedPages, of: allocator) }
        }
        let available = allocator.freeCount + allocator.idleCount
        var victims: [SequenceID] = []
        for other in table.running.reversed().prefix(while: { $0 > id })
        where available + coming.freedCount < missing {
            let state = table[other]
            guard state.life == .prefilling || state.life == .decoding,
                !state.ownedPages.isEmpty
            else { continue }
            coming.add(state.ownedPages, of: allocator)
            victims.append(other)
        }
        guard available + coming.freedCount >= missing else { return }
        // One whose pages all have other owners that stay would leave for nothing.
        let leaving = victims.filter { coming.frees(anyOf: table[$0].ownedPages, of: allocator) }
        for victim in leaving {
            totals.preemptionCount += 1
            table.update(victim) { $0.life = .preempted }
            settle(victim, into: &directives)
        }
    }

    /// Gives up the page that is kept longest for its rows only, and what follows it.
    private mutating func evictOldest() -> Bool {
        guard let oldest = allocator.oldestIdle else { return false }
        let removed = prefixes.remove(oldest)
        for page in removed { allocator.drop(page) }
        totals.evictionCount += removed.count
        return !removed.isEmpty
    }
}

/// Counts the pages that nobody owns any more once some of their owners have left.
private struct LeavingPages {
    private var ownersLeaving: [PageIndex: Int] = [:]
    private(set) var freedCount = 0

    mutating func add(_ pages: [PageIndex], of allocator: PageAllocator) {
        for page in pages {
            ownersLeaving[page, default: 0] += 1
            if ownersLeaving[page] == allocator.ownerCount(of: page) { freedCount += 1 }
        }
    }

    func frees(anyOf pages: [PageIndex], of allocator: PageAllocator) -> Bool {
        pages.contains { ownersLeaving[$0] == allocator.ownerCount(of: $0) }
    }
}
