import Foundation
import SkeinText

/// A checkpoint that says given chunks, one a token, whatever is asked: parsers, stop rules and
/// streams are tried through the whole server with exact borders.
///
/// Its one layer does nothing. Embedding and head are a chain: the embedding of chunk `i` is the
/// direction in which the head finds chunk `i + 1`, every other token leads to the first chunk, and
/// the last chunk to the end token.
struct ScriptedCheckpoint {
    /// The model's folder; `remove` deletes it.
    let folder: URL

    private static let width = 256
    private static let endToken = 1

    /// Control marks that the bundled model's tokenizer lacks.
    private static let marks: [String: [String]] = [
        "kimi-k2": [
            "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>",
            "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
            "<|tool_call_end|>", "<|tool_call_argument_begin|>",
        ],
        "glm-4.7-flash": [
            "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
            "<|endoftext|>",
        ],
    ]

    /// Writes the folder.
    ///
    /// - Parameters:
    ///   - chunks: The answer; all different, and fewer than 255.
    ///   - format: How conversations are written.
    init(saying chunks: [String], format: ChatFormat) throws {
        precondition(Set(chunks).count == chunks.count && chunks.count < Self.width - 1)
        folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-script-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (script, vocabularySize) = try writeTokenizer(chunks, format.rawValue)
        try write(
            "config.json",
            [
                "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
                "vocab_size": vocabularySize, "hidden_size": Self.width, "intermediate_size": 64,
                "num_hidden_layers": 1, "num_attention_heads": 2, "q_lora_rank": NSNull(),
                "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
                "v_head_dim": 32, "n_routed_experts": NSNull(), "max_position_embeddings": 4_096,
                "rms_norm_eps": 1e-6, "rope_theta": 10_000, "bos_token_id": 0,
                "eos_token_id": Self.endToken, "tie_word_embeddings": false,
                "torch_dtype": "bfloat16", "hidden_act": "silu",
            ])
        try write(
            "tokenizer_config.json",
            [
                "chat_format": format.rawValue, "bos_token": "<｜begin▁of▁sentence｜>",
                "eos_token": "<｜end▁of▁sentence｜>",
            ])
        try Self.safetensors(Self.tensors(script, vocabularySize: vocabularySize))
            .write(to: folder.appending(path: "model.safetensors"))
    }

    func remove() throws { try FileManager.default.removeItem(at: folder) }

    private func write(_ name: String, _ object: [String: Any]) throws {
        try JSONSerialization.data(withJSONObject: object).write(to: folder.appending(path: name))
    }

    /// The bundled model's tokenizer with a token for each chunk.
    private func writeTokenizer(
        _ chunks: [String], _ format: String
    ) throws -> (script: [Int], vocabularySize: Int) {
        let file = URL(filePath: TestServer.gosling).appending(path: "tokenizer.json")
        let read = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        var tokenizer = read as? [String: Any] ?? [:]
        var added = tokenizer["added_tokens"] as? [[String: Any]] ?? []
        let vocabulary = (tokenizer["model"] as? [String: Any])?["vocab"] as? [String: Int] ?? [:]
        var numbers: [String: Int] = [:]
        for entry in added {
            numbers[entry["content"] as? String ?? ""] = entry["id"] as? Int
        }
        var next = 4_096
        func number(_ text: String, isSpecial: Bool) -> Int {
            if let known = numbers[text] ?? vocabulary[text] { return known }
            added.append([
                "id": next, "content": text, "special": isSpecial, "normalized": false,
                "lstrip": false, "rstrip": false, "single_word": false,
            ])
            numbers[text] = next
            next += 1
            return next - 1
        }
        for mark in Self.marks[format] ?? [] { _ = number(mark, isSpecial: true) }
        let script = chunks.map { number($0, isSpecial: false) }
        tokenizer["added_tokens"] = added
        try write("tokenizer.json", tokenizer)
        return (script, next)
    }

    // MARK: - Weights

    /// A tensor in BF16, in the byte order of the file.
    private struct Matrix {
        let name: String
        let shape: [Int]
        private(set) var bytes: [UInt8]

        init(_ name: String, _ rows: Int, _ columns: Int) {
            self.name = name
            shape = [rows, columns]
            bytes = Array(repeating: 0, count: 2 * rows * columns)
        }

        /// A vector of ones, which changes nothing in a norm.
        init(ones name: String, _ count: Int) {
            self.name = name
            shape = [count]
            bytes = Array(repeating: 0, count: 2 * count)
            for place in 0..<count { set(place, 1) }
        }

        mutating func set(_ row: Int, _ column: Int, _ number: Float) {
            set(row * shape[1] + column, number)
        }

        private mutating func set(_ place: Int, _ number: Float) {
            bytes[2 * place] = UInt8(number.bitPattern >> 16 & 0xFF)
            bytes[2 * place + 1] = UInt8(number.bitPattern >> 24)
        }
    }

    private static func tensors(_ script: [Int], vocabularySize: Int) -> [Matrix] {
        var embedding = Matrix("model.embed_tokens.weight", vocabularySize, width)
        var head = Matrix("lm_head.weight", vocabularySize, width)
        for token in 0..<vocabularySize { embedding.set(token, 0, 1) }
        for (index, token) in script.enumerated() {
            embedding.set(token, 0, 0)
            embedding.set(token, index + 1, 1)
        }
        for (index, token) in (script + [endToken]).enumerated() { head.set(token, index, 4) }
        let layer = "model.layers.0."
        return [
            embedding, head, Matrix(ones: "model.norm.weight", width),
            Matrix(ones: layer + "input_layernorm.weight", width),
            Matrix(ones: layer + "post_attention_layernorm.weight", width),
            Matrix(layer + "self_attn.q_proj.weight", 2 * 48, width),
            Matrix(layer + "self_attn.kv_a_proj_with_mqa.weight", 64 + 16, width),
            Matrix(ones: layer + "self_attn.kv_a_layernorm.weight", 64),
            Matrix(layer + "self_attn.kv_b_proj.weight", 2 * 64, 64),
            Matrix(layer + "self_attn.o_proj.weight", width, 2 * 32),
            Matrix(layer + "mlp.gate_proj.weight", 64, width),
            Matrix(layer + "mlp.up_proj.weight", 64, width),
            Matrix(layer + "mlp.down_proj.weight", width, 64),
        ]
    }

    private static func safetensors(_ tensors: [Matrix]) throws -> Data {
        var header: [String: Any] = [:]
        var body = Data()
        for tensor in tensors {
            let start = body.count
            body.append(contentsOf: tensor.bytes)
            header[tensor.name] = [
                "dtype": "BF16", "shape": tensor.shape, "data_offsets": [start, body.count],
            ]
        }
        var text = try JSONSerialization.data(withJSONObject: header)
        text.append(Data(repeating: 0x20, count: (8 - text.count % 8) % 8))
        var file = Data((0..<8).map { UInt8(text.count >> (8 * $0) & 0xFF) })
        file.append(text)
        file.append(body)
        return file
    }
}
