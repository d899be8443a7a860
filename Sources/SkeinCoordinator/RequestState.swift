public import SkeinCore
public import SkeinJournal

/// Where a coordinator keeps the state of requests, as it was found.
public enum RequestState: Sendable {
    /// In memory, as long as the process lives.
    case nowhere
    /// In a journal; with what was found there.
    case journal(Journal, RequestMemory)
    /// It should be in a journal that cannot be opened yet.
    case failed(Journal, Refusal)

    /// Opens the journal of a folder; without one there is none.
    ///
    /// - Parameters:
    ///   - refusesUnwritten: whether a folder that cannot be written is an error.
    ///   - onRemark: is told what was odd about the journal, in one line each.
    /// - Throws: a `Refusal` where it is an error; where another head uses the folder or its
    ///   journal is of another version, always.
    public static func open(
        _ folder: String?, settings: CoordinatorSettings, onRemark: (String) -> Void
    ) throws(Refusal) -> RequestState {
        guard let folder else { return .nowhere }
        do throws(JournalError) {
            let (journal, found) = try Journal.open(
                folder: folder, cluster: settings.clusterName, fingerprint: settings.fingerprint)
            for remark in found.remarks { onRemark(remark) }
            return .journal(journal, found.memory)
        } catch {
            guard case .disk(let refusal) = error, !settings.refusesUnwritten else {
                throw error.refusal
            }
            onRemark("\(refusal); requests are not kept beyond this process until it can be used")
            let journal = Journal.closed(
                folder: folder, cluster: settings.clusterName, fingerprint: settings.fingerprint)
            return .failed(journal, refusal)
        }
    }

    var journal: Journal? {
        switch self {
        case .nowhere: nil
        case .journal(let journal, _), .failed(let journal, _): journal
        }
    }

    func keeping(refusesUnwritten: Bool) -> RequestKeeping {
        switch self {
        case .nowhere: RequestKeeping(.nowhere)
        case .journal(_, let memory):
            RequestKeeping(.written, memory: memory, refusesUnwritten: refusesUnwritten)
        case .failed(_, let refusal):
            RequestKeeping(.failed(refusal), refusesUnwritten: refusesUnwritten)
        }
    }
}
