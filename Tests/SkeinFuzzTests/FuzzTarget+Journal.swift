import SkeinCore

@testable import SkeinJournal

extension FuzzTarget {
    /// Lines of a journal without their checksums, which no mutation would hit.
    static func readJournal(_ bytes: [UInt8]) throws {
        var memory = RequestMemory()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let json = try JSONValue(parsing: Array(line), subject: "journal")
            guard let record = JournalRecord(json) else { continue }
            try BrokenPromise.unless(
                JournalLine.record(in: JournalLine.bytes(of: record).dropLast()) == record,
                "\(record) reads as another record")
            memory.apply(record)
        }
        var again = RequestMemory()
        for record in memory.records { again.apply(record) }
        try BrokenPromise.unless(
            again.requests == memory.requests, "its own records add up to another memory")
    }
}
