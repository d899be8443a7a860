import Foundation
import SkeinCore

/// What the program says to people: answers on standard output, everything else on standard error.
enum Console {
    /// Whether standard error is a terminal that can redraw a line.
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a line to standard error; where nobody reads it, there is nobody to tell.
    static func standardError(_ line: String) {
        do { try FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8)) } catch {}
    }

    /// Writes text to standard output at once, without a line break of its own.
    ///
    /// - Throws: a `Refusal` where the reader has gone away or the disk is full.
    static func standardOutput(_ text: String) throws(Refusal) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw Refusal("standard output", "cannot be written, its reader may have gone away")
        }
    }

    /// Writes a file.
    ///
    /// - Throws: a `Refusal` that names it.
    static func write(_ text: String, to path: String) throws(Refusal) {
        do {
            try Data(text.utf8).write(to: URL(filePath: path))
        } catch {
            throw Refusal(path, "cannot be written: \(error.localizedDescription)")
        }
    }

    /// Ends the program with one clear line and exit code 1.
    static func fail(_ line: String) -> Never {
        let oneLine = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        standardError("skein: error: \(oneLine)")
        exit(1)
    }

    /// Prints one JSON object, keys sorted, and nothing else.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        try standardOutput(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
    }
}
