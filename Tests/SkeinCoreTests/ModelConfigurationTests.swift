import Foundation
import Testing

@testable import SkeinCore

/// A small consistent V3 configuration as JSON fields, for tests that change one of them.
let smallFields: [String: JSONValue] = [
    "model_type": .string("deepseek_v3"),
    "architectures": .array([.string("DeepseekV3ForCausalLM")]),
    "vocab_size": .integer(100), "hidden_size": .integer(16), "intermediate_size": .integer(24),
    "moe_intermediate_size": .integer(12), "num_hidden_layers": .integer(3),
    "num_attention_heads": .integer(2), "num_key_value_heads": .integer(2),
    "q_lora_rank": .integer(6), "kv_lora_rank": .integer(8), "qk_nope_head_dim": .integer(6),
    "qk_rope_head_dim": .integer(4), "v_head_dim": .integer(5), "n_routed_experts": .integer(8),
    "n_shared_experts": .integer(1), "num_experts_per_tok": .integer(2), "n_group": .integer(4),
    "topk_group": .integer(2), "first_k_dense_replace": .integer(1),
    "routed_scaling_factor": .number(2.5), "max_position_embeddings": .integer(640),
    "rope_theta": .integer(10_000), "bos_token_id": .integer(0), "eos_token_id": .integer(1),
    "rope_scaling": .object([
        "type": .string("yarn"), "factor": .integer(40), "beta_fast": .integer(32),
        "beta_slow": .integer(1), "mscale": .number(1), "mscale_all_dim": .number(1),
        "original_max_position_embeddings": .integer(16),
    ]),
]

func configuration(_ changes: [String: JSONValue?] = [:]) throws(Refusal) -> ModelConfiguration {
    var fields = smallFields
    for (key, value) in changes { fields[key] = value }
    return try ModelConfiguration(json: Array(JSONValue.object(fields).text.utf8))
}

@Suite("ModelConfiguration")
struct ModelConfigurationTests {
    private static let oracle = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/oracle")

    private func oracle(_ name: String) throws -> ModelConfiguration {
        let file = Self.oracle.appendingPathComponent(name).appendingPathComponent("config.json")
        return try ModelConfiguration(json: Array(Data(contentsOf: file)))
    }

    @Test(arguments: [
        ("v2lite", ModelConfiguration.Family.deepseekV2), ("v2", .deepseekV2),
        ("v3", .deepseekV3), ("v3fp8", .deepseekV3), ("v3fp8_ue8m0", .deepseekV3),
        ("v32", .deepseekV32), ("kimi", .kimiK2), ("glm4_moe_lite", .glm4MoeLite),
        ("glm5", .glmMoeDsa), ("glm5_2", .glmMoeDsa), ("glm5_2_fp8", .glmMoeDsa),
        ("kimi_k25_int4", .kimiK2), ("kimi_k2_thinking_int4", .kimiK2),
    ])
    func everyOracleConfigurationIsRead(
        _ name: String, _ family: ModelConfiguration.Family
    ) throws {
        #expect(try oracle(name).family == family)
    }

    @Test func theV3OracleIsReadInFull() throws {
        let model = try oracle("v3fp8_ue8m0")
        #expect(model.vocabularySize == 512)
        #expect(model.hiddenSize == 320)
        #expect(model.intermediateSize == 192)
        #expect(model.layerCount == 3)
        #expect(model.headCount == 2)
        #expect(model.queryLoraRank == 64)
        #expect(model.latentRowWidth == 192 + 64)
        #expect(model.layerIsMixture == [false, true, true])
        #expect(
            model.routing
                == ModelConfiguration.Routing(
                    expertCount: 16, sharedExpertCount: 1, expertsPerTokenCount: 4, groupCount: 4,
                    keptGroupCount: 2, method: .noAuxiliaryLoss, scoring: .sigmoid,
                    normalizesWeights: true, scalingFactor: 2.5, expertIntermediateSize: 64))
        #expect(
            model.yarn
                == ModelConfiguration.Yarn(
                    factor: 40, originalPositionCount: 32, betaFast: 32, betaSlow: 1, mscale: 1,
                    mscaleAllDim: 1))
        #expect(
            model.quantization
                == ModelConfiguration.Quantization(
                    blockRowCount: 128, blockColumnCount: 128, scalesArePowersOfTwo: true))
        #expect(model.nextTokenLayerCount == 1)
        #expect(model.indexer == nil)
        #expect(model.beginToken == 0)
        #expect(model.endTokens == [1])
        #expect(model.positionCountMax == 1_280)
    }

    @Test func formsThatDifferBetweenFamiliesAreRead() throws {
        #expect(try oracle("v2lite").queryLoraRank == nil)
        #expect(try oracle("v2").routing?.method == .groupLimitedGreedy)
        #expect(try oracle("v2").routing?.scalingFactor == 16)
        #expect(try oracle("v32").indexer?.topK == 16)
        let glm = try oracle("glm4_moe_lite")
        #expect(glm.endTokens == [511, 513, 515])
        #expect(glm.beginToken == nil)
        #expect(glm.yarn == nil)
        #expect(glm.normEpsilon == 1e-5)
        #expect(glm.latentNormEpsilon == 1e-6)
    }

    @Test func absentKeysGetThePublishedDefaults() throws {
        let v3 = try ModelConfiguration(
            json: Array(
                """
                {"model_type": "deepseek_v3", "hidden_size": 64, "intermediate_size": 64,
                 "moe_intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
                 "n_routed_experts": 8, "n_shared_experts": null, "num_experts_per_tok": 2}
                """.utf8))
        #expect(v3.vocabularySize == 129_280)
        #expect(v3.queryLoraRank == nil)
        #expect(v3.kvLoraRank == 512)
        #expect(v3.qkNopeHeadSize == 128)
        #expect(v3.qkRopeHeadSize == 64)
        #expect(v3.valueHeadSize == 128)
        #expect(v3.layerIsMixture == [false, false, false, true])
        #expect(v3.routing?.method == .noAuxiliaryLoss)
        #expect(v3.routing?.scoring == .sigmoid)
        #expect(v3.routing?.normalizesWeights == true)
        #expect(v3.routing?.scalingFactor == 2.5)
        #expect(v3.routing?.sharedExpertCount == 0)
        #expect(v3.routing?.groupCount == 1)
        #expect(v3.ropeTheta == 10_000)
        #expect(v3.normEpsilon == 1e-6)
        #expect(v3.nextTokenLayerCount == 0)
        #expect(v3.quantization == nil)
        let v2 = try ModelConfiguration(
            json: Array(
                """
                {"architectures": ["DeepseekV2ForCausalLM"], "hidden_size": 64,
                 "moe_intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "n_routed_experts": 8, "n_shared_experts": 2, "num_experts_per_tok": 2}
                """.utf8))
        #expect(v2.vocabularySize == 102_400)
        #expect(v2.layerIsMixture == [true, true])
        #expect(v2.routing?.method == .greedy)
        #expect(v2.routing?.scoring == .softmax)
        #expect(v2.routing?.normalizesWeights == false)
        #expect(v2.routing?.scalingFactor == 1)
    }

    @Test func otherNamesOfTheSameThingAreUnderstood() throws {
        let renamed = try configuration([
            "n_routed_experts": nil, "num_local_experts": .integer(8),
            "num_mtp_layers": .integer(2), "q_lora_rank": .integer(0),
            "rope_scaling": nil, "rope_theta": nil,
            "rope_parameters": .object([
                "rope_type": .string("default"), "rope_theta": .number(5e4),
            ]),
            "mlp_layer_types": .array([.string("sparse"), .string("dense"), .string("sparse")]),
            "eos_token_id": .array([.integer(3), .integer(4)]), "bos_token_id": .null,
        ])
        #expect(renamed.routing?.expertCount == 8)
        #expect(renamed.nextTokenLayerCount == 2)
        #expect(renamed.queryLoraRank == nil)
        #expect(renamed.yarn == nil)
        #expect(renamed.ropeTheta == 5e4)
        #expect(renamed.layerIsMixture == [true, false, true])
        #expect(renamed.endTokens == [3, 4])
        #expect(renamed.beginToken == nil)
        #expect(try configuration(["model_type": .string("deepseek")]).family == .deepseekV2)
        #expect(try configuration(["model_type": nil]).family == .deepseekV3)
        #expect(
            try configuration(["moe_layer_freq": .integer(2)]).layerIsMixture == [
                false, false, true,
            ])
        let dense = try configuration(["n_routed_experts": .null])
        #expect(dense.routing == nil)
        #expect(dense.layerIsMixture == [false, false, false])
        let blocks = try configuration([
            "quantization_config": .object([
                "quant_method": .string("fp8"),
                "weight_block_size": .array([.integer(64), .integer(32)]),
            ])
        ])
        #expect(blocks.quantization?.float8?.rowCount == 64)
        #expect(blocks.quantization?.float8?.columnCount == 32)
    }

    @Test func aLanguageModelInsideOfALargerOneIsFound() throws {
        let outer = JSONValue.object([
            "model_type": .string("kimi_k25"), "text_config": .object(smallFields),
            "vision_config": .object([:]),
        ])
        let model = try ModelConfiguration(json: Array(outer.text.utf8))
        #expect(try configuration() == model)
    }
}
