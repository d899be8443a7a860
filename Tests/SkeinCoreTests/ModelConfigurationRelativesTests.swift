import Foundation
import Testing

@testable import SkeinCore

/// GLM-5, Kimi-K2-Thinking and K2.5, and Mistral Large 3, as their vendors write them.
@Suite struct ModelConfigurationRelativesTests {
    private func oracle(_ path: String) throws -> ModelConfiguration {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Golden/oracle/\(path)")
        return try ModelConfiguration(json: Array(Data(contentsOf: file)), subject: path)
    }

    // MARK: GLM-5

    /// The keys of GLM-5.2, small but for its layers.
    private func glm(_ changes: [String: JSONValue?] = [:]) throws -> ModelConfiguration {
        var fields: [String: JSONValue?] = [
            "model_type": .string("glm_moe_dsa"), "num_hidden_layers": .integer(78),
            "architectures": .array([.string("GlmMoeDsaForCausalLM")]), "n_group": .integer(1),
            "topk_group": .integer(1), "rope_scaling": nil, "rope_theta": nil,
            "rope_parameters": .object([
                "rope_theta": .integer(8_000_000), "rope_type": .string("default"),
            ]),
            "head_dim": .integer(192), "bos_token_id": nil, "index_topk": .integer(16),
            "index_head_dim": .integer(8), "index_n_heads": .integer(4),
            "index_topk_freq": .integer(4), "index_skip_topk_offset": .integer(3),
            "index_topk_pattern": .null, "indexer_rope_interleave": .bool(true),
        ]
        for (key, value) in changes { fields[key] = value }
        return try configuration(fields)
    }

    @Test func theIndexerOfGLM5RotatesNeighboursInEveryLayer() throws {
        let indexer = try #require(oracle("glm5/config.json").indexer)
        #expect(indexer.isInterleaved && indexer.sharedLayers.isEmpty)
        #expect(try oracle("v32/config.json").indexer?.isInterleaved == false)
        // The key may be missing: the family decides.
        #expect(try glm(["indexer_rope_interleave": nil]).indexer?.isInterleaved == true)
    }

    @Test func theLayersThatShareAreListedOrCounted() throws {
        let full = Set([0, 1, 2] + Array(stride(from: 6, through: 74, by: 4)))
        let counted = try glm()
        #expect(counted.ropeTheta == 8_000_000 && counted.yarn == nil)
        #expect(Set((0..<78).filter(counted.hasOwnIndexer)) == full)
        #expect(counted.indexedLayerCount(in: 0..<78) == 21)
        #expect(counted.indexedLayerCount(in: 2..<7) == 2)
        #expect(counted.hasOwnIndexer(78))
        let words = (0..<78).map { JSONValue.string(full.contains($0) ? "full" : "shared") }
        let letters = (0..<78).map { full.contains($0) ? "F" : "S" }
        let listed = try glm(["indexer_types": .array(words), "index_topk_freq": .integer(1)])
        #expect(listed.indexer == counted.indexer)
        #expect(
            try glm(["index_topk_pattern": .string(letters.joined())]).indexer == counted.indexer)
        #expect(
            try glm(["index_topk_pattern": .array(letters.map(JSONValue.string))]).indexer
                == counted.indexer)
        let plain = try glm(["index_topk_freq": nil, "index_skip_topk_offset": nil])
        #expect(plain.indexer?.sharedLayers.isEmpty == true)
        #expect(try oracle("glm5_2/config.json").indexer?.sharedLayers == [3, 4, 5, 7])
    }

    @Test(arguments: [
        ("indexer_types", JSONValue.array([.string("full")])),
        ("indexer_types", .array(Array(repeating: .string("shared"), count: 78))),
        ("indexer_types", .array(Array(repeating: .string("half"), count: 78))),
        ("indexer_types", .string("full")), ("index_topk_pattern", .string("FS")),
        ("index_topk_pattern", .string(String(repeating: "S", count: 78))),
        ("index_topk_freq", .integer(0)), ("index_skip_topk_offset", .integer(0)),
    ])
    func sharesThatCannotBeAreRefused(key: String, value: JSONValue) {
        let refusal = #expect(throws: Refusal.self) { try glm([key: value]) }
        #expect(refusal?.subject == "config.json: \(key)")
    }

    @Test func evenCutsMoveToLayersThatChoose() throws {
        let model = try oracle("glm5_2/config.json")
        func cuts(_ count: Int) -> [Int]? {
            Slice.even(layerCount: 8, count: count, keeping: model.layersWithinStages)?
                .map(\.layers.lowerBound)
        }
        #expect(cuts(1) == [0])
        #expect(cuts(2) == [0, 2])
        #expect(cuts(3) == [0, 2, 6])
        #expect(cuts(4) == [0, 1, 2, 6])
        #expect(cuts(5) == nil)
        #expect(
            Slice.even(layerCount: 9, count: 4, keeping: [])
                == Slice.even(layerCount: 9, count: 4))
    }

    // MARK: Kimi

    @Test(arguments: ["kimi_k25_int4", "kimi_k2_thinking_int4"])
    func onlyGroupsOfINT4AreExpected(name: String) throws {
        let model = try oracle("\(name)/config.json")
        #expect(model.quantization == .init(int4GroupColumnCount: 32))
        #expect(model.endTokens.count == 1)
    }

    /// `quantization_config` of compressed-tensors, changed.
    private func packed(
        _ changes: [String: JSONValue] = [:], format: String = "pack-quantized"
    ) -> JSONValue {
        let weights: [String: JSONValue] = [
            "num_bits": .integer(4), "type": .string("int"), "symmetric": .bool(true),
            "strategy": .string("group"), "group_size": .integer(32), "actorder": .null,
        ]
        return .object([
            "quant_method": .string("compressed-tensors"), "format": .string(format),
            "config_groups": .object([
                "group_0": .object([
                    "weights": .object(weights.merging(changes) { $1 }),
                    "input_activations": .null,
                ])
            ]),
        ])
    }

    @Test func theFormOfWeightsMayStandOutsideOfTheLanguageModel() throws {
        let outer = JSONValue.object([
            "model_type": .string("kimi_k25"), "text_config": .object(smallFields),
            "quantization_config": packed(),
        ])
        let model = try ModelConfiguration(json: Array(outer.text.utf8))
        #expect(model.quantization?.int4GroupColumnCount == 32)
    }

    @Test(
        arguments: [
            (["num_bits": .integer(8)], "num_bits"), (["num_bits": .integer(3)], "num_bits"),
            (["symmetric": .bool(false)], "symmetric"),
            (["strategy": .string("channel")], "strategy"),
            (["group_size": .integer(48)], "group_size"),
            (["group_size": .integer(-1)], "group_size"),
            (["actorder": .string("group")], "actorder"),
            (["type": .string("float")], "num_bits"),
        ] as [([String: JSONValue], String)])
    func packedFormsThatAreNotReadAreRefused(changes: [String: JSONValue], key: String) {
        let refusal = #expect(throws: Refusal.self) {
            try configuration(["quantization_config": packed(changes)])
        }
        #expect(refusal?.subject.hasSuffix("weights: \(key)") == true)
        #expect(refusal?.description.contains("\n") == false)
    }

    @Test func float8MayShareScalesByRowOrMatrix() throws {
        let whole = ModelConfiguration.Float8Blocks.whole
        func blocks(_ strategy: String) throws -> ModelConfiguration.Float8Blocks? {
            try configuration([
                "quantization_config": packed(
                    [
                        "num_bits": .integer(8), "type": .string("float"),
                        "strategy": .string(strategy),
                        "block_structure": .array([.integer(128), .integer(64)]),
                    ], format: "float-quantized")
            ]).quantization?.float8
        }
        #expect(try blocks("tensor") == .init(rowCount: whole, columnCount: whole))
        #expect(try blocks("channel") == .init(rowCount: 1, columnCount: whole))
        #expect(try blocks("block") == .init(rowCount: 128, columnCount: 64))
        #expect(throws: Refusal.self) { try blocks("group") }
    }

    // MARK: Mistral Large 3

    private func parameters(
        _ change: (inout [String: JSONValue]) -> Void = { _ in }
    ) throws -> ModelConfiguration {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Golden/oracle/mistral_large3/params.json")
        let document = try JSONValue(parsing: Array(Data(contentsOf: file)), subject: "params.json")
        var fields = try #require(document.fields)
        change(&fields)
        return try ModelConfiguration(parsed: .object(fields), subject: "params.json")
    }

    @Test func theParametersOfMistralAreReadInFull() throws {
        let model = try parameters()
        #expect(model.family == .mistralLarge3)
        #expect(model.hiddenSize == 160 && model.layerCount == 4 && model.headCount == 3)
        #expect(model.intermediateSize == 200 && model.vocabularySize == 310)
        #expect(model.layerIsMixture == [false, false, true, true])
        #expect(
            model.routing
                == ModelConfiguration.Routing(
                    expertCount: 6, sharedExpertCount: 1, expertsPerTokenCount: 3, method: .greedy,
                    scoring: .softmax, normalizesWeights: true, scalingFactor: 1,
                    scalesNormalizedWeights: true, expertIntermediateSize: 136))
        #expect(
            model.yarn
                == ModelConfiguration.Yarn(
                    factor: 36, originalPositionCount: 32, betaFast: 32, betaSlow: 1,
                    attentionFactor: 1))
        #expect(model.queryGrowth == .init(beta: 0.1, originalPositionCount: 32))
        #expect(model.quantization?.float8 == .init(rowCount: 128, columnCount: 128))
        #expect(model.positionCountMax == 1_152 && model.normEpsilon == 1e-6)
        #expect(model.beginToken == 1 && model.endTokens == [2])
        #expect(try parameters { $0["max_position_embeddings"] = nil }.positionCountMax == 1_024)
        #expect(try parameters { $0["yarn"] = .null }.yarn == nil)
    }

    @Test(arguments: [
        ("dim", JSONValue.integer(0), "dim"), ("n_layers", .string("4"), "n_layers"),
        ("kv_lora_rank", .null, "kv_lora_rank"), ("moe", .null, "kv_lora_rank"),
        ("moe", .object(["num_experts": .integer(-1)]), "moe: num_experts"),
        ("moe", .object(["num_expert_groups": .integer(2)]), "moe: num_expert_groups"),
        ("head_dim", .integer(64), "head_dim"),
        ("yarn", .object(["apply_scale": .bool(true)]), "yarn: apply_scale"),
        ("yarn", .object(["factor": .string("x")]), "yarn: factor"),
        ("llama_4_scaling", .object(["beta": .integer(-1)]), "llama_4_scaling: beta"),
    ])
    func aRefusalNamesTheKeyAsTheFileSpellsIt(key: String, value: JSONValue, named: String) {
        let refusal = #expect(throws: Refusal.self) { try parameters { $0[key] = value } }
        #expect(refusal?.subject == "params.json: \(named)")
    }

    // MARK: Others

    @Test(arguments: ["glm5_next", "kimi_k3", "deepseek_v4", "mistral4"], [false, true])
    func otherArchitecturesAreRefusedByName(name: String, isInner: Bool) {
        var inner = smallFields
        inner["model_type"] = isInner ? .string(name) : .string("deepseek_v3")
        let file = JSONValue.object([
            "model_type": .string(isInner ? "mistral3" : name), "text_config": .object(inner),
        ])
        let refusal = #expect(throws: Refusal.self) {
            try ModelConfiguration(json: Array(file.text.utf8))
        }
        #expect(refusal?.reason.hasPrefix("\"\(name)\" is another architecture") == true)
    }
}
