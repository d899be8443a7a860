internal import SkeinCore

/// One line of a journal: a checksum of the rest in eight hexadecimal digits, a space, a record in
/// JSON.
///
///     1f3c9a02 {"kind":"ended","sequence":7,"reason":"stop"}
///
/// A line that was cut short, or holds what nobody wrote, is told by its checksum.
enum JournalLine {
    /// The line of a record, with its line feed.
    static func bytes(of record: JournalRecord) -> [UInt8] {
        let text = Array(record.json.line.utf8)
        return Array(digits(of: CRC32C.checksum(of: text)).utf8) + [UInt8(ascii: " ")] + text
            + [UInt8(ascii: "\n")]
    }

    /// What stands in a line without its line feed; `nil` where the line is damaged or of a kind
    /// that a later version writes.
    static func record(in line: ArraySlice<UInt8>) -> JournalRecord? {
        guard line.count > prefixCount,
            line[line.startIndex + digitCount] == UInt8(ascii: " ")
        else { return nil }
        let text = Array(line.dropFirst(prefixCount))
        let written = line.prefix(digitCount)
        guard Array(digits(of: CRC32C.checksum(of: text)).utf8) == Array(written) else {
            return nil
        }
        do throws(Refusal) {
            return JournalRecord(try JSONValue(parsing: text, subject: "journal", rules: .file))
        } catch {
            // The checksum is right, so another program wrote it on purpose: not ours to read.
            return nil
        }
    }

    private static let digitCount = 8
    private static let prefixCount = digitCount + 1

    private static func digits(of checksum: UInt32) -> String {
        let text = String(checksum, radix: 16)
        return String(repeating: "0", count: digitCount - text.count) + text
    }
}

/// The checksum of iSCSI, ext4 and others: CRC-32C (Castagnoli), by a table of 256 remainders.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { remainder, _ in
            remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82F6_3B78
        }
    }

    static func checksum(of bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { remainder, byte in
            table[Int((remainder ^ UInt32(byte)) & 0xFF)] ^ remainder >> 8
        }
    }
}
