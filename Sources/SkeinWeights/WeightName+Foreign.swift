// Names in published files that differ from DeepSeek's: each is read as the name it stands for.

extension WeightName {
    /// Models with eyes keep their language model under this prefix.
    static let languageModelPrefix = "language_model."

    /// What comes before the names of tensors that see; they take no part.
    private static let visionPrefixes = [
        "vision_tower.", "vision_model.", "mm_projector.", "multi_modal_projector.",
        "vision_encoder.", "patch_merger.", "vision_language_adapter.", "pre_mm_projector_norm.",
    ]

    /// Whether a tensor is of the part of a model that sees.
    static func isOfVision(_ storedName: String) -> Bool {
        visionPrefixes.contains { storedName.hasPrefix($0) }
    }

    /// The name that a stored name stands for: without the language model's prefix, and as
    /// DeepSeek names it where Mistral names it otherwise.
    static func canonical(_ storedName: String) -> String {
        var name = storedName
        if name.hasPrefix(languageModelPrefix) {
            name = String(name.dropFirst(languageModelPrefix.count))
            // Some conversions leave out what lies between.
            if name.hasPrefix("layers.") || name.hasPrefix("embed_tokens.") {
                return "model." + name
            }
        }
        return name.hasPrefix("model.") ? name : ofMistral(name) ?? name
    }

    /// Mistral's modules outside of layers.
    private static let mistralModules = [
        "tok_embeddings": "model.embed_tokens", "norm": "model.norm", "output": "lm_head",
    ]

    /// Mistral's modules in layers.
    private static let mistralLayerModules = [
        "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
        "attention.wq": "self_attn.q_proj", "attention.wq_a": "self_attn.q_a_proj",
        "attention.q_a_norm": "self_attn.q_a_layernorm", "attention.wq_b": "self_attn.q_b_proj",
        "attention.wkv_a_with_mqa": "self_attn.kv_a_proj_with_mqa",
        "attention.kv_a_norm": "self_attn.kv_a_layernorm",
        "attention.wkv_b": "self_attn.kv_b_proj", "attention.wo": "self_attn.o_proj",
        "gate": "mlp.gate",
    ]

    /// Mistral's gated units, which may have a number, and their matrices.
    private static let mistralUnits = [
        "feed_forward": "mlp", "experts": "mlp.experts", "shared_experts": "mlp.shared_experts",
    ]
    private static let mistralMatrices = ["w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"]

    /// What a name of Mistral's stands for; `nil` for all other names.
    private static func ofMistral(_ name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return nil }
        let leaf = parts[parts.count - 1]
        guard parts[0] == "layers" else {
            guard parts.count == 2, let module = mistralModules[String(parts[0])] else {
                return nil
            }
            return "\(module).\(leaf)"
        }
        guard parts.count >= 4 else { return nil }
        let inner = parts[2..<(parts.count - 1)]
        let prefix = "model.layers.\(parts[1])."
        if let module = mistralLayerModules[inner.joined(separator: ".")] {
            return "\(prefix)\(module).\(leaf)"
        }
        guard inner.count >= 2, let first = inner.first, let last = inner.last,
            let unit = mistralUnits[String(first)], let matrix = mistralMatrices[String(last)]
        else { return nil }
        let number = inner.dropFirst().dropLast().map { "\($0)." }.joined()
        return "\(prefix)\(unit).\(number)\(matrix).\(leaf)"
    }
}
