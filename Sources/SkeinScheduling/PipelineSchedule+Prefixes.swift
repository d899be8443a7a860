import SkeinCore

// Which beginnings are shared: who waits for whose rows, what is taken from the index, and what is
// made known to later sequences.
extension PipelineSchedule {
    /// Lets a sequence that starts wait for the rows of an older one that runs the same beginning
    /// now, or else take what is known of it.
    ///
    /// The last token is always run, since the token after it is wanted.
    mutating func seekPrefix(of id: SequenceID) {
        guard plan.reusesPrefixes else { return }
        table.update(id) { state in
            if state.beginning.tokenCount != state.tokens.count {
                state.beginning = Beginning(state.tokens)
            }
        }
        let state = table[id]
        guard state.mayReusePrefix else { return }
        let match = prefixes.match(
            state.tokens, tenant: state.request.tenant, rowsMax: state.tokens.count - 1)
        if let prefixOwner = prefixOwner(of: state, knownRowCount: match.rowCount) {
            table.update(id) { $0.prefixOwner = prefixOwner }
        } else {
            take(match, for: id)
        }
    }

    /// Sends those on their way whose prefix owner has run what they share, or leaves.
    mutating func releasePrefixWaiters() {
        guard plan.reusesPrefixes else { return }
        for id in table.running {
            guard let prefixOwner = table[id].prefixOwner else { continue }
            if let state = table.state(of: prefixOwner.sequence), state.life == .prefilling,
                state.rowsReturned < prefixOwner.rowCount
            {
                continue
            }
            table.update(id) { $0.prefixOwner = nil }
            if table[id].life == .prefilling { seekPrefix(of: id) }
        }
    }

    /// The older sequence that will bring most of this one's beginning, if that is worth a wait: a
    /// page more than is known, since what is less than a page is run in one step anyway.
    ///
    /// An owner is always older, so nobody waits in a circle, and it prefills, so it goes on or
    /// leaves. One with a chunk length of its own may be slow on purpose.
    private func prefixOwner(
        of state: SequenceState, knownRowCount: Int
    ) -> SequenceState.PrefixOwner? {
        var best: SequenceState.PrefixOwner?
        for id in table.running.prefix(while: { $0 < state.request.id }) {
            let other = table[id]
            guard other.life == .prefilling, other.request.tenant == state.request.tenant,
                other.request.chunkRowsMax == nil
            else { continue }
            let common = min(
                state.beginning.commonCount(state.tokens, with: other.beginning, other.tokens),
                state.tokens.count - 1)
            guard common >= knownRowCount + Limits.pageRowCount, other.rowsReturned < common,
                common > best?.rowCount ?? 0
            else { continue }
            best = SequenceState.PrefixOwner(sequence: id, rowCount: common)
        }
        return best
    }

    /// Lets known pages stand in for the beginning of a sequence.
    private mutating func take(_ match: PrefixIndex.Match, for id: SequenceID) {
        guard match.rowCount > 0 else { return }
        allocator.share(match.pages)
        if let tail = match.tail { allocator.share([tail.page]) }
        totals.reusedRowCount += match.rowCount
        table.update(id) { state in
            state.pages = match.pages
            state.rowsSent = match.rowCount
            state.rowsReturned = match.pages.count * Limits.pageRowCount
            state.indexedPageCount = match.pages.count
            state.prefixNode = match.node
            state.copiedPage = match.tail.map { .init(page: $0.page, rowCount: $0.rowCount) }
        }
    }

    /// Runs the rows that were to be copied, so that the page they lie in may be given up.
    ///
    /// - Returns: `false` where nothing is to be copied any more.
    mutating func abandonCopy(of id: SequenceID) -> Bool {
        guard let copied = table[id].copiedPage, !copied.isSent else { return false }
        allocator.release([copied.page])
        totals.reusedRowCount -= copied.rowCount
        table.update(id) { state in
            state.rowsSent -= copied.rowCount
            state.copiedPage = nil
        }
        return true
    }

    /// Makes rows that are in every stage's cache known to later sequences.
    ///
    /// - Parameter includesTail: whether the rows of the last page are made known though it is not
    ///   full; its owner may go on to fill it.
    mutating func indexPages(of id: SequenceID, includesTail: Bool) {
        guard plan.reusesPrefixes else { return }
        var state = table[id]
        let fullCount = state.rowsReturned / Limits.pageRowCount
        let tailCount = includesTail ? state.rowsReturned % Limits.pageRowCount : 0
        guard !state.hasFaultyRows, state.indexedPageCount < fullCount || tailCount > 0 else {
            return
        }
        if let node = state.prefixNode, !prefixes.contains(node) {
            // It was evicted, and what follows it: the sequence has all of the rows itself.
            state.indexedPageCount = 0
            state.prefixNode = nil
        }
        for number in state.indexedPageCount..<fullCount {
            let first = number * Limits.pageRowCount
            let node = index(
                state.pages[number], state.tokens[first..<(first + Limits.pageRowCount)],
                of: state)
            state.prefixNode = node
            state.indexedPageCount = number + 1
        }
        if tailCount > 0 {
            let first = fullCount * Limits.pageRowCount
            _ = index(
                state.pages[fullCount], state.tokens[first..<(first + tailCount)], of: state)
        }
        table.update(id) { kept in
            kept.indexedPageCount = state.indexedPageCount
            kept.prefixNode = state.prefixNode
        }
    }

    /// Makes one page known, after the node that the state names.
    private mutating func index(
        _ page: PageIndex, _ tokens: ArraySlice<TokenID>, of state: SequenceState
    ) -> PrefixIndex.NodeID? {
        let knownCount = prefixes.rowCount(of: page)
        if knownCount > 0, knownCount < tokens.count {
            // The page was known in part and has grown.
            for page in prefixes.remove(page) { allocator.drop(page) }
        }
        let (node, isNew) = prefixes.insert(
            page, tokens: tokens, tenant: state.request.tenant, after: state.prefixNode)
        if isNew { allocator.keep(page) }
        return node
    }

    /// Gives back what a sequence owns; its rows stay known, and count as used just now.
    mutating func giveBack(_ id: SequenceID) {
        indexPages(of: id, includesTail: true)
        let state = table[id]
        allocator.release(state.ownedPages)
        // Parents after their children, so that the ends of chains are evicted first.
        allocator.touch(prefixes.chain(to: state.prefixNode))
        table.update(id) { state in
            state.pages = []
            state.copiedPage = nil
        }
    }
}
