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
        let words = steps.map { step in
            switch step {
            case .send(let text): ["send", text]
            case .until(let text): ["until", text]
            case .untilClosed: ["closed", ""]
            }
        }
        let asked = try JSONSerialization.data(withJSONObject: words)
        let output = try await RawConversation.run(
            "python3",
            ["-c", script, "\(port)", "\(secondsMax)", String(decoding: asked, as: UTF8.self)])
        let value = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        return Transcript(
            text: value?["text"] as? String ?? "", isClosed: value?["closed"] as? Bool ?? false,
            isMissing: value?["missing"] as? Bool ?? true)
    }

    private static let script = """
        import json, socket, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=int(sys.argv[2]))
        got, closed, missing = b"", False, False
        def read():
            global got, closed
            try:
                piece = s.recv(65536)
            except OSError:
                return False
            closed = not piece
            got += piece
            return bool(piece)
        for kind, text in json.loads(sys.argv[3]):
            if kind == "send":
                try:
                    s.sendall(text.encode())
                except OSError:
                    pass
            elif kind == "closed":
                while read():
                    pass
            else:
                while text.encode() not in got and not missing:
                    missing = not read()
        text = got.decode(errors="replace")
        print(json.dumps({"text": text, "closed": closed, "missing": missing}))
        """
}
