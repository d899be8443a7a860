internal import Dispatch
public import SkeinCore
internal import Synchronization

/// Why a journal cannot be opened.
public enum JournalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// It is there and must not be touched: another head uses it, or a later version wrote it.
    case unusable(Refusal)
    /// The disk or the folder does not let us write.
    case disk(Refusal)

    /// Why, in one line.
    public var refusal: Refusal {
        switch self {
        case .unusable(let refusal), .disk(let refusal): refusal
        }
    }

    /// The refusal's line.
    public var description: String { refusal.description }
}

/// Writes records down, several at once: what is handed over while the disk is busy goes with its
/// next turn.
///
/// The disk is waited for on a thread of the journal's own; what became of a record is told by its
/// number, in order.
public final class Journal: Sendable {
    /// What the disk has done.
    public enum Outcome: Equatable, Sendable {
        /// All records up to this number are there after a loss of power.
        case written(UInt64)
        /// Records cannot be written; the next rewriting may succeed.
        case failed(Refusal)
    }

    /// What was found in a folder.
    public struct Found: Sendable {
        /// What the records add up to.
        public let memory: RequestMemory
        /// What was odd about them, each in one line.
        public let remarks: [String]
    }

    private struct State {
        var fileBytes = 0
        var pending: [UInt8] = []
        var rewriting: [UInt8]?
        var newest: UInt64 = 0
        var isBusy = false
        var hasFailed = false
        var onOutcome: @Sendable (Outcome) -> Void = { _ in }
    }

    private let state: Mutex<State>
    private let folder: String
    /// Used by one thread at a time: the opening one, then that of the queue.
    ///
    /// There is none while the folder cannot be used.
    private let file: Mutex<JournalFile?>
    private let queue = DispatchQueue(label: "skein-journal")
    private let opening: [UInt8]

    /// Bytes of the file above which it is worth rewriting.
    private static let rewriteBytesMin = 4 << 20

    /// Opens the journal of a folder, and rewrites it without what is over.
    ///
    /// - Parameters:
    ///   - cluster: whose requests they are; a journal of another cluster, or of another
    ///     checkpoint, is set aside.
    /// - Throws: an error where the folder cannot be written, another head uses it, or the journal
    ///   is of a version that this program does not read.
    public static func open(
        folder: String, cluster: String, fingerprint: String
    ) throws(JournalError) -> (Journal, Found) {
        let file = try JournalFile(folder: folder)
        var reading = JournalReading()
        let isWhole = try onDisk { () throws(Refusal) in
            try file.readLines { reading.take($0) }
        }
        var remarks = reading.remarks(isWhole: isWhole, path: file.path)
        var memory = reading.memory
        if let version = reading.version, !JournalRecord.readableVersions.contains(version) {
            let versions = JournalRecord.readableVersions
            throw .unusable(
                Refusal(
                    file.path,
                    "is of version \(version), this program reads \(versions.lowerBound) to "
                        + "\(versions.upperBound)"))
        }
        if let owner = reading.owner, owner != "\(cluster) \(fingerprint)" {
            let aside = try onDisk { () throws(Refusal) in try file.setAside() }
            memory = RequestMemory()
            remarks.append(
                "\(file.path): was another cluster's or checkpoint's, and is kept as \(aside)")
        }
        let journal = Journal(file, folder: folder, cluster: cluster, fingerprint: fingerprint)
        try onDisk { () throws(Refusal) in try journal.rewriteNow(memory.records) }
        return (journal, Found(memory: memory, remarks: remarks))
    }

    private static func onDisk<Answer>(
        _ work: () throws(Refusal) -> Answer
    ) throws(JournalError) -> Answer {
        do throws(Refusal) { return try work() } catch { throw .disk(error) }
    }

    /// The journal of a folder that cannot be used yet: each rewriting tries to open it.
    ///
    /// What it then holds is kept under another name, since the requests of the present are not in
    /// it.
    public static func closed(folder: String, cluster: String, fingerprint: String) -> Journal {
        Journal(nil, folder: folder, cluster: cluster, fingerprint: fingerprint)
    }

    private init(
        _ file: sending JournalFile?, folder: String, cluster: String, fingerprint: String
    ) {
        state = Mutex(State(hasFailed: file == nil))
        self.file = Mutex(file)
        self.folder = folder
        opening = JournalLine.bytes(
            of: .opened(
                version: JournalRecord.version, cluster: cluster, fingerprint: fingerprint))
    }

    private func rewriteNow(_ records: [JournalRecord]) throws(Refusal) {
        let bytes = opening + records.flatMap { JournalLine.bytes(of: $0) }
        let turn = Turn(rewriting: bytes, bytes: [], newest: 0)
        let byteCount = try take(turn)
        state.withLock { $0.fileBytes = byteCount }
    }

    /// Sets who is told what became of records, on a thread of the journal.
    public func onOutcome(_ take: @escaping @Sendable (Outcome) -> Void) {
        state.withLock { $0.onOutcome = take }
    }

    /// Hands records over, the last of which has this number.
    public func append(_ records: [JournalRecord], through number: UInt64) {
        let bytes = records.flatMap { JournalLine.bytes(of: $0) }
        hand { state in
            state.newest = number
            // After a failure only a whole journal is worth writing.
            if !state.hasFailed { state.pending += bytes }
        }
    }

    /// Has the whole journal rewritten with these records, which stand for all up to a number.
    public func rewrite(_ records: [JournalRecord], through number: UInt64) {
        let bytes = opening + records.flatMap { JournalLine.bytes(of: $0) }
        hand { state in
            state.newest = number
            state.pending = []
            state.rewriting = bytes
            state.hasFailed = false
        }
    }

    /// Whether the file has grown so much that it is worth rewriting, given what is remembered.
    ///
    /// - Parameter rememberedBytes: is asked for a large file only.
    public func isWorthRewriting(rememberedBytes: @autoclosure () -> Int) -> Bool {
        let fileBytes = state.withLock { $0.fileBytes }
        // A record of a token takes about as many bytes in the file as in the memory, twice over.
        return fileBytes > Self.rewriteBytesMin && fileBytes > 6 * rememberedBytes()
    }

    private func hand(_ change: (inout State) -> Void) {
        let mustStart = state.withLock { state in
            change(&state)
            defer { state.isBusy = true }
            return !state.isBusy
        }
        if mustStart { queue.async { self.work() } }
    }

    /// Writes until nothing waits; nobody who hands records over waits for the disk.
    private func work() {
        while let turn = nextTurn() {
            let tell: @Sendable (Outcome) -> Void
            let outcome: Outcome
            do throws(Refusal) {
                let byteCount = try take(turn)
                outcome = .written(turn.newest)
                tell = state.withLock { state in
                    state.fileBytes = byteCount
                    return state.onOutcome
                }
            } catch {
                outcome = .failed(error)
                tell = state.withLock { state in
                    state.hasFailed = state.rewriting == nil
                    state.pending = []
                    return state.onOutcome
                }
            }
            tell(outcome)
        }
    }

    /// What is written at once.
    private struct Turn {
        let rewriting: [UInt8]?
        let bytes: [UInt8]
        let newest: UInt64
    }

    /// Writes, and returns how long the file is now.
    private func take(_ turn: Turn) throws(Refusal) -> Int {
        try file.withLock { opened throws(Refusal) in
            if opened == nil { opened = try Self.openLate(folder) }
            guard let file = opened else { return 0 }
            if let bytes = turn.rewriting { try file.replace(with: bytes) }
            if !turn.bytes.isEmpty { try file.append(turn.bytes) }
            return file.byteCount
        }
    }

    private static func openLate(_ folder: String) throws(Refusal) -> sending JournalFile {
        do throws(JournalError) {
            let file = try JournalFile(folder: folder)
            try onDisk { () throws(Refusal) in
                if file.holdsSomething { _ = try file.setAside() }
            }
            return file
        } catch {
            throw error.refusal
        }
    }

    private func nextTurn() -> Turn? {
        state.withLock { state in
            guard state.rewriting != nil || !state.pending.isEmpty else {
                state.isBusy = false
                return nil
            }
            defer {
                state.rewriting = nil
                state.pending = []
            }
            return Turn(
                rewriting: state.rewriting, bytes: state.pending, newest: state.newest)
        }
    }
}

/// Reads the lines of a journal (a pure value).
struct JournalReading {
    private(set) var memory = RequestMemory()
    private(set) var version: Int?
    private(set) var owner: String?
    private var lineCount = 0
    private var damaged: [Int] = []

    mutating func take(_ line: ArraySlice<UInt8>) {
        lineCount += 1
        guard let record = JournalLine.record(in: line) else { return damaged.append(lineCount) }
        if case .opened(let version, let cluster, let fingerprint) = record {
            self.version = version
            owner = "\(cluster) \(fingerprint)"
        }
        memory.apply(record)
    }

    /// What a person should know of the file; a last line that was cut short is as it should be
    /// where a machine has failed, and no more than a remark.
    func remarks(isWhole: Bool, path: String) -> [String] {
        var remarks: [String] = []
        if !isWhole { remarks.append("\(path): its last line was cut short, and is dropped") }
        if let first = damaged.first {
            remarks.append(
                "\(path):\(first): \(damaged.count) lines are damaged or of a later version, and "
                    + "are skipped")
        }
        return remarks
    }
}
