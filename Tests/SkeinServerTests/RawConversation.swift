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

    /// Runs a program and returns what it writes on standard output.
    static func run(_ program: String, _ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "-s", "KILL", "60", program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let (chunks, continuation) = AsyncStream.makeStream(
            of: Data.self, bufferingPolicy: .unbounded)
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
            } else {
                continuation.yield(data)
            }
        }
        try process.run()
        var bytes = Data()
        for await chunk in chunks { bytes += chunk }
        return String(decoding: bytes, as: UTF8.self)
    }
}
