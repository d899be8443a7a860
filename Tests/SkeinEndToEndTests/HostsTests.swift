import Foundation
import Testing

/// `skein up` with one cluster file on three hosts, with addresses and keys of their own.
@Suite(
    .serialized,
    .enabled(if: LabHosts.arePermitted, "this machine does not let us make network namespaces"))
struct HostsTests {
    private static let names = ["coordinator", "a", "b", "c", "d"]
    private static let hostOfNode = ["a": 1, "b": 2, "c": 3, "d": 3]

    /// Makes a key for everyone and returns the public ones.
    private func makeKeys(in hosts: LabHosts) async throws -> [String: String] {
        let folder = hosts.folder.path + "/keys"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var keys: [String: String] = [:]
        for name in Self.names {
            let run = try await SkeinProgram.run([
                "keys", "new", "--out", "\(folder)/\(name).secret", "--json",
            ])
            keys[name] = try run.json()["public_key"] as? String
        }
        return keys
    }

    /// The cluster file; every host has the same, but for what a test breaks.
    private func clusterFile(
        keys: [String: String], placement: String = "linear", modelOfC: String? = nil
    ) -> String {
        var lines = [
            "cluster: lab", "model: \(SkeinProgram.gosling)", "placement: \(placement)",
            "context: 512", "pages: 32", "keys: keys", "coordinator:",
            "  address: tcp://10.77.0.1:7100",
            "  public_key: '\(keys["coordinator", default: ""])'", "  http: 10.77.0.1:8080",
            "nodes:",
        ]
        for name in Self.names.dropFirst() {
            let port = name == "d" ? 7102 : 7101
            lines += [
                "  - name: \(name)",
                "    address: tcp://10.77.0.\(Self.hostOfNode[name, default: 1]):\(port)",
                "    public_key: '\(keys[name, default: ""])'", "    threads: 1",
            ]
            if name == "c", let modelOfC { lines.append("    model: \(modelOfC)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    @Test(arguments: [("linear", nil), ("vfold", nil), ("linear", "{layers: 1-5, experts: 0-11}")])
    func oneClusterFileOnThreeHostsAnswersAsOneProcessDoes(
        placement: String, experts: String?
    ) async throws {
        let hosts = try LabHosts(count: 3)
        let keys = try await makeKeys(in: hosts)
        // The V needs two slices a node, and the model has six layers: three nodes then.
        var text = clusterFile(keys: keys, placement: placement)
        if placement == "vfold", let last = text.range(of: "  - name: d") {
            text = String(text[..<last.lowerBound])
        }
        // The last node is then no part of the ring.
        if let experts { text += "    experts: [\(experts)]\n" }
        let file = try hosts.folder.write(text, to: "lab.yaml")
        let ups = try (1...3).map { try hosts.start(["up", file], on: $0) }
        try #require(await ups[0].waitForError(containing: "ready http"), "\(ups[0].errors)")
        // Only the host that serves HTTP warns of missing keys; the others tell of their nodes.
        #expect(ups[0].errors.contains("without --api-keys"), "\(ups[0].errors)")
        #expect(await ups[1].waitForError(containing: "node b: ready"), "\(ups[1].errors)")
        #expect(!ups[1].errors.contains("--api-keys"), "\(ups[1].errors)")
        let question = "What is 47 + 85?"
        let answer = try await hosts.ask(question, at: "http://10.77.0.1:8080", from: 2)
        let choice = try #require((answer["choices"] as? [[String: Any]])?.first)
        let message = try #require(choice["message"] as? [String: Any])
        let alone = try await SkeinProgram.run([
            "generate", "--chat", question, "--thinking", "on", "--temperature", "0", "--json",
        ])
        #expect(message["content"] as? String == (try alone.json()["text"] as? String))
        #expect(
            message["reasoning_content"] as? String == (try alone.json()["reasoning"] as? String))
        ups[0].signal(SIGTERM)
        for up in ups {
            // The head tells everybody; a host that is left alone is told like any service.
            if up !== ups[0] { up.signal(SIGTERM) }
            let end = try await up.finish(secondsMax: 20)
            #expect(end.status < 128, "\(end.errors)")
        }
    }

    @Test func aNodeWhoseKeyIsNotOnTheListDoesNotJoin() async throws {
        let hosts = try LabHosts(count: 3)
        var keys = try await makeKeys(in: hosts)
        let sound = try hosts.folder.write(clusterFile(keys: keys), to: "lab.yaml")
        // Host 2 has made itself another key and believes in it; the others do not know it.
        let stranger = try await SkeinProgram.run([
            "keys", "new", "--out", hosts.folder.path + "/b.secret", "--json",
        ])
        keys["b"] = try stranger.json()["public_key"] as? String
        let strange = hosts.folder.path + "/strange"
        try FileManager.default.createDirectory(
            atPath: strange + "/keys", withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            atPath: hosts.folder.path + "/b.secret", toPath: strange + "/keys/b.secret")
        let file = try hosts.folder.write(clusterFile(keys: keys), to: "strange/lab.yaml")
        let head = try hosts.start(["up", sound], on: 1)
        let other = try hosts.start(["up", file], on: 2)
        #expect(await head.waitForError(containing: "not on the allow-list"), "\(head.errors)")
        #expect(!head.errors.contains("node b has joined"))
        for program in [head, other] {
            program.signal(SIGTERM)
            let end = try await program.finish(secondsMax: 20)
            #expect(end.status < 128, "\(end.errors)")
        }
    }

    @Test func aNodeWithAnotherCheckpointIsRefusedInOneLine() async throws {
        let hosts = try LabHosts(count: 3)
        let keys = try await makeKeys(in: hosts)
        let file = try hosts.folder.write(
            clusterFile(keys: keys, modelOfC: SkeinProgram.golden("gosling/bf16")),
            to: "lab.yaml")
        let head = try hosts.start(["up", file], on: 1)
        let other = try hosts.start(["up", file], on: 3)
        #expect(await other.waitForError(containing: "fingerprint"), "\(other.errors)")
        let line = other.errors.split(separator: "\n").first { $0.contains("fingerprint") }
        #expect(line?.contains("node c") == true)
        head.signal(SIGTERM)
        other.signal(SIGTERM)
        for program in [head, other] {
            let end = try await program.finish(secondsMax: 20)
            #expect(end.status < 128, "\(end.errors)")
        }
    }
}
