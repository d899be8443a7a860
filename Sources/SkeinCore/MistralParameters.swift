/// Mistral's own `params.json`, read under the names of `config.json`.
///
/// Of the models that are published so, only Mistral Large 3 has the architecture of DeepSeek.
struct MistralParameters {
    /// The values under the names of `config.json`.
    let fields: [String: JSONValue]
    /// How the file spells those names.
    let spellings: [String: String]

    /// A name of the file beside that of `config.json`.
    private typealias Spelling = (theirs: String, ours: String)

    private static let outer: [Spelling] = [
        ("dim", "hidden_size"), ("n_layers", "num_hidden_layers"),
        ("n_heads", "num_attention_heads"), ("hidden_dim", "intermediate_size"),
        ("vocab_size", "vocab_size"), ("rope_theta", "rope_theta"), ("norm_eps", "rms_norm_eps"),
        ("tied_embeddings", "tie_word_embeddings"), ("q_lora_rank", "q_lora_rank"),
        ("kv_lora_rank", "kv_lora_rank"), ("qk_nope_head_dim", "qk_nope_head_dim"),
        ("qk_rope_head_dim", "qk_rope_head_dim"), ("v_head_dim", "v_head_dim"),
        ("llama_4_scaling", "llama_4_scaling"), ("quantization_config", "quantization_config"),
    ]

    private static let mixture: [Spelling] = [
        ("num_experts", "n_routed_experts"), ("num_experts_per_tok", "num_experts_per_tok"),
        ("num_shared_experts", "n_shared_experts"), ("routed_scale", "routed_scaling_factor"),
        ("expert_hidden_dim", "moe_intermediate_size"),
        ("first_k_dense_replace", "first_k_dense_replace"),
    ]

    private static let yarn: [Spelling] = [
        ("factor", "factor"), ("beta", "beta_fast"), ("alpha", "beta_slow"),
        ("original_max_position_embeddings", "original_max_position_embeddings"),
    ]

    /// Whether an object is such a file: it names the width as it does, and no type.
    static func describes(_ fields: [String: JSONValue]) -> Bool {
        fields["dim"] != nil && fields["model_type"] == nil && fields["hidden_size"] == nil
            && fields["text_config"] == nil
    }

    /// Takes a file's values; whatever is no number of it is left out.
    init(_ reader: ConfigurationReader) throws(Refusal) {
        guard try reader.value(["kv_lora_rank"]) != nil, let moe = try reader.object("moe") else {
            throw reader.refusal(
                "kv_lora_rank",
                "expected it and moe: of the models with a params.json, Skein runs Mistral Large 3")
        }
        try Self.check(reader, moe: moe)
        var fields: [String: JSONValue] = [
            "model_type": .string(ModelConfiguration.Family.mistralLarge3.rawValue),
            // The ids of <s> and </s> in all of Mistral's tekken.json; params.json names none.
            "bos_token_id": .integer(1), "eos_token_id": .integer(2),
        ]
        var spellings: [String: String] = [:]
        for name in Self.outer {
            fields[name.ours] = reader.fields[name.theirs]
            spellings[name.ours] = name.theirs
        }
        for name in Self.mixture {
            fields[name.ours] = moe.fields[name.theirs]
            spellings[name.ours] = "moe: \(name.theirs)"
        }
        let positions =
            try reader.value(["max_position_embeddings"]) == nil
            ? "max_seq_len" : "max_position_embeddings"
        fields["max_position_embeddings"] = reader.fields[positions]
        spellings["max_position_embeddings"] = positions
        if let section = try reader.object("yarn") {
            try section.expect("apply_scale", .bool(false))
            // Frequencies alone are stretched: cosines and sines are multiplied by one.
            var yarn: [String: JSONValue] = [
                "type": .string("yarn"), "attention_factor": .integer(1),
            ]
            for name in Self.yarn {
                yarn[name.ours] = section.fields[name.theirs]
                spellings[name.ours] = name.theirs
            }
            fields["rope_scaling"] = .object(yarn)
            spellings["rope_scaling"] = "yarn"
        }
        self.fields = fields
        self.spellings = spellings
    }

    /// Refuses what says something else than the model that is known.
    private static func check(
        _ reader: ConfigurationReader, moe: ConfigurationReader
    ) throws(Refusal) {
        for key in ["num_expert_groups", "num_expert_groups_per_tok", "route_every_n"] {
            try moe.expect(key, .integer(1))
        }
        let sizes = 1...Limits.headSizeMax
        let width =
            try reader.integer("qk_nope_head_dim", in: sizes)
            + reader.integer("qk_rope_head_dim", in: sizes)
        let stated = try reader.integer(
            "head_dim", in: 1...2 * Limits.headSizeMax, default: width)
        guard stated == width else {
            throw reader.refusal(
                "head_dim", "expected qk_nope_head_dim + qk_rope_head_dim, which is \(width)")
        }
    }
}
