internal import Foundation
public import SkeinCore

/// The file of a run: all completions of prompt 0, then those of prompt 1, and so on.
///
/// Lines come in order and by whole prompts, so at any time the file is the beginning of what the
/// run will write in the end. What a break has left behind the last whole prompt is cut off, and
/// the run goes on there: no line is missing, and none is there twice.
public actor RolloutFile {
    /// Prompts whose completions were there when the file was opened.
    public nonisolated let foundPromptCount: Int

    /// Bytes behind them that were cut off.
    public nonisolated let cutByteCount: Int

    private let path: String
    private let file: FileHandle

    private static let chunkBytes = 1 << 20

    /// Opens a file, or makes it, for one run at a time.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - settings: what the run has; an earlier one that began the file must have had the same.
    ///   - completionCount: completions of each prompt.
    ///   - promptCount: prompts of the whole run.
    /// - Throws: a `Refusal` where the file is of another run, damaged, or in use.
    public init(
        path: String, settings: RolloutSettings, completionCount: Int, promptCount: Int
    ) throws(Refusal) {
        self.path = path
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw Refusal(path, "cannot be opened: \(Self.reason)") }
        file = FileHandle(fileDescriptor: number, closeOnDealloc: true)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            throw Refusal(path, "is being written by another run, or cannot be locked")
        }
        do {
            var scan = RolloutScan(
                path: path, completionCount: completionCount, promptCount: promptCount)
            while let chunk = try file.read(upToCount: Self.chunkBytes), !chunk.isEmpty {
                try scan.take(Array(chunk))
            }
            try Self.agree(settings, beside: path, isEmpty: scan.byteCount == 0)
            foundPromptCount = scan.wholePromptCount
            cutByteCount = scan.byteCount - scan.wholeByteCount
            if cutByteCount > 0 {
                try file.truncate(atOffset: UInt64(scan.wholeByteCount))
                try file.synchronize()
            }
            try file.seekToEnd()
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read or written: \(error.localizedDescription)")
        }
    }

    /// Appends the completions of the next prompt; they are on the disk when this returns.
    public func append(_ completions: [RolloutCompletion]) throws(Refusal) {
        do {
            try file.write(contentsOf: Data(completions.map(\.line).joined().utf8))
            try file.synchronize()
        } catch {
            throw Refusal(path, "cannot be written: \(error.localizedDescription)")
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }

    /// Settings are written before the first line, so lines without settings are somebody else's.
    private static func agree(
        _ settings: RolloutSettings, beside path: String, isEmpty: Bool
    ) throws(Refusal) {
        let settingsPath = RolloutSettings.path(beside: path)
        guard !isEmpty else { return try settings.write(to: settingsPath) }
        guard let earlier = try RolloutSettings.read(settingsPath) else {
            throw Refusal(
                path, "is in the way: it has lines, and no \(settingsPath) says of which run")
        }
        try settings.check(against: earlier, path: settingsPath)
    }
}
