import Testing

@testable import SkeinCore

@Suite("ModelConfiguration refusals")
struct ModelConfigurationRefusalTests {
    /// What is changed, and the key that the refusal names.
    struct Breakage: Sendable, CustomTestStringConvertible {
        let changes: [String: JSONValue?]
        let key: String
        var testDescription: String { "\(key): \(changes)" }

        init(_ key: String, _ value: JSONValue?, _ others: [String: JSONValue?] = [:]) {
            self.key = key
            changes = others.merging([key: value]) { first, _ in first }
        }

        /// A change inside of an object, named by its own key.
        init(in section: String, _ key: String, _ fields: [String: JSONValue]) {
            self.key = "\(section): \(key)"
            changes = [section: .object(fields)]
        }
    }

    private static let yarn: [String: JSONValue] = [
        "type": .string("yarn"), "factor": .integer(40),
        "original_max_position_embeddings": .integer(16),
    ]

    private static func yarn(_ key: String, _ value: JSONValue?) -> Breakage {
        var fields = yarn
        fields[key] = value
        return Breakage(in: "rope_scaling", key, fields)
    }

    private static func fp8(_ key: String, _ value: JSONValue?) -> Breakage {
        var fields: [String: JSONValue] = [
            "quant_method": .string("fp8"),
            "weight_block_size": .array([.integer(128), .integer(128)]),
        ]
        fields[key] = value
        return Breakage(in: "quantization_config", key, fields)
    }

    static let breakages: [Breakage] = [
        Breakage("model_type", .string("llama")), Breakage("model_type", .string("deepseek_v4")),
        Breakage("model_type", .integer(3)),
        Breakage("model_type", nil, ["architectures": nil]),
        Breakage("architectures", .array([.string("GPT2LMHeadModel")]), ["model_type": nil]),
        Breakage("architectures", .array([]), ["model_type": nil]),
        Breakage("model_type", .string("deepseek"), ["kv_lora_rank": nil]),
        Breakage("hidden_size", nil), Breakage("num_hidden_layers", nil),
        Breakage("num_attention_heads", .null), Breakage("num_experts_per_tok", nil),
        Breakage("moe_intermediate_size", nil), Breakage("intermediate_size", nil),
        Breakage("n_shared_experts", nil), Breakage("n_routed_experts", nil),
        Breakage("qk_nope_head_dim", nil, ["model_type": .string("glm4_moe_lite")]),
        Breakage("hidden_size", .integer(0)), Breakage("hidden_size", .integer(-16)),
        Breakage("hidden_size", .bool(true)), Breakage("hidden_size", .number(16.5)),
        Breakage("hidden_size", .string("16")), Breakage("hidden_size", .integer(1 << 40)),
        Breakage("vocab_size", .integer(.max)), Breakage("num_hidden_layers", .integer(100_000)),
        Breakage("num_attention_heads", .integer(1 << 20)), Breakage("q_lora_rank", .integer(-1)),
        Breakage("q_lora_rank", .string("none")), Breakage("qk_rope_head_dim", .integer(5)),
        Breakage("kv_lora_rank", .array([.integer(8)])), Breakage("v_head_dim", .number(1e300)),
        Breakage("hidden_act", .string("gelu")), Breakage("attention_bias", .bool(true)),
        Breakage("mlp_bias", .bool(true)), Breakage("rope_interleave", .bool(false)),
        Breakage("use_qk_norm", .bool(true)), Breakage("tie_word_embeddings", .integer(0)),
        Breakage("n_routed_experts", .integer(9)).naming("n_group"),
        Breakage("n_group", .integer(8)), Breakage("topk_group", .integer(5)),
        Breakage("num_experts_per_tok", .integer(5)), Breakage("num_experts_per_tok", .integer(0)),
        Breakage("n_routed_experts", .integer(0)),
        Breakage("n_routed_experts", .integer(4_096), ["num_hidden_layers": .integer(1_024)]),
        Breakage("num_experts", .integer(7)),
        Breakage("n_shared_experts", .integer(4_096), ["moe_intermediate_size": .integer(262_144)]),
        Breakage("topk_method", .string("random")), Breakage("scoring_func", .string("softmax")),
        Breakage("scoring_func", .string("tanh")), Breakage("norm_topk_prob", .string("true")),
        Breakage("routed_scaling_factor", .integer(0)),
        Breakage("routed_scaling_factor", .string("2.5")),
        Breakage("moe_layer_freq", .integer(0)), Breakage("first_k_dense_replace", .integer(-1)),
        Breakage("mlp_layer_types", .array([.string("dense")])),
        Breakage("mlp_layer_types", .array(Array(repeating: .string("moe"), count: 3))),
        Breakage("rms_norm_eps", .integer(0)), Breakage("rms_norm_eps", .integer(2)),
        Breakage("rope_theta", .integer(1)), Breakage("rope_theta", .bool(true)),
        Breakage("max_position_embeddings", .integer(1 << 30)),
        Breakage("partial_rotary_factor", .number(0.5)),
        Breakage("eos_token_id", .integer(100)), Breakage("eos_token_id", .array([.integer(-1)])),
        Breakage("eos_token_id", .string("</s>")), Breakage("bos_token_id", .integer(100)),
        Breakage("num_nextn_predict_layers", .integer(-1)),
        Breakage("num_mtp_layers", .integer(1), ["num_nextn_predict_layers": .integer(2)]),
        Breakage("rope_scaling", .string("yarn")), Breakage("quantization_config", .bool(true)),
        yarn("type", .string("linear")).naming("rope_type"), yarn("factor", nil),
        yarn("factor", .number(0.5)), yarn("original_max_position_embeddings", nil),
        yarn("original_max_position_embeddings", .number(16)), yarn("beta_slow", .integer(33)),
        yarn("beta_fast", .integer(0)), yarn("mscale", .string("1")),
        yarn("rope_theta", .integer(7)),
        yarn("truncate", .bool(false)), yarn("attention_factor", .number(0)),
        fp8("quant_method", .string("gptq")), fp8("quant_method", nil),
        fp8("fmt", .string("e5m2")), fp8("activation_scheme", .string("static")),
        fp8("weight_block_size", .array([.integer(128)])),
        fp8("weight_block_size", .array([.integer(0), .integer(128)])),
        fp8("weight_block_size", .array([.number(128), .integer(128)])),
        fp8("scale_fmt", .string("e8m1")),
        Breakage("q_lora_rank", nil, ["model_type": .string("deepseek_v32")]),
        Breakage("index_head_dim", .integer(2), ["model_type": .string("deepseek_v32")]),
        Breakage("index_topk", .integer(0), ["model_type": .string("deepseek_v32")]),
        Breakage(
            "indexer_rope_interleave", .integer(1), ["model_type": .string("deepseek_v32")]),
    ]

    @Test(arguments: breakages)
    func whatCannotBeRunIsRefusedByItsKey(_ breakage: Breakage) {
        let refusal = #expect(throws: Refusal.self) { try configuration(breakage.changes) }
        #expect(refusal?.subject.contains(breakage.key) == true, "\(String(describing: refusal))")
        #expect(refusal?.subject.hasPrefix("config.json: ") == true)
        #expect(refusal?.description.contains("\n") == false)
    }

    @Test(arguments: ["", "{", "[]", "null", "3", "{\"hidden_size\": 1, \"hidden_size\": 2}"])
    func whatIsNoConfigurationAtAllIsRefused(_ text: String) {
        let refusal = #expect(throws: Refusal.self) {
            try ModelConfiguration(json: Array(text.utf8))
        }
        #expect(refusal?.subject.hasPrefix("config.json") == true)
    }

    /// Two thousand seeded changes of bytes and of fields: a value or a refusal, never a trap.
    @Test func randomDamageNeverTraps() {
        var random = SeededNumbers(state: 11)
        let bytes = Array(JSONValue.object(smallFields).text.utf8)
        let odd: [JSONValue] = [
            .null, .bool(true), .integer(0), .integer(-1), .integer(.max), .integer(.min),
            .number(1e308), .number(-0.5), .string(""), .array([]), .object([:]), .integer(65_536),
        ]
        let keys = smallFields.keys.sorted() + ["index_topk", "mlp_layer_types", "n_group"]
        var acceptedCount = 0
        for _ in 0..<2_000 {
            var damaged = bytes
            var fields = smallFields
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: damaged.indices, using: &random)
                damaged[place] = UInt8.random(in: 0...255, using: &random)
                let key = keys[Int.random(in: keys.indices, using: &random)]
                fields[key] = odd[Int.random(in: odd.indices, using: &random)]
            }
            for json in [damaged, Array(JSONValue.object(fields).text.utf8)] {
                do {
                    _ = try ModelConfiguration(json: json)
                    acceptedCount += 1
                } catch {
                    #expect(!error.description.contains("\n"))
                }
            }
        }
        #expect(acceptedCount > 0)
    }
}

extension ModelConfigurationRefusalTests.Breakage {
    private init(key: String, changes: [String: JSONValue?]) {
        self.key = key
        self.changes = changes
    }

    /// The same change, which shows at another key.
    func naming(_ key: String) -> Self { Self(key: key, changes: changes) }
}

/// A small generator whose sequence is the same everywhere.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}
