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

extension DraftRequest {
    /// Some rows of a sequence's, the first of them among those of the step.
    struct Part {
        var span: SequenceSpan
        var firstRow: Int
    }

    /// Rows that only later ones attend to: all of them but the last, where drafts follow it.
    var kept: Part? {
        let count = span.tokens.count - (draftCount > 0 ? 1 : 0)
        return count > 0 ? part(0..<count) : nil
    }

    /// The row that drafts follow.
    var last: Part { part(span.tokens.count - 1..<span.tokens.count) }

    private func part(_ offsets: Range<Int>) -> Part {
        Part(
            span: SequenceSpan(
                sequence: span.sequence, firstPosition: span.firstPosition + offsets.lowerBound,
                tokens: Array(span.tokens[offsets]), pageTable: span.pageTable),
            firstRow: firstRow + offsets.lowerBound)
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
        let kept = requests.compactMap(\.kept)
        if !kept.isEmpty {
            try keep(kept.map(\.span), finalHidden: rows(of: kept, in: finalHidden))
        }
        var drafts = [[TokenID]](repeating: [], count: requests.count)
        // Those that are guessed ahead, in the order of the rows of `hidden`.
        var live = requests.indices.filter { requests[$0].draftCount > 0 }
        guard !live.isEmpty else { return drafts }
        let last = live.map { requests[$0].last }
        var hidden = try advance(last.map(\.span), finalHidden: rows(of: last, in: finalHidden))
        while true {
            for (token, place) in zip(bestTokens(after: hidden), live) {
                drafts[place].append(token)
            }
            let going = live.enumerated().filter { _, place in
                let count = drafts[place].count
                return count < requests[place].draftCount
                    && hasRoom(for: requests[place].span, further: count)
            }
            guard !going.isEmpty else { return drafts }
            carried.resize(rows: going.count)
            for (row, part) in going.enumerated() {
                carried.copyRow(row, from: hidden, row: part.offset)
            }
            live = going.map(\.element)
            hidden = try advance(
                live.map { further(requests[$0].span, drafts[$0]) }, finalHidden: carried)
        }
    }

    /// The rows of some parts, one part after the other.
    private func rows(of parts: [DraftRequest.Part], in finalHidden: Tensor) -> Tensor {
        gathered.resize(rows: parts.reduce(0) { $0 + $1.span.tokens.count })
        var place = 0
        for part in parts {
            for offset in part.span.tokens.indices {
                gathered.copyRow(place, from: finalHidden, row: part.firstRow + offset)
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
