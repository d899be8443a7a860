import Foundation
import Synchronization
import Testing

/// A cluster whose head and nodes are processes of their own, each started by hand, so that a test
/// can stop, kill and start any of them.
final class SeparateNodes: Sendable {
    static let names = ["a", "b", "c"]

    let folder: ScratchFolder
    let file: String
    let url: String
    private let heads: Mutex<[RunningProgram]>

    /// The head that was started last.
    var head: RunningProgram { heads.withLock { $0[$0.count - 1] } }

    /// All nodes: the ring's, those with experts, then those that stand by.
    let nodeNames: [String]

    /// Starts the head.
    ///
    /// - Parameter shards: nodes beside the ring, by name, with their experts as a cluster file
    ///   has them.
    /// - Parameter state: the folder in which the head writes requests down.
    /// - Parameter isOneHost: whether the head starts the nodes itself.
    /// - Parameter log: the head's level of the log, and its format.
    /// - Parameter headOptions: further options of the head that is started first.
    init(
        shards: KeyValuePairs<String, [String]> = [:], standbys: [String] = [],
        state: String? = nil,
        isOneHost: Bool = false, log: [String] = ["info", "text"], headOptions: [String] = []
    ) async throws {
        folder = try ScratchFolder()
        nodeNames = Self.names + shards.map(\.key) + standbys
        let ports = try await FreePorts.take(nodeNames.count + 2)
        url = "http://127.0.0.1:\(ports[1])"
        // Room for an answer that takes seconds.
        let model = try Bent.gosling(in: folder) { $0["max_position_embeddings"] = 100_000 }
        var lines = [
            "cluster: separate", "model: \(model)", "placement: linear", "context: 8192",
            "pages: 256",
        ]
        if let state { lines.append("state: \(state)") }
        lines += [
            "coordinator:", "  address: tcp://127.0.0.1:\(ports[0])",
            "  http: 127.0.0.1:\(ports[1])", "nodes:",
        ]
        for (name, port) in zip(nodeNames, ports.dropFirst(2)) {
            lines += [
                "  - name: \(name)", "    address: tcp://127.0.0.1:\(port)", "    threads: 1",
            ]
            if standbys.contains(name) { lines.append("    standby: true") }
            guard let shard = shards.first(where: { $0.key == name })?.value else { continue }
            lines += ["    experts:"] + shard.map { "      - {\($0)}" }
        }
        file = try folder.write(lines.joined(separator: "\n") + "\n", to: "separate.yaml")
        heads = Mutex([
            try Self.startHead(file, isOneHost: isOneHost, log: log, options: headOptions)
        ])
    }

    private static func startHead(
        _ file: String, isOneHost: Bool = false, log: [String] = ["info", "text"],
        options: [String] = [], pretending version: String? = nil
    ) throws -> RunningProgram {
        try SkeinProgram.start(
            ["up", file, "--log-level", log[0], "--log-format", log[1]]
                + (isOneHost ? [] : ["--without-nodes"]) + options, through: pretence(version))
    }

    /// What has a process speak another version of the wire.
    private static func pretence(_ version: String?) -> [String] {
        version.map { ["SKEIN_PRETEND_WIRE_VERSION=\($0)"] } ?? []
    }

    deinit { head.signal(SIGKILL) }

    /// Ends the head by a signal and starts another in its place.
    func replaceHead(by signal: Int32 = SIGKILL) async throws {
        head.signal(signal)
        _ = try await head.finish(secondsMax: 15)
        try startNextHead()
    }

    /// Starts a head after the former one has ended.
    ///
    /// - Parameter version: the version of the wire that it pretends to speak.
    func startNextHead(pretending version: String? = nil) throws {
        let next = try Self.startHead(file, pretending: version)
        heads.withLock { $0.append(next) }
    }

    /// Starts a node; its log tells every step.
    ///
    /// - Parameter version: the version of the wire that it pretends to speak.
    func startNode(_ name: String, pretending version: String? = nil) throws -> RunningProgram {
        try SkeinProgram.start(
            ["node", "--cluster", file, "--name", name, "--log-level", "debug"],
            through: Self.pretence(version))
    }

    /// Starts all nodes and waits until the head serves.
    func startNodes() async throws -> [String: RunningProgram] {
        var nodes: [String: RunningProgram] = [:]
        for name in nodeNames { nodes[name] = try startNode(name) }
        try #require(await head.waitForError(containing: "ready http"), "\(head.errors)")
        return nodes
    }

    /// Asks after the cluster's health.
    func health(_ more: String...) async throws -> SkeinProgram.Outcome {
        try await SkeinProgram.run(["health", "--url", url] + more, secondsMax: 30)
    }

    /// Asks again and again until the exit code is `status`, for `secondsMax` at most.
    func waitForHealth(
        _ status: Int32, secondsMax: Double = 30
    ) async throws -> SkeinProgram.Outcome {
        let end = ContinuousClock.now + .seconds(secondsMax)
        var last = try await health()
        while last.status != status, ContinuousClock.now < end { last = try await health() }
        return last
    }

    /// Starts a greedy completion as a stream of events, through `curl`.
    func startStream(tokens: Int) throws -> RunningProgram {
        let body =
            "{\"prompt\": \"One goose\", \"temperature\": 0, \"max_tokens\": \(tokens), "
            + "\"ignore_eos\": true, \"stream\": true}"
        return try RunningProgram(
            command: [
                "curl", "-sSN", "-i", "--max-time", "100", "-d", body, url + "/v1/completions",
            ])
    }

    /// Ends the head and the nodes in good order.
    func stop(_ nodes: [RunningProgram]) async throws {
        head.signal(SIGTERM)
        let end = try await head.finish(secondsMax: 20)
        #expect(end.status == 0, "\(end.errors)")
        for node in nodes { node.signal(SIGTERM) }
        for node in nodes { _ = try await node.finish(secondsMax: 10) }
    }
}

/// The events of a stream that `curl -i` has written.
struct StreamText {
    /// The completion's text, put together.
    let text: String
    /// The answer's x-request-id.
    let requestID: String
    /// Whether the stream was not cut off.
    let isWhole: Bool

    init(_ output: String) throws {
        var text = ""
        var requestID = ""
        // HTTP ends its header lines with two characters that Swift takes for one.
        for line in output.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("x-request-id: ") { requestID = String(line.dropFirst(14)) }
            guard line.hasPrefix("data: {") else { continue }
            let value = try JSONSerialization.jsonObject(with: Data(line.dropFirst(6).utf8))
            let event = try #require(value as? [String: Any])
            try #require(event["error"] == nil, "\(line)")
            let choice = (event["choices"] as? [[String: Any]])?.first
            text += choice?["text"] as? String ?? ""
        }
        self.text = text
        self.requestID = requestID
        isWhole = output.contains("data: [DONE]")
    }
}
