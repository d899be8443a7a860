/// The published names of all tensors (specification section 2), in one place.
public enum WeightName {
    /// Token embedding, `[vocabulary, hidden]`.
    public static let embedding = "model.embed_tokens.weight"

    /// The norm before the head, `[hidden]`.
    public static let finalNorm = "model.norm.weight"

    /// The head, `[vocabulary, hidden]`.
    public static let head = "lm_head.weight"

    /// The names inside a layer; multi-token-prediction layers follow the main ones.
    public static func layer(_ layer: Int) -> LayerWeightNames { LayerWeightNames(layer: layer) }

    /// The name of the scales of an FP8 weight as DeepSeek publishes it.
    public static func scale(of weight: String) -> String { weight + scaleEndings[0] }

    /// What follows a weight's name in the name of its scales; all of them multiply, "inv" or not.
    static let scaleEndings = ["_scale_inv", "_scale"]

    /// What follows a weight's name where it is INT4: its codes, eight in a word; one scale for
    /// each group of a row, as `_scale`; and its rows and columns.
    static let packedEnding = "_packed"
    static let packedScaleEnding = "_scale"
    static let packedShapeEnding = "_shape"

    /// The matrices that no published checkpoint quantises, by the ends of their names.
    private static let plainEndings = [
        "embed_tokens.weight", "lm_head.weight", "shared_head.head.weight", "mlp.gate.weight",
        "eh_proj.weight", "indexer.weights_proj.weight",
    ]

    /// Whether a matrix may be FP8; the gate, for one, is multiplied in F32 and may not.
    static func isQuantizable(_ name: String) -> Bool {
        !plainEndings.contains { name.hasSuffix($0) }
    }

    /// Whether a quantizable matrix always multiplies with its own numbers.
    static func keepsItsNumbers(_ name: String) -> Bool {
        isLatentUp(name) || isOfIndexer(name)
    }

    /// Whether a tensor is a part of a layer's indexer.
    static func isOfIndexer(_ name: String) -> Bool { name.contains(".indexer.") }

    /// Whether a matrix is the latents' up-projection, whose heads multiply by themselves.
    static func isLatentUp(_ name: String) -> Bool { name.hasSuffix("kv_b_proj.weight") }

}

/// The names of the three matrices of a gated unit: `down(silu(gate x) * (up x))`.
public struct GatedUnitNames: Hashable, Sendable {
    /// The matrix whose output goes through silu, `[intermediate, hidden]`.
    public let gate: String

    /// The matrix beside it, `[intermediate, hidden]`.
    public let up: String

    /// The way back, `[hidden, intermediate]`.
    public let down: String

    init(prefix: String) {
        gate = prefix + ".gate_proj.weight"
        up = prefix + ".up_proj.weight"
        down = prefix + ".down_proj.weight"
    }
}

/// The names of one layer's tensors.
public struct LayerWeightNames: Hashable, Sendable {
    /// The layer's number as in the names.
    public let layer: Int

    private func name(_ part: String) -> String { "model.layers.\(layer).\(part)" }

    /// The norm before attention.
    public var inputNorm: String { name("input_layernorm.weight") }
    /// The norm before the MLP or the experts.
    public var postAttentionNorm: String { name("post_attention_layernorm.weight") }

    /// Queries at once, where there is no query latent.
    public var query: String { name("self_attn.q_proj.weight") }
    /// Down to the query latent.
    public var queryDown: String { name("self_attn.q_a_proj.weight") }
    /// Norm of the query latent.
    public var queryNorm: String { name("self_attn.q_a_layernorm.weight") }
    /// From the query latent up to the heads.
    public var queryUp: String { name("self_attn.q_b_proj.weight") }
    /// Down to the latent and the rope key.
    public var latentDown: String { name("self_attn.kv_a_proj_with_mqa.weight") }
    /// Norm of the latent.
    public var latentNorm: String { name("self_attn.kv_a_layernorm.weight") }
    /// From the latent up to keys and values of the heads.
    public var latentUp: String { name("self_attn.kv_b_proj.weight") }
    /// From the heads back to the residual.
    public var attentionOutput: String { name("self_attn.o_proj.weight") }

    /// The MLP of a dense layer.
    public var dense: GatedUnitNames { GatedUnitNames(prefix: name("mlp")) }
    /// The gate of a MoE layer.
    public var gate: String { name("mlp.gate.weight") }
    /// The bias that steers the choice of experts and not their weights.
    public var gateBias: String { name("mlp.gate.e_score_correction_bias") }
    /// One routed expert.
    public func expert(_ index: Int) -> GatedUnitNames {
        GatedUnitNames(prefix: name("mlp.experts.\(index)"))
    }
    /// The shared experts, one unit for all.
    public var shared: GatedUnitNames { GatedUnitNames(prefix: name("mlp.shared_experts")) }

    /// The indexer's queries from the query latent (V3.2).
    public var indexerQuery: String { name("self_attn.indexer.wq_b.weight") }
    /// The indexer's only key.
    public var indexerKey: String { name("self_attn.indexer.wk.weight") }
    /// Factor of the indexer's key norm.
    public var indexerKeyNorm: String { name("self_attn.indexer.k_norm.weight") }
    /// Bias of the indexer's key norm.
    public var indexerKeyNormBias: String { name("self_attn.indexer.k_norm.bias") }
    /// Weights of the indexer's heads.
    public var indexerHeadWeights: String { name("self_attn.indexer.weights_proj.weight") }

    /// Norm of the token's embedding in a multi-token-prediction layer.
    public var predictionEmbeddingNorm: String { name("enorm.weight") }
    /// Norm of the incoming hidden state in a multi-token-prediction layer.
    public var predictionHiddenNorm: String { name("hnorm.weight") }
    /// From both, side by side, back to the residual's width.
    public var predictionProjection: String { name("eh_proj.weight") }
    /// The own final norm of a multi-token-prediction layer.
    public var predictionFinalNorm: String { name("shared_head.norm.weight") }
    /// A copy of the embedding, never read.
    public var predictionEmbeddingCopy: String { name("embed_tokens.weight") }
    /// A copy of the head, never read.
    public var predictionHeadCopy: String { name("shared_head.head.weight") }

    /// Gate and up matrices of all experts in one tensor, `[expert, 2 * intermediate, hidden]`.
    var fusedGateUp: String { name("mlp.experts.gate_up_proj") }
    /// Down matrices of all experts in one tensor, `[expert, hidden, intermediate]`.
    var fusedDown: String { name("mlp.experts.down_proj") }
}

/// Where a routed expert's matrix lies in a re-exported file that fuses all experts of a layer.
struct FusedExpertName {
    /// Which of the three matrices.
    enum Part {
        case gate, up, down
    }

    let layer: Int
    let expert: Int
    let part: Part

    /// Takes `model.layers.3.mlp.experts.7.up_proj.weight` apart; `nil` for all other names.
    init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 8, parts[0] == "model", parts[1] == "layers", parts[3] == "mlp",
            parts[4] == "experts", parts[7] == "weight", let layer = Int(parts[2]),
            let expert = Int(parts[5]), layer >= 0, expert >= 0
        else { return nil }
        switch parts[6] {
        case "gate_proj": part = .gate
        case "up_proj": part = .up
        case "down_proj": part = .down
        default: return nil
        }
        self.layer = layer
        self.expert = expert
    }

    /// The fused tensor's name.
    var fusedName: String {
        let names = WeightName.layer(layer)
        return part == .down ? names.fusedDown : names.fusedGateUp
    }
}
