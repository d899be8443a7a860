import Foundation
import SkeinCore
import SkeinTransport
import Testing

/// A node holds its slice's weights, its latent cache and little else, and `inspect` knows it.
@Suite(.serialized) struct MemoryTests {
    /// Some 300 MB of FP8 weights, large beside the program's own code.
    private static func synthesize(in folder: ScratchFolder) async throws -> String {
        let bytes = try Data(contentsOf: URL(filePath: SkeinProgram.gosling + "/config.json"))
        var config = try #require(
            try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        config["hidden_size"] = 1_024
        config["intermediate_size"] = 4_096
        config["moe_intermediate_size"] = 1_024
        config["num_nextn_predict_layers"] = 0
        config["max_position_embeddings"] = 100_000
        let file = try folder.write(
            String(decoding: try JSONSerialization.data(withJSONObject: config), as: UTF8.self),
            to: "config.json")
        let model = folder.path + "/model"
        let run = try await SkeinProgram.run([
            "synth", "--config", file, "--format", "fp8", "--out", model,
        ])
        try #require(run.status == 0, "\(run.errors)")
        // With a tokenizer, the answer can be seen to begin.
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(model)/\(name)",
                withDestinationPath: "\(SkeinProgram.gosling)/\(name)")
        }
        return model
    }

    /// What `inspect` says of each node: weights, latent cache, and all together.
    private static func predict(
        _ model: String, positionCount: Int
    ) async throws -> [(held: Int, total: Int)] {
        let run = try await SkeinProgram.run([
            "inspect", "--model", model, "--stages", "2", "--context", "\(positionCount)", "--json",
        ])
        let nodes = try #require(try run.json()["nodes"] as? [[String: Any]])
        return nodes.map { node in
            func number(_ name: String) -> Int { node[name] as? Int ?? 0 }
            return (number("weight_bytes") + number("cache_bytes"), number("total_bytes"))
        }
    }

    /// A stage whose experts are remote touches none of their pages, in either form.
    @Test(arguments: ["native", "int8"])
    func expertsLieOnTheirHostsAlone(form: String) async throws {
        let folder = try ScratchFolder()
        let model = try await Self.synthesize(in: folder)
        let program = try SkeinProgram.start([
            "generate", "--model", model, "--tokens", "1,2,3", "--experts", "2", "--processes",
            "--context", "1000", "--max-tokens", "900", "--ignore-eos", "--weights", form,
        ])
        defer { program.signal(SIGKILL) }
        let isRunning = await program.waitForOutput()
        try #require(isRunning, "\(program.errors)")
        let children = ProcessTable.children(of: program.processID)
        try #require(children.count == 3)
        let sizes = try children.map { child in
            let line = try String(contentsOfFile: "/proc/\(child)/cmdline", encoding: .utf8)
            return (line.contains("--name\0node0"), ProcessTable.residentBytes(of: child))
        }
        // All experts are 250 MB and all else 50 MB; a process's own code and buffers are 100 MB.
        for (isStage, residentBytes) in sizes {
            #expect(residentBytes < (isStage ? 160 : 230) << 20, "\(sizes)")
        }
    }

    @Test func aNodeHoldsWhatInspectPredictsAndLittleMore() async throws {
        let folder = try ScratchFolder()
        let model = try await Self.synthesize(in: folder)
        let positionCount = 40_000
        let predicted = try await Self.predict(model, positionCount: positionCount)
        // The answer's first word comes when a prompt of several full chunks has gone through.
        let prompt = (0..<600).map { "\(2 + $0 * 7 % 4_000)" }.joined(separator: ",")
        let program = try SkeinProgram.start([
            "generate", "--model", model, "--tokens", prompt, "--stages", "2", "--processes",
            "--context", "\(positionCount)", "--max-tokens", "50000", "--ignore-eos",
        ])
        defer { program.signal(SIGKILL) }
        let isRunning = await program.waitForOutput()
        try #require(isRunning, "\(program.errors)")
        // Read as numbers of the processes themselves, not as what they say of themselves.
        let children = ProcessTable.children(of: program.processID)
        try #require(children.count == 2)
        for child in children {
            let line = try String(contentsOfFile: "/proc/\(child)/cmdline", encoding: .utf8)
            let isFirst = line.contains("--name\0node0")
            let node = predicted[isFirst ? 0 : 1]
            let resident = ProcessTable.residentBytes(of: child)
            print("memory: predicted \(node.total), resident \(resident), held \(node.held)")
            #expect(resident >= node.held)
            #expect(resident <= node.held + 100_000_000)
            #expect(abs(Double(resident - node.total)) <= 0.05 * Double(node.total))
        }
        program.signal(SIGTERM)
        let outcome = try await program.finish(secondsMax: 20)
        #expect(outcome.status == 130, "\(outcome.errors)")
    }
}

/// A sound cluster file on loopback, at ports that were free a moment ago.
struct ClusterDraft {
    var model: String
    var positionCount: Int
    var nodeCount: Int

    /// Writes the file and returns its path.
    func write(
        in folder: ScratchFolder, named name: String = "cluster.yaml"
    ) async throws -> String {
        let ports = try await FreePorts.take(nodeCount + 1)
        var lines = [
            "cluster: test", "model: \(model)", "placement: linear", "context: \(positionCount)",
            "pages: \((positionCount + 63) / 64)", "coordinator:",
            "  address: tcp://127.0.0.1:\(ports[0])", "nodes:",
        ]
        for node in 0..<nodeCount {
            lines += [
                "  - name: node\(node)", "    address: tcp://127.0.0.1:\(ports[node + 1])",
                "    threads: 1",
            ]
        }
        return try folder.write(lines.joined(separator: "\n") + "\n", to: name)
    }
}

/// Ports of loopback that nobody listens on.
enum FreePorts {
    /// Asks the system for free ports: all are bound together, so that they differ, then let go.
    static func take(_ count: Int) async throws -> [UInt16] {
        let hub = try ZeroMQHub()
        let anyPort = TCPAddress(host: .ipv4("127.0.0.1"), port: nil)
        var ports: [UInt16] = []
        for _ in 0..<count {
            let inbox = try hub.bind(anyPort)
            ports.append(try #require(TCPAddress(parsing: inbox.address).port))
        }
        await hub.close()
        return ports
    }
}
