// Folders and checkpoints that the tests of this room share.

import Foundation
import SkeinCore
import SkeinTensor

@testable import SkeinWeights

/// The golden files of the repository.
enum Golden {
    static let oracle = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/oracle")

    static let oracleCases = [
        "v2lite", "v2", "v3", "v3fp8", "v3fp8_ue8m0", "v32", "kimi", "glm4_moe_lite", "glm5",
        "glm5_2", "glm5_2_fp8", "kimi_k25_int4", "kimi_k2_thinking_int4", "mistral_large3",
    ]

    /// Those with a `config.json`, which synthetic checkpoints follow.
    static let configured = oracleCases.filter { $0 != "mistral_large3" }

    static func folder(_ name: String) -> String { oracle.appendingPathComponent(name).path }
}

/// A folder that goes when the test goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("skein-weights-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch {}
    }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }
}

/// A tensor that a test puts into a file.
struct DraftTensor {
    var type: String
    var shape: [Int]
    var bytes: [UInt8]
    /// Written instead of the true offsets where a test lies about them.
    var offsets: [Int]?

    init(_ type: String, _ shape: [Int], _ bytes: [UInt8], offsets: [Int]? = nil) {
        self.type = type
        self.shape = shape
        self.bytes = bytes
        self.offsets = offsets
    }
}

/// A small valid FP8 checkpoint in two shards, which tests damage before it is written.
struct Draft {
    var configuration: [String: JSONValue]
    /// Shards by name, tensors by name.
    var shards: [String: [String: DraftTensor]]
    /// What the index says beside the truth; `nil` removes a name.
    var indexChanges: [String: JSONValue?] = [:]
    /// Whole files instead of what would be written, `nil` for none.
    var files: [String: [UInt8]?] = [:]

    static let first = "model-00001-of-000002.safetensors"
    static let second = "model-00002-of-000002.safetensors"
    static let index = "model.safetensors.index.json"

    static let fields: [String: JSONValue] = [
        "model_type": .string("deepseek_v3"), "vocab_size": .integer(12),
        "hidden_size": .integer(10), "intermediate_size": .integer(9),
        "moe_intermediate_size": .integer(6), "num_hidden_layers": .integer(2),
        "num_attention_heads": .integer(2), "q_lora_rank": .integer(5),
        "kv_lora_rank": .integer(6), "qk_nope_head_dim": .integer(3),
        "qk_rope_head_dim": .integer(2), "v_head_dim": .integer(3),
        "n_routed_experts": .integer(4), "n_shared_experts": .integer(1),
        "num_experts_per_tok": .integer(2), "n_group": .integer(2), "topk_group": .integer(1),
        "first_k_dense_replace": .integer(1), "eos_token_id": .integer(1),
        "quantization_config": .object([
            "quant_method": .string("fp8"),
            "weight_block_size": .array([.integer(4), .integer(4)]),
        ]),
    ]

    /// Weights lie in the first shard and all scales in the second.
    init(fields: [String: JSONValue] = Draft.fields) throws {
        configuration = fields
        shards = [Self.first: [:], Self.second: [:]]
        let synthetic = try SyntheticCheckpoint(
            json: Array(JSONValue.object(fields).text.utf8), subject: "draft", seed: 3)
        let numbers = SyntheticNumbers(seed: 3)
        for tensor in synthetic.tensors().joined() {
            let isScale = tensor.name.hasSuffix("_scale_inv")
            shards[isScale ? Self.second : Self.first, default: [:]][tensor.name] = DraftTensor(
                tensor.elementType.safetensorsName, tensor.shape,
                numbers.bytes(tensor.kind, of: tensor.source, in: 0..<tensor.elementCount))
        }
    }

    /// The shard that holds a tensor.
    func shard(of name: String) -> String {
        shards.first { $0.value[name] != nil }?.key ?? Self.first
    }

    mutating func change(_ name: String, _ body: (inout DraftTensor) -> Void) {
        guard var tensor = shards[shard(of: name)]?[name] else { fatalError("no \(name)") }
        body(&tensor)
        shards[shard(of: name)]?[name] = tensor
    }

    mutating func remove(_ name: String) { shards[shard(of: name)]?[name] = nil }

    mutating func add(_ name: String, _ tensor: DraftTensor, to shard: String = Draft.first) {
        shards[shard, default: [:]][name] = tensor
    }

    /// Writes everything; returns the folder.
    func write(to folder: TemporaryFolder) throws {
        var map: [String: JSONValue] = [:]
        var contents: [String: [UInt8]] = [:]
        for (shard, tensors) in shards {
            contents[shard] = Self.safetensors(tensors)
            for name in tensors.keys { map[name] = .string(shard) }
        }
        for (name, value) in indexChanges { map[name] = value }
        let index = JSONValue.object(["metadata": .object([:]), "weight_map": .object(map)])
        contents[Self.index] = Array(index.text.utf8)
        contents["config.json"] = Array(JSONValue.object(configuration).text.utf8)
        for (name, bytes) in files { contents[name] = bytes }
        for (name, bytes) in contents { try folder.write(bytes, to: name) }
    }

    /// The bytes of one safetensors file, tensors in the order of their names, without padding.
    static func safetensors(_ tensors: [String: DraftTensor]) -> [UInt8] {
        var fields: [String: JSONValue] = ["__metadata__": .object(["format": .string("pt")])]
        var bytes: [UInt8] = []
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let offsets = tensor.offsets ?? [bytes.count, bytes.count + tensor.bytes.count]
            fields[name] = .object([
                "dtype": .string(tensor.type), "shape": .array(tensor.shape.map(JSONValue.integer)),
                "data_offsets": .array(offsets.map(JSONValue.integer)),
            ])
            bytes += tensor.bytes
        }
        return file(header: JSONValue.object(fields).text, payload: bytes)
    }

    static func file(header: String, payload: [UInt8]) -> [UInt8] {
        let count = header.utf8.count
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
            + Array(header.utf8) + payload
    }
}

/// Opens a folder and reads every tensor of the main model out of it.
@discardableResult
func readWhole(_ folder: String) throws -> Checkpoint {
    let checkpoint = try Checkpoint.open(folder)
    let plan = WeightPlan.whole(checkpoint.configuration)
    try checkpoint.verify(plan)
    for requirement in plan.requirements {
        if requirement.shape.count == 1 {
            _ = try checkpoint.vector(requirement.name, count: requirement.shape[0])
        } else {
            _ = try checkpoint.matrix(
                requirement.name, rows: requirement.shape[0], columns: requirement.shape[1])
        }
    }
    return checkpoint
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
