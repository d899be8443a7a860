import Foundation

/// One TCP connection over which bytes go as a test writes them, and on which it is seen when the
/// server closes.
enum RawSocket {
    /// What a client does next.
    enum Step: Sendable {
        /// Sends bytes.
        case send(String)
        /// Reads until this text has come.
        case until(String)
        /// Reads until the server closes its side.
        case untilClosed
    }

    /// What came back.
    struct Transcript: Sendable {
        var text = ""
        /// Whether the server has closed the connection.
        var isClosed = false
        /// Whether a text that was waited for never came.
        var isMissing = false

        /// The heads and bodies of the answers, cut at each status line.
        var answers: [(head: String, body: String)] {
            text.components(separatedBy: "HTTP/1.").dropFirst().map { part in
                let parts = part.components(separatedBy: "\r\n\r\n")
                return (
                    "HTTP/1." + parts[0], parts.dropFirst().joined(separator: "\r\n\r\n")
                )
            }
        }

        /// The statuses in order.
        var statuses: [Int] {
            answers.compactMap { Int($0.head.split(separator: " ").dropFirst().first ?? "") }
        }

        /// A header of an answer, its name in lower case.
        func header(_ name: String, of answer: Int = 0) -> String? {
            guard answers.indices.contains(answer) else { return nil }
            let lines = answers[answer].head.components(separatedBy: "\r\n").dropFirst()
            let line = lines.first { $0.lowercased().hasPrefix(name + ":") }
            return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// Connects to this machine's port and follows the steps, each of which may take `secondsMax`.
    static func talk(
        port: Int, _ steps: [Step], secondsMax: Int = 20
    ) async throws -> Transcript {
        // A thread of its own waits for the server: the shared ones are for what never waits.
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result { try follow(steps, port: port, secondsMax: secondsMax) })
            }
        }
    }

    private static func follow(
        _ steps: [Step], port: Int, secondsMax: Int
    ) throws -> Transcript {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(socket) }
        var patience = timeval(tv_sec: secondsMax, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else { throw CocoaError(.fileReadUnknown) }
        var transcript = Transcript()
        var bytes: [UInt8] = []
        func read() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket, &buffer, buffer.count, 0)
            if count == 0 { transcript.isClosed = true }
            guard count > 0 else { return false }
            bytes += buffer[..<count]
            transcript.text = String(decoding: bytes, as: UTF8.self)
            return true
        }
        for step in steps {
            switch step {
            case .send(let text):
                let sent = Array(text.utf8)
                _ = Foundation.send(socket, sent, sent.count, Int32(MSG_NOSIGNAL))
            case .until(let text):
                while !transcript.text.contains(text) {
                    guard read() else {
                        transcript.isMissing = true
                        return transcript
                    }
                }
            case .untilClosed: while read() {}
            }
        }
        return transcript
    }
}
