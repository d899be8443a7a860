import Foundation
import Testing

/// Runs the built `skein` program as a user would.
enum SkeinProgram {
    /// What a finished run left behind.
    struct Outcome: Sendable {
        /// The exit code, or 128 and the signal's number.
        let status: Int32
        let output: String
        let errors: String

        /// The one JSON object on standard output.
        func json() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(value as? [String: Any])
        }
    }

    /// The repository's root.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The program beside the test bundle that is running.
    static let executable: String = {
        let bundle = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appending(path: "skein")
            .path(percentEncoded: false)
    }()

    /// The bundled model's folder.
    static let gosling = root.appending(path: "cluster/models/gosling").path()

    /// A path inside the golden values.
    static func golden(_ path: String) -> String {
        root.appending(path: "Tests/Golden/\(path)").path()
    }

    /// Runs the program to its end; one that takes longer than `secondsMax` is killed.
    ///
    /// - Parameter environment: `NAME=value` for this run.
    static func run(
        _ arguments: [String], environment: [String] = [], secondsMax: Double = 120
    ) async throws -> Outcome {
        try await RunningProgram(command: environment + [executable] + arguments)
            .finish(secondsMax: secondsMax)
    }

    /// Starts the program and leaves it running.
    ///
    /// - Parameter launcher: a command that the program is an argument of, such as `ip netns exec`.
    static func start(
        _ arguments: [String], through launcher: [String] = []
    ) throws -> RunningProgram {
        try RunningProgram(command: launcher + [executable] + arguments)
    }
}

/// A program that is running; what it writes is kept in files, so that no pipe can fill.
final class RunningProgram: Sendable {
    private let process = Process()
    private let folder: ScratchFolder
    private let ending: AsyncStream<Int32>

    /// Starts a command, found as a shell would, with an empty standard input.
    init(command: [String]) throws {
        folder = try ScratchFolder()
        let (ending, ended) = AsyncStream.makeStream(
            of: Int32.self, bufferingPolicy: .bufferingOldest(1))
        self.ending = ending
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.file(folder.path + "/output")
        process.standardError = try Self.file(folder.path + "/errors")
        process.terminationHandler = { process in
            let isExit = process.terminationReason == .exit
            ended.yield(isExit ? process.terminationStatus : 128 + process.terminationStatus)
            ended.finish()
        }
        try process.run()
    }

    /// The number of the running process.
    var processID: Int32 { process.processIdentifier }

    /// What it has written to standard error so far.
    var errors: String { text("errors") }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until standard error holds `text`.
    ///
    /// - Returns: whether it came before the program ended or `secondsMax` had passed.
    func waitForError(containing text: String, secondsMax: Double = 30) async -> Bool {
        await wait(for: text, in: "errors", secondsMax: secondsMax)
    }

    /// Waits until standard output holds `text`, or by custom anything.
    func waitForOutput(containing text: String = "", secondsMax: Double = 30) async -> Bool {
        await wait(for: text, in: "output", secondsMax: secondsMax)
    }

    /// Whether it has not ended yet.
    var isRunning: Bool { process.isRunning }

    private func wait(for text: String, in name: String, secondsMax: Double) async -> Bool {
        let path = folder.path + "/" + name
        // `tail` follows the file and ends with the program; `grep` ends at the first match.
        let command =
            "tail -n +1 --pid=\(processID) -s 0.05 -f \(path) "
            + (text.isEmpty ? "| head -c 1" : "| grep -q -m1 -F -- \"$0\"")
        do {
            // SIGKILL goes to the whole pipeline; one that stayed would keep Foundation waiting.
            let logReader = try RunningProgram(
                command: ["timeout", "-s", "KILL", "\(secondsMax)", "bash", "-c", command, text])
            _ = try await logReader.finish(secondsMax: secondsMax + 5)
        } catch {
            return false
        }
        let written = self.text(name)
        return text.isEmpty ? !written.isEmpty : written.contains(text)
    }

    /// Waits for the end; a program that takes longer than `secondsMax` is killed.
    func finish(secondsMax: Double) async throws -> SkeinProgram.Outcome {
        let number = process.processIdentifier
        let watchdog = DispatchWorkItem { kill(number, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + secondsMax, execute: watchdog)
        var status: Int32 = -1
        for await ended in ending { status = ended }
        watchdog.cancel()
        return SkeinProgram.Outcome(status: status, output: text("output"), errors: text("errors"))
    }

    private func text(_ name: String) -> String {
        String(
            decoding: FileManager.default.contents(atPath: folder.path + "/" + name) ?? Data(),
            as: UTF8.self)
    }

    private static func file(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        return try FileHandle(forWritingTo: URL(filePath: path))
    }
}
