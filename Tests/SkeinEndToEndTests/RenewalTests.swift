import Foundation
import Testing

/// SIGHUP: keys and certificates change, and no request notices.
@Suite(.serialized) struct RenewalTests {
    private static func curl(_ arguments: String...) async throws -> String {
        try await RunningProgram(command: ["curl", "-sS", "--max-time", "60"] + arguments)
            .finish(secondsMax: 70).output
    }

    /// The status of `/v1/models` for a key.
    private static func status(_ address: String, _ certificate: String, key: String) async throws
        -> String
    {
        try await curl(
            "--cacert", certificate, "-o", "/dev/null", "-w", "%{http_code}", "-H",
            "Authorization: Bearer \(key)", address + "/v1/models")
    }

    private static func makeCertificate(_ name: String, in folder: ScratchFolder) async throws {
        let made = try await RunningProgram(
            command: [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", folder.path + "/\(name).key",
                "-out", folder.path + "/\(name).pem",
            ]
        ).finish(secondsMax: 30)
        try #require(made.status == 0, "\(made.errors)")
    }

    private static func copy(_ source: String, to name: String, in folder: ScratchFolder) throws {
        let bytes = try Data(contentsOf: URL(filePath: folder.path + "/" + source))
        try bytes.write(to: URL(filePath: folder.path + "/" + name))
    }

    @Test func keysAndCertificatesAreReplacedWhileARequestRuns() async throws {
        let folder = try ScratchFolder()
        let keys = try folder.write("one\n", to: "keys.txt")
        for name in ["first", "second"] { try await Self.makeCertificate(name, in: folder) }
        for ending in ["pem", "key"] {
            try Self.copy("first.\(ending)", to: "now.\(ending)", in: folder)
        }
        let (first, second) = (folder.path + "/first.pem", folder.path + "/second.pem")
        let model = try Bent.gosling(in: folder) { $0["max_position_embeddings"] = 100_000 }
        let port = try await FreePorts.take(1)[0]
        let server = try SkeinProgram.start([
            "serve", "--model", model, "--threads", "1", "--port", "\(port)", "--api-keys", keys,
            "--tls-cert", folder.path + "/now.pem", "--tls-key", folder.path + "/now.key",
            "--context", "8192",
        ])
        try #require(await server.waitForError(containing: "ready https"), "\(server.errors)")
        let address = "https://localhost:\(port)"
        let body =
            "{\"prompt\": \"One goose\", \"temperature\": 0, \"max_tokens\": 3000, "
            + "\"ignore_eos\": true, \"stream\": true}"
        let stream = try RunningProgram(command: [
            "curl", "-sSN", "-i", "--max-time", "100", "--cacert", first, "-H", "x-api-key: one",
            "-d", body, address + "/v1/completions",
        ])
        try #require(await stream.waitForOutput(containing: "data: "))

        // Add: both keys let in, and new connections are shown the other certificate.
        _ = try folder.write("one\ntwo\n", to: "keys.txt")
        for ending in ["pem", "key"] {
            try Self.copy("second.\(ending)", to: "now.\(ending)", in: folder)
        }
        server.signal(SIGHUP)
        try #require(await server.waitForError(containing: "read again: 2 API key(s)"))
        #expect(try await Self.status(address, second, key: "one") == "200")
        #expect(try await Self.status(address, second, key: "two") == "200")
        #expect(try await Self.status(address, first, key: "two") == "000")

        // Remove: the former key is a stranger's.
        _ = try folder.write("two\n", to: "keys.txt")
        server.signal(SIGHUP)
        try #require(await server.waitForError(containing: "read again: 1 API key(s)"))
        #expect(try await Self.status(address, second, key: "one") == "401")

        // What cannot be read changes nothing.
        _ = try folder.write("# none\n", to: "keys.txt")
        _ = try folder.write("no certificate\n", to: "now.pem")
        server.signal(SIGHUP)
        try #require(await server.waitForError(containing: "now.pem: "), "\(server.errors)")
        #expect(server.errors.contains("not read again, the former stays: \(keys): has no key"))
        #expect(try await Self.status(address, second, key: "two") == "200")

        let text = try StreamText(await stream.finish(secondsMax: 90).output)
        #expect(text.isWhole && !text.text.isEmpty)
        server.signal(SIGTERM)
        #expect(try await server.finish(secondsMax: 20).status == 0)
    }

    /// A node's key is replaced: for a while the file names two.
    @Test func aNodeTakesUpAnotherKeyWhileTheOthersRun() async throws {
        let folder = try ScratchFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/keys", withIntermediateDirectories: true)
        var keys: [String: String] = [:]
        for name in ["coordinator", "a", "b", "next"] {
            let made = try await SkeinProgram.run([
                "keys", "new", "--out", folder.path + "/keys/\(name).secret", "--json",
            ])
            keys[name] = try #require(try made.json()["public_key"] as? String)
        }
        let ports = try await FreePorts.take(4)
        func write(b keysOfB: String) throws -> String {
            let lines = [
                "cluster: keyed", "model: \(SkeinProgram.gosling)", "placement: linear",
                "context: 1024", "pages: 64", "keys: keys", "coordinator:",
                "  address: tcp://127.0.0.1:\(ports[0])", "  http: 127.0.0.1:\(ports[1])",
                "  public_key: '\(keys["coordinator"] ?? "")'", "nodes:", "  - name: a",
                "    address: tcp://127.0.0.1:\(ports[2])", "    threads: 1",
                "    public_key: '\(keys["a"] ?? "")'", "  - name: b",
                "    address: tcp://127.0.0.1:\(ports[3])", "    threads: 1", keysOfB,
            ]
            return try folder.write(lines.joined(separator: "\n") + "\n", to: "keyed.yaml")
        }
        let (old, new) = (keys["b"] ?? "", keys["next"] ?? "")
        let file = try write(b: "    public_key: '\(old)'")
        let head = try SkeinProgram.start(["up", file, "--without-nodes"])
        let a = try SkeinProgram.start(["node", "--cluster", file, "--name", "a"])
        var b = try SkeinProgram.start(["node", "--cluster", file, "--name", "b"])
        try #require(await head.waitForError(containing: "ready http"), "\(head.errors)")

        _ = try write(b: "    public_key: '\(old)'\n    next_public_key: '\(new)'")
        for program in [head, a, b] {
            program.signal(SIGHUP)
            try #require(await program.waitForError(containing: "read again: the keys"))
        }
        b.signal(SIGTERM)
        #expect(try await b.finish(secondsMax: 10).status == 0)
        let secrets = folder.path + "/keys/"
        try FileManager.default.removeItem(atPath: secrets + "b.secret")
        try FileManager.default.moveItem(
            atPath: secrets + "next.secret", toPath: secrets + "b.secret")
        b = try SkeinProgram.start(["node", "--cluster", file, "--name", "b"])
        try #require(await b.waitForError(containing: "ready, stage 1"), "\(b.errors)")

        _ = try write(b: "    public_key: '\(new)'")
        head.signal(SIGHUP)
        try #require(await head.waitForError(containing: "read again: the keys"))
        let reply = try await Self.curl(
            "-d", "{\"prompt\": \"a\", \"max_tokens\": 3}",
            "http://127.0.0.1:\(ports[1])/v1/completions")
        #expect(reply.contains("\"completion_tokens\""), "\(reply)\(head.errors)")
        // A file that cannot be used changes nothing.
        _ = try write(b: "    public_key: 'short'")
        head.signal(SIGHUP)
        try #require(await head.waitForError(containing: "not read again, the former stays"))
        let down = try await SkeinProgram.run(
            ["down", "--url", "http://127.0.0.1:\(ports[1])"], secondsMax: 60)
        #expect(down.status == 0, "\(down.errors)")
        for program in [head, a, b] {
            #expect(try await program.finish(secondsMax: 20).status == 0, "\(program.errors)")
        }
    }
}
