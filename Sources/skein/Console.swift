import Foundation

/// What the program says to people: answers on standard output, everything else on standard error.
enum Console {
    /// Whether standard error is a terminal that can redraw a line.
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a line to standard error.
    static func standardError(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Writes text to standard output at once, without a line break of its own.
    static func standardOutput(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
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
        standardOutput(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
    }
}
