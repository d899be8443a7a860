internal import SkeinCore

/// The sequences that a stage has seen and not been told to forget: under which request's name each
/// came, and on which pages its rows lie (a pure value).
///
/// It is for logs and vital signs alone: to compute, a stage needs nothing but the micro-batch.
struct StageGuests {
    /// What is known of one sequence.
    struct Guest: Equatable {
        let label: String
        var rowCount = 0
        fileprivate var pages: [PageIndex] = []
    }

    private var guests: [SequenceID: Guest] = [:]
    /// How many guests have rows on a page; sequences may share one.
    private var ownerCounts: [PageIndex: Int] = [:]

    /// Pages that hold rows of guests.
    var usedPageCount: Int { ownerCounts.count }

    /// Notes the rows of one sequence in a micro-batch.
    ///
    /// - Returns: whether the sequence is new. Beyond `Limits.stageSequencesMax` nobody new is
    ///   noted, so a coordinator that never releases costs no memory without end.
    mutating func onSpan(_ span: SequenceSpan) -> Bool {
        var guest: Guest
        let isNew: Bool
        if let known = guests[span.sequence] {
            guest = known
            isNew = false
        } else {
            guard guests.count < Limits.stageSequencesMax else { return false }
            guest = Guest(label: span.label)
            isNew = true
        }
        guest.rowCount += span.tokens.count
        // A page table only grows while a sequence has its pages.
        if span.pageTable.count < guest.pages.count { leave(&guest) }
        for page in span.pageTable.dropFirst(guest.pages.count) {
            ownerCounts[page, default: 0] += 1
            guest.pages.append(page)
        }
        guests[span.sequence] = guest
        return isNew
    }

    /// Forgets a sequence.
    mutating func onRelease(_ sequence: SequenceID) -> Guest? {
        guard var guest = guests.removeValue(forKey: sequence) else { return nil }
        leave(&guest)
        return guest
    }

    /// The names of the requests of a micro-batch, each once, with commas between them; of many,
    /// the first.
    func labels(of microBatch: MicroBatch) -> String {
        var labels: [String] = []
        for span in microBatch.spans {
            guard let label = guests[span.sequence]?.label, !label.isEmpty,
                !labels.contains(label)
            else { continue }
            guard labels.count < Limits.loggedRequestsMax else {
                return labels.joined(separator: ",") + ",…"
            }
            labels.append(label)
        }
        return labels.joined(separator: ",")
    }

    private mutating func leave(_ guest: inout Guest) {
        for page in guest.pages {
            let count = ownerCounts[page, default: 0] - 1
            ownerCounts[page] = count > 0 ? count : nil
        }
        guest.pages = []
    }
}
