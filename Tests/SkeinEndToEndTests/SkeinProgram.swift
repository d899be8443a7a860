import Foundation
import Synchronization
import Testing

/// Runs the built `skein` program as a user would.
struct SkeinProgram {
    /// What a finished run left behind.
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// The one JSON object on standard output.
        func json(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(value as? [String: Any], sourceLocation: location)
        }
    }

    /// The repository's root.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The program beside the test bundle that is running.
    static let executable: URL = {
        let bundle = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appending(path: "skein")
    }()

    /// A path inside the golden values.
    static func golden(_ path: String) -> String {
        root.appending(path: "Tests/Golden/\(path)").path()
    }

    /// The bundled model's folder.
    static let gosling = root.appending(path: "cluster/models/gosling").path()

    /// Runs the program to its end, at most `secondsMax`.
    static func run(
        _ arguments: [String], input: String? = nil, secondsMax: Double = 120
    ) async throws -> Outcome {
        let program = try start(arguments, input: input)
        return try await program.finish(secondsMax: secondsMax)
    }

    /// Starts the program and leaves it running.
    static func start(
        _ arguments: [String], input: String? = nil, through launcher: [String] = []
    ) throws -> RunningProgram {
        let command = launcher + [executable.path()] + arguments
        return try RunningProgram(command: command, input: input)
    }
}

/// A program that is running; its output is collected as it comes.
final class RunningProgram: Sendable {
    private struct Collected {
        var output = Data()
        var errors = Data()
    }

    // Foundation's Process is documented as safe to signal and wait for from any thread once it
    // runs; it is started in `init` and never reconfigured afterwards.
    nonisolated(unsafe) private let process = Process()
    private let collected = Mutex(Collected())
    private let exited: AsyncStream<Int32>
    private let errorLines: AsyncStream<String>

    init(command: [String], input: String?) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        if let input {
            let inputPipe = Pipe()
            process.standardInput = inputPipe
            inputPipe.fileHandleForWriting.write(Data(input.utf8))
            inputPipe.fileHandleForWriting.closeFile()
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        let (exited, exit) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .unbounded)
        let (lines, line) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .unbounded)
        self.exited = exited
        errorLines = lines
        process.terminationHandler = { process in
            exit.yield(
                process.terminationReason == .exit
                    ? process.terminationStatus : 128 + process.terminationStatus)
            exit.finish()
        }
        try process.run()
        Self.drain(output.fileHandleForReading) { [self] bytes in
            collected.withLock { $0.output.append(bytes) }
        }
        let pending = Mutex(Data())
        Self.drain(errors.fileHandleForReading) { [self] bytes in
            collected.withLock { $0.errors.append(bytes) }
            pending.withLock { rest in
                rest.append(bytes)
                if bytes.isEmpty { line.finish() }
                while let end = rest.firstIndex(of: 0x0A) {
                    line.yield(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
        }
    }

    /// Waits for a line on standard error that contains `text`.
    func waitForError(containing text: String) async -> String? {
        for await line in errorLines where line.contains(text) { return line }
        return nil
    }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// The number of the running process.
    var processID: Int32 { process.processIdentifier }

    /// Waits for the end; a program that takes longer than `secondsMax` is killed.
    func finish(secondsMax: Double) async throws -> SkeinProgram.Outcome {
        let watchdog = DispatchWorkItem { [process] in kill(process.processIdentifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + secondsMax, execute: watchdog)
        var status: Int32 = -1
        for await ended in exited { status = ended }
        watchdog.cancel()
        drained.wait()
        return collected.withLock {
            SkeinProgram.Outcome(
                status: status, output: String(decoding: $0.output, as: UTF8.self),
                errors: String(decoding: $0.errors, as: UTF8.self))
        }
    }
}
