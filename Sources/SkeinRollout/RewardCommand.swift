internal import Foundation
public import SkeinCore

/// Judges completions by a command: JSON on its standard input, an exit code and a number back.
///
/// | exit code | standard output | reward |
/// |---|---|---|
/// | 0 | nothing | 1 |
/// | 1 | nothing | 0 |
/// | 0 or 1 | a number on the last line | the number |
/// | 126, 127 | | the command cannot be run: the run ends |
/// | anything else, a signal, or out of time | | none |
///
/// A shell runs the command in a process group of its own, with limits for time, memory and the
/// size of files. When it has ended, or its time is over, the whole group is killed.
public struct RewardCommand: Sendable {
    /// What one run of a command may take.
    public struct Bounds: Equatable, Sendable {
        /// Time by the clock; processor time is bound by as much, in whole seconds.
        public var time: Duration
        /// Address space of each of its processes.
        public var memoryBytes: Int

        /// States the bounds.
        public init(time: Duration, memoryBytes: Int) {
            self.time = time
            self.memoryBytes = memoryBytes
        }
    }

    /// What came of it.
    public enum Outcome: Equatable, Sendable {
        /// The completion is worth so much.
        case reward(Double)
        /// The command could not say, for this reason.
        case missing(String)
    }

    private let text: String
    private let bounds: Bounds
    private let isolation: CommandIsolation
    private let folder: String

    /// Bytes of output that are looked at, from the end.
    private static let outputBytesMax = 65_536

    /// Blocks of 512 bytes of a file that a command may write.
    private static let fileBlocksMax = 1 << 19

    /// Time for a killed command to be gone; one that is stuck in the kernel is left behind.
    private static let killPatience: Duration = .seconds(2)

    /// Describes a command.
    ///
    /// - Parameters:
    ///   - text: what a shell runs, in the folder of this program.
    ///   - folder: where its input and output are kept while it runs.
    public init(
        _ text: String, bounds: Bounds, isolation: CommandIsolation, folder: String
    ) {
        self.text = text
        self.bounds = bounds
        self.isolation = isolation
        self.folder = folder
    }

    /// Runs the command once.
    ///
    /// Input and output are files: nothing here waits for a pipe that a descendant keeps open. So
    /// is the exit code, since what starts the command has codes of its own.
    ///
    /// - Parameter input: what it finds on standard input, a JSON object.
    /// - Throws: a `Refusal` where it cannot be run at all, or the cancellation of the caller.
    public func outcome(of input: JSONValue) async throws -> Outcome {
        let place = "\(folder)/\(UUID().uuidString)"
        defer { Self.remove(["in", "out", "err", "code"].map { "\(place).\($0)" }) }
        let program = Process()
        program.executableURL = URL(filePath: "/usr/bin/env")
        program.arguments =
            isolation.launcher + ["/bin/sh", "-c", frame, "sh", text, place + ".code"]
        do {
            try Data((input.line + "\n").utf8).write(to: URL(filePath: place + ".in"))
            try Data().write(to: URL(filePath: place + ".out"))
            try Data().write(to: URL(filePath: place + ".err"))
            program.standardInput = try FileHandle(forReadingFrom: URL(filePath: place + ".in"))
            program.standardOutput = try FileHandle(forWritingTo: URL(filePath: place + ".out"))
            program.standardError = try FileHandle(forWritingTo: URL(filePath: place + ".err"))
        } catch {
            throw Refusal(folder, "cannot be written: \(error.localizedDescription)")
        }
        guard try await run(program) <= bounds.time else {
            return .missing("took longer than \(bounds.time.components.seconds) s")
        }
        let complaint = Self.lastLine(of: place + ".err")
        guard let code = Self.lastLine(of: place + ".code").flatMap({ Int($0) }) else {
            return .missing("left no exit code\(complaint.map { ": \($0)" } ?? "")")
        }
        return try verdict(code, output: Self.lastLine(of: place + ".out"), complaint: complaint)
    }

    private func verdict(
        _ code: Int, output: String?, complaint: String?
    ) throws(Refusal) -> Outcome {
        switch code {
        case 0, 1:
            guard let output else { return .reward(code == 0 ? 1 : 0) }
            guard let number = Double(output), number.isFinite else {
                return .missing("printed '\(output.prefix(60))', expected a number")
            }
            return .reward(number)
        case 126, 127:
            throw Refusal(
                "--reward", "'\(text)' cannot be run: \(complaint ?? "exit code \(code)")")
        default:
            return .missing("exit code \(code)\(complaint.map { ": \($0)" } ?? "")")
        }
    }

    /// A shell that sets limits, runs the command, writes its exit code down, and ends the process
    /// group, itself included.
    private var frame: String {
        let seconds = max(1, Int(bounds.time.components.seconds) + 1)
        return "{ ulimit -c 0 && ulimit -v \(bounds.memoryBytes / 1_024) && ulimit -t \(seconds) "
            + "&& ulimit -f \(Self.fileBlocksMax); } || { echo 126 >\"$2\"; exit; }; "
            + "/bin/sh -c \"$1\"; echo $? >\"$2\"; kill -KILL 0"
    }

    /// Runs a program, and its process group, to the end.
    ///
    /// - Returns: how long it took.
    private func run(_ program: Process) async throws -> Duration {
        let (endings, ended) = AsyncStream.makeStream(
            of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingOldest(1))
        program.terminationHandler = { _ in
            ended.yield(.now)
            ended.finish()
        }
        let start = ContinuousClock.now
        do {
            try program.run()
        } catch {
            throw Refusal("--reward", "cannot be started: \(error.localizedDescription)")
        }
        // A child of Foundation leads a process group of its own.
        let leader = program.processIdentifier
        let bound = bounds.time
        let watchdog = Task {
            do {
                try await Task.sleep(for: bound)
                kill(-leader, SIGKILL)
                try await Task.sleep(for: Self.killPatience)
            } catch { return }
            ended.finish()
        }
        var end: ContinuousClock.Instant?
        for await moment in endings { end = moment }
        watchdog.cancel()
        kill(-leader, SIGKILL)
        try Task.checkCancellation()
        return (end ?? .now) - start
    }

    /// The last line of a file that is not blank, within the bytes that are looked at.
    private static func lastLine(of path: String) -> String? {
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            let size = try file.seekToEnd()
            let start = size > UInt64(outputBytesMax) ? size - UInt64(outputBytesMax) : 0
            try file.seek(toOffset: start)
            let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
            try file.close()
            return text.split(whereSeparator: \.isNewline)
                .map { $0.trimmingCharacters(in: .whitespaces) }.last { !$0.isEmpty }
        } catch {
            return nil
        }
    }

    private static func remove(_ paths: [String]) {
        for path in paths {
            do { try FileManager.default.removeItem(atPath: path) } catch { continue }
        }
    }
}
