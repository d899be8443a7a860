import Foundation
import Testing

/// What `inspect` says of experts: which there are, what they take, and who would hold them.
@Suite struct InspectTests {
    private static let config = SkeinProgram.gosling + "/config.json"

    private static func report(_ arguments: String...) async throws -> [String: Any] {
        let run = try await SkeinProgram.run(["inspect", "--json"] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        return try run.json()
    }

    private static func nodes(_ report: [String: Any]) throws -> [[String: Any]] {
        try #require(report["nodes"] as? [[String: Any]])
    }

    private static func numbers(_ report: [String: Any], _ field: String) throws -> [Int] {
        try nodes(report).map { try #require($0[field] as? Int) }
    }

    @Test func aModelsExpertsAreCountedAndWeighed() async throws {
        let report = try await Self.report("--model", SkeinProgram.gosling)
        let layers = try #require(report["expert_layers"] as? [[String: Int]])
        #expect(layers == [["first_layer": 1, "last_layer": 5]])
        let bytes = try #require(report["expert_bytes"] as? Int)
        #expect(report["routed_experts"] as? Int == 16 && bytes > 0)
        #expect(report["layer_expert_bytes"] as? Int == 16 * bytes)
        #expect(try Self.numbers(report, "held_experts") == [80])
        #expect(try Self.numbers(report, "held_expert_bytes") == [80 * bytes])
    }

    /// Of 40 + 16 and 32 numbers of two bytes, over four layers.
    @Test func sparseAttentionIsSaidAndItsKeysAreCounted() async throws {
        let model = SkeinProgram.golden("oracle/v32")
        let report = try await Self.report("--model", model)
        #expect(report["attended_positions_max"] as? Int == 16)
        #expect(report["cache_bytes_per_token"] as? Int == 4 * 2 * (40 + 16 + 32))
        let people = try await SkeinProgram.run(["inspect", "--model", model])
        #expect(people.output.contains("a row attends to 16 positions at most"))
        let dense = try await Self.report("--model", SkeinProgram.gosling)
        #expect(dense["attended_positions_max"] is NSNull?)
    }

    /// What moves to other hosts is missing local: no byte comes or goes.
    @Test(arguments: [["--model", SkeinProgram.gosling], ["--config", config]])
    func expertsOnHostsOfTheirOwnAreNoLongerWithTheirLayers(model: [String]) async throws {
        let local = try await Self.report(model[0], model[1], "--stages", "2")
        let away = try await Self.report(model[0], model[1], "--stages", "2", "--experts", "2")
        let names = try Self.nodes(away).map { $0["name"] as? String }
        #expect(names == ["node0", "node1", "experts0", "experts1"])
        #expect(try Self.numbers(local, "held_experts") == [32, 48])
        #expect(try Self.numbers(away, "held_experts") == [0, 0, 40, 40])
        let sums = try [local, away].map { try Self.numbers($0, "weight_bytes").reduce(0, +) }
        #expect(sums[0] == sums[1])
        #expect(try Self.numbers(away, "cache_bytes")[2...] == [0, 0])
        let shard = try #require(try Self.nodes(away)[3]["experts"] as? [[String: Int]])
        #expect(
            shard == [["first_layer": 1, "last_layer": 5, "first_expert": 8, "last_expert": 15]])
    }

    @Test func aClusterFileSaysWhatEachNodeHolds() async throws {
        let file = SkeinProgram.root.appending(path: "cluster/experts-4.yaml").path()
        let report = try await Self.report("--cluster", file)
        #expect(try Self.nodes(report).map { $0["name"] as? String } == ["a", "b", "x", "y"])
        // Expert 7 of five layers is there twice.
        #expect(try Self.numbers(report, "held_experts") == [0, 0, 40, 45])
        #expect(report["context_positions"] as? Int == 1_024)
        let people = try await SkeinProgram.run(["inspect", "--cluster", file])
        let lines = people.output.split(separator: "\n")
        let line = lines.first { $0.hasPrefix("  y ") } ?? ""
        #expect(line.contains("experts 7-15 of layers 1-5"), "\(people.output)")
        #expect(line.contains("45 experts"), "\(people.output)")
        #expect(people.output.contains("experts        16 routed, "), "\(people.output)")
    }

    @Test(arguments: [
        (["--cluster", "any.yaml", "--stages", "2"], 2, "--cluster"),
        (["--experts", "128"], 2, "--experts"), (["--experts", "17"], 1, "--experts"),
        (["--cluster", "/none.yaml"], 1, "/none.yaml"),
    ])
    func wrongUseIsOneLineThatNamesTheField(
        arguments: [String], status: Int32, field: String
    ) async throws {
        let run = try await SkeinProgram.run(["inspect"] + arguments)
        #expect(run.status == status && run.output == "", "\(run.errors)")
        #expect(run.errors.contains(field), "\(run.errors)")
    }
}
