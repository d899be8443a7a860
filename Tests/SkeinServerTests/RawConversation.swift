import Foundation

/// A connection that sends any bytes at all, right or wrong.
enum RawConversation {
    /// Sends `bytes`, waits for the server to close or for `secondsMax`, and returns what came.
    ///
    /// The sending side stays open, as a client that is stuck would leave it.
    static func hold(port: Int, _ bytes: Data, secondsMax: Int) async throws -> String {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "skein-raw-\(UUID().uuidString)")
        try bytes.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let script = """
            exec 3<>/dev/tcp/127.0.0.1/$0 || exit 1
            cat "$1" >&3 2>/dev/null
            timeout -s KILL "$2" cat <&3 2>/dev/null
            exit 0
            """
        return try await run(
            "bash", ["-c", script, "\(port)", file.path(percentEncoded: false), "\(secondsMax)"])
    }

    /// Starts a program that talks to the server until it is ended.
    static func start(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs a program and returns what it writes on standard output.
    static func run(_ program: String, _ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "-s", "KILL", "60", program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // A thread of its own waits for the program: the shared ones are for what never waits.
        let bytes = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result { try output.fileHandleForReading.readToEnd() ?? Data() })
                process.waitUntilExit()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
