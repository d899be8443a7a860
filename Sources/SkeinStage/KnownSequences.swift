internal import SkeinCore

/// The sequences that a stage has seen and not been told to forget: under which request's name each
/// came, and on which pages its rows lie (a pure value).
///
/// It is for logs and vital signs alone: to compute, a stage needs nothing but the micro-batch.
struct KnownSequences {
    /// What is known of one sequence.
    struct Known: Equatable {
        let label: String
        var rowCount = 0
        fileprivate var pages: [PageIndex] = []
    }

    private var sequences: [SequenceID: Known] = [:]
    /// How many sequences have rows on a page; sequences may share one.
    private var ownerCounts: [PageIndex: Int] = [:]

    /// Pages that hold rows of the sequences.
    var usedPageCount: Int { ownerCounts.count }

    /// Notes the rows of one sequence in a micro-batch.
    ///
    /// - Returns: whether the sequence is new. Beyond `Limits.stageSequencesMax` nobody new is
    ///   noted, so a coordinator that never releases costs no memory without end.
    mutating func onSpan(_ span: SequenceSpan) -> Bool {
        let seen = sequences[span.sequence]
        if seen == nil, sequences.count >= Limits.stageSequencesMax { return false }
        var known = seen ?? Known(label: span.label)
        known.rowCount += span.tokens.count
        // A page table only grows while a sequence has its pages.
        if span.pageTable.count < known.pages.count { leave(&known) }
        for page in span.pageTable.dropFirst(known.pages.count) {
            ownerCounts[page, default: 0] += 1
            known.pages.append(page)
        }
        sequences[span.sequence] = known
        return seen == nil
    }

    /// Forgets a sequence.
    mutating func onRelease(_ sequence: SequenceID) -> Known? {
        guard var known = sequences.removeValue(forKey: sequence) else { return nil }
        leave(&known)
        return known
    }

    /// The names of the requests of a micro-batch, each once, with commas between them; of many,
    /// the first.
    func labels(of microBatch: MicroBatch) -> String {
        var labels: [String] = []
        for span in microBatch.spans {
            guard let label = sequences[span.sequence]?.label, !label.isEmpty,
                !labels.contains(label)
            else { continue }
            guard labels.count < Limits.loggedRequestsMax else {
                return labels.joined(separator: ",") + ",…"
            }
            labels.append(label)
        }
        return labels.joined(separator: ",")
    }

    private mutating func leave(_ known: inout Known) {
        for page in known.pages {
            let count = ownerCounts[page, default: 0] - 1
            ownerCounts[page] = count > 0 ? count : nil
        }
        known.pages = []
    }
}
