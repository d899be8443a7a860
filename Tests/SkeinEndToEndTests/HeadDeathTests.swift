import Foundation
import Testing

/// A head that is killed and started again: its nodes keep their weights, and clients get each
/// token once.
@Suite(.serialized) struct HeadDeathTests {
    /// The events of a stream by their `id:` lines, in order, and the text that they carry.
    private struct Events {
        var ids: [String] = []
        var text = ""
        var isWhole = false

        init(_ output: String) throws {
            for block in output.replacing("\r\n", with: "\n").split(separator: "\n\n") {
                let lines = block.split(separator: "\n")
                if lines.contains("data: [DONE]") { isWhole = true }
                guard let id = lines.first(where: { $0.hasPrefix("id: ") }),
                    let event = lines.first(where: { $0.hasPrefix("data: {") })
                else { continue }
                ids.append(String(id.dropFirst(4)))
                let json = try JSONSerialization.jsonObject(with: Data(event.dropFirst(6).utf8))
                let object = try #require(json as? [String: Any])
                let choice = (object["choices"] as? [[String: Any]])?.first
                text += choice?["text"] as? String ?? ""
            }
        }
    }

    private static func body(tokens: Int, isStreaming: Bool, seed: Int = 5) -> String {
        "{\"prompt\": \"One goose\", \"temperature\": 0.9, \"seed\": \(seed), "
            + "\"max_tokens\": \(tokens), \"ignore_eos\": true, \"stream\": \(isStreaming)}"
    }

    private static func curl(_ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(command: ["curl", "-sS", "--max-time", "100"] + arguments)
    }

    /// Asks a request again until the head is there.
    private static func ask(
        _ arguments: [String], secondsMax: Double = 60
    ) async throws -> String {
        let end = ContinuousClock.now + .seconds(secondsMax)
        while true {
            let answer = try await curl(["--fail"] + arguments).finish(secondsMax: 100)
            if answer.status == 0 || ContinuousClock.now > end { return answer.output }
        }
    }

    @Test(arguments: [SIGKILL, SIGTERM])
    func aStreamGoesOnWhereItsClientWas(signal: Int32) async throws {
        let cluster = try await SeparateNodes(state: "state")
        let nodes = try await cluster.startNodes()
        let url = cluster.url + "/v1/completions"
        let body = Self.body(tokens: 1_500, isStreaming: true)
        let alone = try Events(try await Self.ask(["-N", "-d", body, url]))
        try #require(alone.isWhole && alone.ids.count > 1_000)

        let broken = try Self.curl(["-N", "-i", "-d", body, url])
        try #require(await broken.waitForOutput(containing: "id: 200"))
        try await cluster.replaceHead(by: signal)
        let seen = try await broken.finish(secondsMax: 20).output
        let first = try Events(seen)
        let name = try #require(
            seen.split(whereSeparator: \.isNewline).first { $0.hasPrefix("x-request-id: ") }
        ).dropFirst(14)
        let last = try #require(first.ids.last)
        #expect(!first.isWhole)

        let rest = try Events(
            try await Self.ask([
                "-N", "-H", "Last-Event-ID: \(last)", "\(cluster.url)/v1/requests/\(name)/events",
            ]))
        #expect(rest.isWhole)
        #expect(first.ids + rest.ids == alone.ids)
        #expect(first.text + rest.text == alone.text)
        try await cluster.stop(Array(nodes.values))
    }

    @Test func aKeyedAnswerWhoseClientHasLeftEndsAtItsStopString() async throws {
        let cluster = try await SeparateNodes(state: "state")
        let nodes = try await cluster.startNodes()
        let url = cluster.url + "/v1/completions"
        let body = Self.body(tokens: 800, isStreaming: true)
        let alone = try Events(try await Self.ask(["-N", "-d", body, url])).text
        // The place of the stop string is far behind what the client reads.
        let stop = String(alone.dropFirst(alone.count / 2).prefix(12))
        let expected = String(try #require(alone.components(separatedBy: stop).first))
        let object = try JSONSerialization.jsonObject(with: Data(body.utf8))
        var fields = try #require(object as? [String: Any])
        fields["stop"] = [stop]
        let stopped = String(
            decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
        let left = try Self.curl(["-N", "-i", "-H", "Idempotency-Key: left", "-d", stopped, url])
        try #require(await left.waitForOutput(containing: "id: 5"))
        left.signal(SIGKILL)
        let seen = try await left.finish(secondsMax: 10).output
        let name = try #require(
            seen.split(whereSeparator: \.isNewline).first { $0.hasPrefix("x-request-id: ") }
        ).dropFirst(14)
        var state: [String: Any] = [:]
        while state["status"] as? String != "completed" {
            try #require(state["status"] as? String != "failed")
            let text = try await Self.ask(["\(cluster.url)/v1/requests/\(name)"])
            let found = try JSONSerialization.jsonObject(with: Data(text.utf8))
            state = try #require(found as? [String: Any])
        }
        let response = try #require(state["response"] as? [String: Any])
        let choice = try #require((response["choices"] as? [[String: Any]])?.first)
        #expect(choice["text"] as? String == expected)
        #expect(choice["finish_reason"] as? String == "stop")
        try await cluster.stop(Array(nodes.values))
    }

    @Test func anAnswerIsFoundByItsKey() async throws {
        let cluster = try await SeparateNodes(state: "state")
        let nodes = try await cluster.startNodes()
        let url = cluster.url + "/v1/completions"
        let body = Self.body(tokens: 1_000, isStreaming: false)
        let asking = ["-H", "Idempotency-Key: once", "-d", body, url]
        let broken = try Self.curl(asking)
        let running = "skein_sequences_running 1"
        while try await !Self.ask(["\(cluster.url)/metrics"]).contains(running) {}
        try await cluster.replaceHead()
        _ = try await broken.finish(secondsMax: 20)
        let answer = try await Self.ask(asking)
        let again = try await Self.ask(asking)
        #expect(!answer.isEmpty && answer == again)
        let other = try await Self.curl([
            "-o", "/dev/null", "-w", "%{http_code}", "-H", "Idempotency-Key: once", "-d",
            Self.body(tokens: 3, isStreaming: false), url,
        ]).finish(secondsMax: 20)
        #expect(other.output == "422")
        try await cluster.stop(Array(nodes.values))
    }
}
