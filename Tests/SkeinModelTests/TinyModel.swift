import Foundation
import SkeinCore
import SkeinTensor
import SkeinWeights

/// Two dense and two MoE layers, eight experts in four groups, a vocabulary of 64: every feature of
/// the architecture in a few milliseconds.
struct TinyModel {
    let folder: String

    static let configuration = """
        {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
        "vocab_size": 64, "hidden_size": 48, "intermediate_size": 80, "moe_intermediate_size": 24,
        "num_hidden_layers": 4, "first_k_dense_replace": 2, "num_attention_heads": 3,
        "q_lora_rank": 20, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8,
        "v_head_dim": 10, "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
        "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
        "norm_topk_prob": true, "routed_scaling_factor": 2.5, "rope_theta": 10000,
        "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 32,
        "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0},
        "max_position_embeddings": 1280, "rms_norm_eps": 1e-6, "num_nextn_predict_layers": 1,
        "bos_token_id": 0, "eos_token_id": 1}
        """

    /// Makes it a model of sparse attention.
    static let sparse = (
        #""model_type": "deepseek_v3","#,
        #""model_type": "deepseek_v32", "index_n_heads": 5, "index_head_dim": 16, "#
            + #""index_topk": 24,"#
    )

    /// Writes the model to a folder of its own and removes it afterwards.
    static func with<R>(
        _ format: SyntheticCheckpoint.Format, changing changes: [(String, String)] = [],
        _ body: (Checkpoint) throws -> R
    ) async throws -> R {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("skein-tiny-\(UUID().uuidString)")
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch {
                print("left behind: \(folder.path)")
            }
        }
        var json = configuration
        for (old, new) in changes {
            precondition(json.contains(old), "no \(old) in the tiny configuration")
            json = json.replacingOccurrences(of: old, with: new)
        }
        try await SyntheticCheckpoint(
            json: Array(json.utf8), subject: "tiny", format: format, seed: 7
        ).write(to: folder.path)
        return try body(Checkpoint.open(folder.path))
    }

    /// The same model with its multiplying matrices made INT8.
    static func int8(of checkpoint: Checkpoint, threadCount: Int) throws -> Checkpoint {
        try checkpoint.loaded(
            .whole(checkpoint.configuration), as: .int8, on: ComputePool(threadCount: threadCount),
            onProgress: { _, _ in })
    }
}
