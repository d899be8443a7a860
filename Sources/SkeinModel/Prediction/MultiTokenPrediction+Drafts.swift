import SkeinCache
public import SkeinCore
public import SkeinTensor

/// What the prediction layer is to read of one sequence, and how far it is to guess ahead.
public struct DraftRequest: Equatable, Sendable {
    /// The sequence's rows of the step; each token is the one *after* its row.
    public var span: SequenceSpan

    /// The first of its rows among those of the step.
    public var firstRow: Int

    /// Tokens to guess after the last of the span's; 0 where the layer only reads.
    public var draftCount: Int

    /// Describes one sequence's part.
    public init(span: SequenceSpan, firstRow: Int, draftCount: Int) {
        self.span = span
        self.firstRow = firstRow
        self.draftCount = draftCount
    }
}

// Guesses ahead: the first draft follows the last entry, each further one an entry that is made of
// the layer's own output and the draft before it.
//
//     final hidden, next tokens ─► entries ─► draft 1 ─► entry ─► draft 2 ─► …
//
// Entries made of drafts stand where the next step's own entries will: these overwrite them.
extension MultiTokenPrediction {
    /// Reads some sequences' rows and guesses ahead.
    ///
    /// Fewer tokens are guessed where a sequence's pages, or the model's positions, end.
    ///
    /// - Parameters:
    ///   - requests: at least one.
    ///   - finalHidden: `[row, hidden]`, all rows of the step after the main model's final norm.
    /// - Returns: the drafts of each request, in order.
    public func drafts(
        for requests: [DraftRequest], finalHidden: Tensor
    ) throws(Refusal) -> [[TokenID]] {
        for copy in requests.compactMap(\.span.pageCopy) {
            latents.copyPage(from: copy.source, to: copy.target, rowCount: copy.rowCount)
        }
        var hidden = try advance(
            requests.map(\.span), finalHidden: rows(of: requests, in: finalHidden))
        var drafts = [[TokenID]](repeating: [], count: requests.count)
        var lastRow = -1
        var live: [(place: Int, row: Int)] = []
        for (place, request) in requests.enumerated() {
            lastRow += request.span.tokens.count
            if request.draftCount > 0 { live.append((place, lastRow)) }
        }
        while !live.isEmpty {
            for (token, part) in zip(bestTokens(after: live.map(\.row)), live) {
                drafts[part.place].append(token)
            }
            live.removeAll { part in
                let request = requests[part.place]
                let count = drafts[part.place].count
                return count == request.draftCount || !hasRoom(for: request.span, further: count)
            }
            guard !live.isEmpty else { break }
            carried.resize(rows: live.count)
            for (row, part) in live.enumerated() {
                carried.copyRow(row, from: hidden, row: part.row)
            }
            let spans = live.map { further(requests[$0.place].span, drafts[$0.place]) }
            hidden = try advance(spans, finalHidden: carried)
            live = live.enumerated().map { ($1.place, $0) }
        }
        return drafts
    }

    /// The rows that the requests speak of, one sequence after the other.
    private func rows(of requests: [DraftRequest], in finalHidden: Tensor) -> Tensor {
        gathered.resize(rows: requests.reduce(0) { $0 + $1.span.tokens.count })
        var place = 0
        for request in requests {
            for offset in request.span.tokens.indices {
                gathered.copyRow(place, from: finalHidden, row: request.firstRow + offset)
                place += 1
            }
        }
        return gathered
    }

    /// Whether an entry has a place so many positions after the span's last one.
    private func hasRoom(for span: SequenceSpan, further count: Int) -> Bool {
        let end = span.firstPosition + span.tokens.count + count
        return end <= configuration.positionCountMax
            && PageIndex.count(ofRows: end) <= span.pageTable.count
    }

    /// The entry that a further draft follows.
    private func further(_ span: SequenceSpan, _ drafts: [TokenID]) -> SequenceSpan {
        SequenceSpan(
            sequence: span.sequence,
            firstPosition: span.firstPosition + span.tokens.count + drafts.count - 1,
            tokens: drafts.suffix(1), pageTable: span.pageTable)
    }
}
