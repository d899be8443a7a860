import Foundation
import Testing

/// What `skein up` and the processes that it starts say, as a program reads it.
@Suite(.serialized) struct LogFormatTests {
    /// Every line of a stream, each of which must be an object of the log.
    private static func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { line in
            let value = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            let object = try #require(value as? [String: Any], "\(line)")
            for name in ["time", "level", "logger", "message"] {
                #expect(object[name] is String, "\(line)")
            }
            return object
        }
    }

    private static func messages(_ objects: [[String: Any]]) -> [String] {
        objects.compactMap { $0["message"] as? String }
    }

    @Test func everyLineOfAHostAndOfItsNodesHasTheFormatAndTheLevel() async throws {
        let cluster = try await SeparateNodes(isOneHost: true, log: ["info", "json"])
        try #require(
            await cluster.head.waitForError(containing: "ready http"), "\(cluster.head.errors)")
        let answer = try StreamText(
            await cluster.startStream(tokens: 5).finish(secondsMax: 60).output)
        try #require(await cluster.head.waitForError(containing: "a sequence has left"))
        let nodes = ProcessTable.children(of: cluster.head.processID)
        kill(try #require(nodes.min()), SIGKILL)
        let end = try await cluster.head.finish(secondsMax: 30)
        #expect(end.status == 1)
        let objects = try Self.objects(end.errors)
        let messages = Self.messages(objects)
        // The nodes' own lines are there too, with the request's name and numbers as numbers.
        let left = objects.filter { $0["message"] as? String == "a sequence has left" }
        #expect(left.contains { $0["request"] as? String == answer.requestID })
        #expect(left.allSatisfy { $0["rows"] is Int && $0["stage"] is Int && $0["node"] is String })
        let answered = try #require(objects.first { $0["message"] as? String == "answered" })
        #expect(answered["status"] as? Int == 200 && answered["completion_tokens"] as? Int == 5)
        #expect(answered["seconds"] is Double)
        for name in SeparateNodes.names {
            #expect(messages.count { $0 == "node \(name) has joined" } == 1, "\(messages)")
        }
        let ready = try #require(
            objects.first { ($0["message"] as? String ?? "") == "ready \(cluster.url)" })
        #expect(ready["http"] as? String == cluster.url)
        #expect(objects.last?["level"] as? String == "error", "\(end.errors)")
    }

    @Test func aNodeSaysForWhomItWaitsAndWhenItIsReady() async throws {
        let cluster = try await SeparateNodes()
        cluster.head.signal(SIGSTOP)
        var nodes: [RunningProgram] = []
        for name in SeparateNodes.names {
            nodes.append(
                try SkeinProgram.start(["node", "--cluster", cluster.file, "--name", name]))
        }
        for (name, node) in zip(SeparateNodes.names, nodes) {
            #expect(
                await node.waitForError(
                    containing: "node \(name): waiting for the coordinator at tcp://127.0.0.1:"))
        }
        cluster.head.signal(SIGCONT)
        for (place, node) in nodes.enumerated() {
            try #require(await node.waitForError(containing: ": ready, stage \(place); weights "))
            let lines = node.errors.split(separator: "\n").map(String.init)
            let places = [": waiting for ", ": joined", ": loading ", ": ready, "].map { part in
                lines.firstIndex { $0.contains(part) } ?? -1
            }
            #expect(places.first == 0 && places == places.sorted(), "\(lines)")
            // The load of a small model is over before a person could follow it.
            #expect(lines.count { $0.contains(": loading ") } == 1, "\(lines)")
        }
        try #require(await cluster.head.waitForError(containing: "ready http"))
        try await cluster.stop(nodes)
    }

    /// One event, one line: neither the coordinator's log nor `up` says it a second time.
    @Test func aLossIsOneLineAtEachLevel() async throws {
        let cluster = try await SeparateNodes()
        let nodes = try await cluster.startNodes()
        nodes["b"]?.signal(SIGKILL)
        try #require(await cluster.head.waitForError(containing: "lost: node b"))
        let lines = cluster.head.errors.split(separator: "\n")
        let lost = lines.filter { $0.contains("nobody listens there") }
        #expect(lost.count == 1, "\(lost)")
        try await cluster.stop([nodes["a"], nodes["c"]].compactMap(\.self))
    }
}
