import Foundation
import Logging
import SkeinCore
import Synchronization

/// What the program says to people: answers on standard output, everything else on standard error.
enum Console {
    private static let chosenFormat = Mutex(LogFormat.text)

    /// How every line on standard error is written, so that one reader understands them all.
    static var format: LogFormat {
        get { chosenFormat.withLock { $0 } }
        set { chosenFormat.withLock { $0 = newValue } }
    }

    /// Whether standard error is a terminal that can redraw a line, and may.
    static var errorIsTerminal: Bool { format == .text && isatty(STDERR_FILENO) == 1 }

    /// Says what happened, in one line of the format.
    ///
    /// - Parameter fields: the facts of the line for programs; people read them in the line itself.
    static func say(
        _ line: String, level: Logger.Level = .notice, _ fields: Logger.Metadata = [:]
    ) {
        guard format == .json else { return writeLine(line) }
        writeLine(
            LogLine(label: "skein", level: level, message: line, fields).text(.json))
    }

    /// Says each line of a text to people.
    static func standardError(_ text: String) {
        guard format == .json else { return writeLine(text) }
        for line in text.split(whereSeparator: \.isNewline) { say(String(line)) }
    }

    /// Writes a line to standard error as it is; where nobody reads it, there is nobody to tell.
    static func writeLine(_ line: String) {
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

    /// Refuses a file that cannot be written, before the work whose outcome belongs there.
    ///
    /// What is there stays until the outcome is known.
    ///
    /// - Throws: a `Refusal` that names it.
    static func checkWritable(_ path: String) throws(Refusal) {
        let files = FileManager.default
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: path, isDirectory: &isFolder) {
            if isFolder.boolValue { throw Refusal(path, "is a folder, expected a file to write") }
            guard files.isWritableFile(atPath: path) else {
                throw Refusal(path, "cannot be written: its permissions do not allow it")
            }
            return
        }
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        guard files.isWritableFile(atPath: folder) else {
            throw Refusal(
                path,
                "cannot be written: its folder "
                    + (files.fileExists(atPath: folder) ? "does not allow it" : "is not there"))
        }
    }

    /// Writes a file: the whole of it, or what was there stays.
    ///
    /// - Throws: a `Refusal` that names it.
    static func write(_ text: String, to path: String) throws(Refusal) {
        do {
            try Data(text.utf8).write(
                to: URL(filePath: path), options: isReplaceable(path) ? .atomic : [])
        } catch {
            throw Refusal(path, "cannot be written: \(error.localizedDescription)")
        }
    }

    /// Whether another file can take a path: no pipe, terminal or link is there, and the folder
    /// allows it.
    private static func isReplaceable(_ path: String) -> Bool {
        let files = FileManager.default
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        guard files.isWritableFile(atPath: folder) else { return false }
        do {
            let kind = try files.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            return kind == .typeRegular
        } catch {
            // Nothing is there yet.
            return true
        }
    }

    /// Ends the program with one clear line and exit code 1.
    static func fail(_ line: String) -> Never {
        let oneLine = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        if format == .json {
            say(oneLine, level: .error)
        } else {
            writeLine("skein: error: \(oneLine)")
        }
        exit(1)
    }

    /// Prints one JSON object, keys sorted, and nothing else.
    ///
    /// Swift 6.3.1 fails to compile async functions into which this is inlined.
    @inline(never)
    static func json(_ value: some Encodable) throws { try standardOutput(try text(value)) }

    /// One JSON object, keys sorted, on a line.
    @inline(never)
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
