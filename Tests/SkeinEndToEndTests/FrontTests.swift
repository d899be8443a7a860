import Foundation
import Testing

/// What a server does whose nodes or descriptors are gone.
@Suite(.serialized) struct FrontTests {
    private static func post(_ url: String, _ body: String) throws -> RunningProgram {
        try RunningProgram(
            command: ["curl", "-sS", "-i", "--max-time", "60", "-d", body, url + "/v1/completions"])
    }

    @Test func aRequestWaitsForALostNodeAndNoLongerThanIsSaid() async throws {
        let cluster = try await SeparateNodes(headOptions: ["--lost-node-wait-seconds", "3"])
        var nodes = try await cluster.startNodes()
        nodes["b"]?.signal(SIGKILL)
        #expect(try await cluster.waitForHealth(2).status == 2)
        for fields in ["", ", \"stream\": true"] {
            let asking = try Self.post(cluster.url, "{\"prompt\": \"a\"\(fields)}")
            let reply = try await asking.finish(secondsMax: 60).output
            #expect(reply.hasPrefix("HTTP/1.1 503 "), "\(reply)")
            #expect(reply.lowercased().contains("retry-after: 10"))
            #expect(reply.contains("a node is lost and has not been back for 3"))
        }
        // One that comes back in time is waited for.
        nodes["b"] = try cluster.startNode("b")
        let asking = try Self.post(cluster.url, "{\"prompt\": \"a\", \"max_tokens\": 2}")
        let reply = try await asking.finish(secondsMax: 60).output
        #expect(reply.hasPrefix("HTTP/1.1 200 ") || reply.hasPrefix("HTTP/1.1 503 "), "\(reply)")
        #expect(try await cluster.waitForHealth(0).status == 0)
        try await cluster.stop(Array(nodes.values))
    }

    /// What the process has used so far, in clock ticks.
    private static func ticks(_ id: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    @Test func aServerWithoutDescriptorsLeftRestsAndGoesOnLater() async throws {
        let port = try await FreePorts.take(1)[0]
        let server = try SkeinProgram.start(
            ["serve", "--model", SkeinProgram.gosling, "--threads", "1", "--port", "\(port)"],
            through: ["bash", "-c", "ulimit -n 90; exec \"$0\" \"$@\""])
        try #require(await server.waitForError(containing: "ready http"), "\(server.errors)")
        let hoarder = try RunningProgram(
            command: [
                "python3", "-c",
                "import signal, socket\n"
                    + "a = ('127.0.0.1', \(port))\n"
                    + "all = [socket.create_connection(a) for i in range(100)]\n"
                    + "print('held', flush=True)\nsignal.pause()",
            ])
        try #require(await hoarder.waitForOutput(containing: "held"))
        try #require(await server.waitForError(containing: "no new connection is accepted"))
        let before = try Self.ticks(server.processID)
        let waited = try await RunningProgram(
            command: ["curl", "-sS", "--max-time", "2", "http://127.0.0.1:\(port)/livez"]
        ).finish(secondsMax: 10)
        #expect(waited.status != 0)
        // A spinning thread would have used about 200 hundredths of a second.
        #expect(try Self.ticks(server.processID) - before < 60)
        hoarder.signal(SIGKILL)
        let reply = try await RunningProgram(
            command: ["curl", "-sS", "--max-time", "20", "http://127.0.0.1:\(port)/livez"]
        ).finish(secondsMax: 30)
        #expect(reply.output.contains("ok"), "\(reply.errors)")
        server.signal(SIGTERM)
        #expect(try await server.finish(secondsMax: 20).status == 0)
    }

    @Test func aBusyPortAndAWrongHostAreOnePlainLine() async throws {
        let port = try await FreePorts.take(1)[0]
        let model = ["serve", "--model", SkeinProgram.gosling, "--threads", "1"]
        let server = try SkeinProgram.start(
            model + ["--host", "[::1]", "--port", "\(port)", "--served-model-name", "one"]
                + ["--served-model-name", "two"])
        try #require(
            await server.waitForError(containing: "ready http://[::1]:\(port)"), "\(server.errors)")
        let models = try await RunningProgram(
            command: ["curl", "-sS", "-g", "http://[::1]:\(port)/v1/models"]
        ).finish(secondsMax: 20)
        #expect(models.output.contains("\"one\"") && models.output.contains("\"two\""))
        let second = try await SkeinProgram.run(model + ["--host", "::1", "--port", "\(port)"])
        let line = "skein: error: [::1]:\(port): cannot listen there: the address is in use"
        #expect(second.status == 1 && second.errors.hasSuffix(line + "\n"), "\(second.errors)")
        for host in ["", "[::1", "a b", "::g", "256.1.1.1", "http://a"] {
            let wrong = try await SkeinProgram.run(model + ["--host", host])
            #expect(wrong.status == 2 && wrong.errors.contains("--host"), "\(wrong.errors)")
        }
        server.signal(SIGTERM)
        #expect(try await server.finish(secondsMax: 20).status == 0)
    }
}
