import SkeinCore

@testable import SkeinJournal

/// The disk on which a simulated head keeps its journal: what is handed over lasts a little later,
/// and only while there is room.
struct SimulatedDisk {
    /// Something that the disk is about to do.
    enum Work {
        case append(JournalRecord, number: UInt64)
        case rewrite([JournalRecord], through: UInt64)
    }

    /// What a loss of power leaves.
    private var bytes: [UInt8] = []
    private var pending: [Work] = []
    private var hasFailed = false
    var fullUntil: UInt64 = 0

    mutating func hand(_ work: Work) {
        switch work {
        case .append: if hasFailed { return }
        case .rewrite:
            hasFailed = false
            pending = []
        }
        pending.append(work)
    }

    /// Does everything that waits, as a journal does in one turn.
    mutating func turn(now: UInt64) -> Journal.Outcome? {
        guard !pending.isEmpty else { return nil }
        defer { pending = [] }
        guard now >= fullUntil else {
            hasFailed = true
            return .failed(Refusal("disk", "is full"))
        }
        var number: UInt64 = 0
        for work in pending {
            switch work {
            case .append(let record, let own):
                bytes += JournalLine.bytes(of: record)
                number = own
            case .rewrite(let records, let through):
                bytes = records.flatMap { JournalLine.bytes(of: $0) }
                number = through
            }
        }
        return .written(number)
    }

    /// The head's process ends in the middle of what it was writing: a part of that is there.
    mutating func breakOff(_ numbers: inout SeededNumbers) {
        for case .append(let record, _) in pending {
            let line = JournalLine.bytes(of: record)
            let isCut = numbers.chance(50)
            bytes +=
                isCut ? Array(line.prefix(Int.random(in: 0..<line.count, using: &numbers))) : line
            if isCut { break }
        }
        pending = []
        hasFailed = false
    }

    /// What another head reads there.
    mutating func read() -> RequestMemory {
        var reading = JournalReading()
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        lines.removeLast()
        for line in lines { reading.take(line) }
        bytes = reading.memory.records.flatMap { JournalLine.bytes(of: $0) }
        return reading.memory
    }
}
