import Foundation
import SkeinCore

/// Reads prompts from a file: a JSON list, or one JSON value a line.
///
/// Published files have odd rows. A row that asks for nothing is skipped and counted with its
/// reason; a file without any row of use is refused.
struct PromptFile: Equatable, Sendable {
    /// A prompt of a file; the answer's length may have to be counted still.
    struct Entry: Equatable, Sendable {
        let prompt: String
        /// Tokens of the answer at most, where the row says so.
        var outputTokenCount: Int?
        /// The answer of the file, whose tokens tell the wanted length.
        var answer: String?
        /// Where it stands, for messages.
        var place = ""
    }

    private(set) var entries: [Entry] = []
    private(set) var rows = PromptRows()

    /// Reads a file.
    ///
    /// - Parameter needsLength: whether a row must tell the length of its answer, by a number or by
    ///   an answer.
    /// - Throws: where it cannot be read, or no row of it can be used.
    init(path: String, needsLength: Bool) throws(Refusal) {
        let bytes = try Self.bytes(of: path)
        if let listed = try Self.list(bytes, path) {
            for (index, value) in listed.enumerated() {
                try take("[\(index)]", path, needsLength) { () throws(Refusal) in value }
            }
        } else {
            var number = 0
            for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
                number += 1
                guard line.contains(where: { ![0x20, 0x0D, 0x09].contains($0) }) else { continue }
                try take("line \(number)", path, needsLength) { () throws(Refusal) in
                    try JSONValue(parsing: Array(line), subject: "line")
                }
            }
        }
        guard !entries.isEmpty else {
            let first = rows.skipReasons.first.map { "; \($0)" } ?? ""
            throw Refusal(
                path,
                rows.skippedCount == 0
                    ? "holds no prompts" : "none of its \(rows.skippedCount) rows is of use\(first)"
            )
        }
    }

    /// Leaves out an entry of which something else turned out to be wrong.
    mutating func skip(_ entry: Entry, _ reason: String) {
        rows.usedCount -= 1
        rows.skip("\(entry.place): \(reason)")
    }

    private mutating func take(
        _ place: String, _ path: String, _ needsLength: Bool,
        _ value: () throws(Refusal) -> JSONValue
    ) throws(Refusal) {
        do throws(Refusal) {
            var entry = try PromptRow(try value()).entry(needsLength: needsLength)
            entry.place = place
            entries.append(entry)
            rows.usedCount += 1
        } catch {
            rows.skip(
                "\(place): \(error.subject == "row" ? "" : "\(error.subject): ")\(error.reason)")
        }
        guard entries.count <= Limits.loadRequestsMax else {
            throw Refusal(path, "more than \(Limits.loadRequestsMax) prompts")
        }
    }

    /// The rows of a file that is one JSON list; `nil` where it is read line by line.
    private static func list(_ bytes: [UInt8], _ path: String) throws(Refusal) -> [JSONValue]? {
        let blanks: [UInt8] = [0x20, 0x0A, 0x0D, 0x09]
        guard bytes.first(where: { !blanks.contains($0) }) == UInt8(ascii: "[") else { return nil }
        do throws(Refusal) {
            return try JSONValue(parsing: bytes, subject: path, rules: .lenient).array
        } catch {
            // Each line may be a list of its own; the first line tells.
            let line = bytes.split(separator: 0x0A, maxSplits: 1).first ?? []
            do throws(Refusal) {
                _ = try JSONValue(parsing: Array(line), subject: path)
                return nil
            } catch {}
            throw error
        }
    }

    private static func bytes(of path: String) throws(Refusal) -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= Limits.promptFileBytesMax else {
                throw Refusal(
                    path, "\(size) bytes, expected at most \(Limits.promptFileBytesMax)")
            }
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read: \(error.localizedDescription)")
        }
    }
}
