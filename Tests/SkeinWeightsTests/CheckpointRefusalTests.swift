import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("Checkpoint refusals")
struct CheckpointRefusalTests {
    /// A damage to a checkpoint, and what its one line names.
    struct Damage: Sendable, CustomTestStringConvertible {
        let title: String
        let names: [String]
        let apply: @Sendable (inout Draft) -> Void
        var testDescription: String { title }

        init(
            _ title: String, naming names: String...,
            apply: @escaping @Sendable (inout Draft) -> Void
        ) {
            self.title = title
            self.names = names
            self.apply = apply
        }
    }

    static let norm = "model.norm.weight"
    static let down = "model.layers.1.mlp.experts.2.down_proj.weight"
    static let scale = "model.layers.1.mlp.experts.2.down_proj.weight_scale_inv"

    /// A file whose header is this text.
    private static func header(
        _ title: String, naming names: String..., text: String, payload: [UInt8] = []
    ) -> Damage {
        Damage(title) { draft in
            draft.files[Draft.first] = Draft.file(header: text, payload: payload)
        }.naming([Draft.first] + names)
    }

    static let headerDamages: [Damage] = [
        header("header is no JSON", naming: "header", text: "{\"a\""),
        header("header is a list", naming: "header", text: "[]"),
        header("header is empty", naming: "header", text: ""),
        header("tensor is a number", naming: "odd", text: #"{"odd": 3}"#),
        header("dtype is missing", naming: "odd", "dtype", text: #"{"odd": {"shape": []}}"#),
        header(
            "dtype is unknown", naming: "odd", "F6_E9",
            text: #"{"odd": {"dtype": "F6_E9", "shape": [1], "data_offsets": [0, 1]}}"#,
            payload: [0]),
        header(
            "shape is missing", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "U8", "data_offsets": [0, 1]}}"#, payload: [0]),
        header(
            "shape is negative", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}"#,
            payload: [0]),
        header(
            "shape is a fraction", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "U8", "shape": [1.0], "data_offsets": [0, 1]}}"#, payload: [0]
        ),
        header(
            "shape is a truth value", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "U8", "shape": [true], "data_offsets": [0, 1]}}"#,
            payload: [0]),
        header(
            "shape overflows", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "F32", "shape": [4611686018427387904, 16], "#
                + #""data_offsets": [0, 0]}}"#),
        header(
            "shape has too many dimensions", naming: "odd", "shape",
            text: #"{"odd": {"dtype": "U8", "shape": [1,1,1,1,1,1,1,1,1], "#
                + #""data_offsets": [0, 1]}}"#, payload: [0]),
        header(
            "shape disagrees with offsets", naming: "odd", "data_offsets",
            text: #"{"odd": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 4]}}"#,
            payload: [0, 0, 0, 0]),
        header(
            "offsets are missing", naming: "odd", "data_offsets",
            text: #"{"odd": {"dtype": "U8", "shape": [1]}}"#, payload: [0]),
        header(
            "offsets are one", naming: "odd", "data_offsets",
            text: #"{"odd": {"dtype": "U8", "shape": [1], "data_offsets": [1]}}"#, payload: [0]),
        header(
            "offsets are backwards", naming: "odd", "data_offsets",
            text: #"{"odd": {"dtype": "U8", "shape": [0], "data_offsets": [1, 0]}}"#, payload: [0]),
        header(
            "offsets are beyond the file", naming: "odd", "truncated",
            text: #"{"odd": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}"#, payload: [0]),
        header(
            "offsets are near the largest number", naming: "odd", "truncated",
            text: #"{"odd": {"dtype": "U8", "shape": [0], "data_offsets": "#
                + #"[9223372036854775807, 9223372036854775807]}}"#, payload: [0]),
        header(
            "tensors overlap", naming: "b", "overlap",
            text: #"{"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, "#
                + #""b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}"#,
            payload: [0, 0, 0]),
        header(
            "bytes lie between tensors", naming: "b", "belong to no tensor",
            text: #"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "#
                + #""b": {"dtype": "U8", "shape": [1], "data_offsets": [2, 3]}}"#,
            payload: [0, 0, 0]),
        header(
            "bytes lie after the last tensor", naming: "belong to no tensor",
            text: #"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}"#,
            payload: [0, 0]),
        header(
            "a name stands there twice", naming: "header", "twice",
            text: #"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "#
                + #""a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}"#, payload: [0]),
        header("metadata is a list", naming: "__metadata__", text: #"{"__metadata__": []}"#),
        header(
            "metadata holds a number", naming: "__metadata__",
            text: #"{"__metadata__": {"a": 1}}"#),
        Damage("file is empty", naming: Draft.first) { $0.files[Draft.first] = .some([]) },
        Damage("file ends in the length", naming: Draft.first) {
            $0.files[Draft.first] = .some([1, 0, 0])
        },
        Damage("header is longer than the file", naming: Draft.first, "truncated") {
            $0.files[Draft.first] = .some([200, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D])
        },
        Damage("header is absurdly long", naming: Draft.first, "18446744073709551615") {
            $0.files[Draft.first] = .some(Array(repeating: 255, count: 64))
        },
        Damage("data is cut off", naming: Draft.first, "truncated") { draft in
            let bytes = Draft.safetensors(draft.shards[Draft.first] ?? [:])
            draft.files[Draft.first] = Array(bytes.dropLast(10))
        },
    ]

    static let tensorDamages: [Damage] = [
        Damage("norm is missing", naming: Draft.index, norm) { $0.remove(norm) },
        Damage("expert is missing", naming: Draft.index, down) { $0.remove(down) },
        Damage("scales are missing", naming: Draft.index, scale, "scales of") { $0.remove(scale) },
        Damage("norm has another length", naming: Draft.first, norm, "[9]", "[10]") {
            $0.change(norm) { $0 = DraftTensor("BF16", [9], Array(repeating: 0, count: 18)) }
        },
        Damage("norm is a matrix", naming: Draft.first, norm, "[10, 1]") {
            $0.change(norm) { $0.shape = [10, 1] }
        },
        Damage("weight is transposed", naming: Draft.first, down, "[6, 10]") {
            $0.change(down) { $0.shape.reverse() }
        },
        Damage("scales have another shape", naming: Draft.second, scale, "[2, 3]", "[3, 2]") {
            $0.change(scale) { $0.shape.reverse() }
        },
        Damage("scales are for whole blocks only", naming: Draft.second, scale, "[2, 1]") {
            $0.change(scale) { $0 = DraftTensor("F32", [2, 1], Array(repeating: 0, count: 8)) }
        },
        Damage("scales are integers", naming: Draft.second, scale, "I32") {
            $0.change(scale) { $0.type = "I32" }
        },
        Damage("a scale is no number", naming: Draft.second, scale, "not finite") {
            $0.change(scale) { $0.bytes.replaceSubrange(4..<8, with: [0, 0, 0xC0, 0x7F]) }
        },
        Damage("a UE8M0 scale is no number", naming: Draft.second, scale, "not finite") {
            $0.change(scale) { $0 = DraftTensor("U8", [3, 2], [127, 127, 255, 127, 127, 127]) }
        },
        Damage("a norm holds an infinity", naming: Draft.first, norm, "not finite") {
            $0.change(norm) { $0.bytes.replaceSubrange(0..<2, with: [0x80, 0x7F]) }
        },
        Damage("norm is FP8", naming: Draft.first, norm, "F8_E4M3") {
            $0.change(norm) { $0 = DraftTensor("F8_E4M3", [10], Array(repeating: 0, count: 10)) }
        },
        Damage("gate is FP8", naming: Draft.first, "mlp.gate.weight", "F8_E4M3") {
            $0.change("model.layers.1.mlp.gate.weight") {
                $0 = DraftTensor("F8_E4M3", [4, 10], Array(repeating: 0, count: 40))
            }
        },
        Damage("weight is F16", naming: Draft.first, down, "F16") {
            $0.change(down) { $0 = DraftTensor("F16", [10, 6], Array(repeating: 0, count: 120)) }
        },
        Damage("weights are FP8 against the configuration", naming: "quantization_config") {
            $0.configuration["quantization_config"] = nil
        },
        Damage("another block size", naming: Draft.second, "scale_inv") {
            $0.configuration["quantization_config"] = .object([
                "quant_method": .string("fp8"),
                "weight_block_size": .array([.integer(8), .integer(4)]),
            ])
        },
        Damage("another vocabulary", naming: Draft.first, "embed_tokens", "[13, 10]") {
            $0.configuration["vocab_size"] = .integer(13)
        },
        Damage("more layers than files have", naming: Draft.index, "model.layers.2.") {
            $0.configuration["num_hidden_layers"] = .integer(3)
        },
        Damage("the same tensor under two prefixes", naming: Draft.index, norm, "second time") {
            $0.add("language_model.\(norm)", DraftTensor("U8", [0], []))
        },
    ]

    static let indexDamages: [Damage] = [
        Damage("index is no JSON", naming: Draft.index, "not valid JSON") {
            $0.files[Draft.index] = Array("{,".utf8)
        },
        Damage("index is a list", naming: Draft.index) { $0.files[Draft.index] = Array("[]".utf8) },
        Damage("index has no map", naming: Draft.index, "weight_map") {
            $0.files[Draft.index] = Array("{}".utf8)
        },
        Damage("index maps nothing", naming: Draft.index, "weight_map") {
            $0.files[Draft.index] = Array("{\"weight_map\": {}}".utf8)
        },
        Damage("index maps to a number", naming: Draft.index, norm) {
            $0.indexChanges[norm] = .integer(1)
        },
        Damage("index names a tensor twice", naming: Draft.index, "twice") {
            $0.files[Draft.index] = Array(#"{"weight_map": {"a": "b", "a": "b"}}"#.utf8)
        },
        Damage("index names a missing shard", naming: Draft.index, "absent.safetensors") {
            $0.indexChanges[norm] = .string("absent.safetensors")
        },
        Damage("index names the wrong shard", naming: Draft.index, norm, Draft.second) {
            $0.indexChanges[norm] = .string(Draft.second)
        },
        Damage("index leads up", naming: Draft.index, norm, "../") {
            $0.indexChanges[norm] = .string("../model.safetensors")
        },
        Damage("index leads to the root", naming: Draft.index, norm, "/etc/passwd") {
            $0.indexChanges[norm] = .string("/etc/passwd")
        },
        Damage("index leads to the folder", naming: Draft.index, norm) {
            $0.indexChanges[norm] = .string("..")
        },
        Damage("index names nothing", naming: Draft.index, norm) {
            $0.indexChanges[norm] = .string("")
        },
        Damage("index hides a zero byte", naming: Draft.index, norm) {
            $0.indexChanges[norm] = .string("model\u{0}.safetensors")
        },
        Damage("index does not name a tensor", naming: Draft.index, norm, "missing") {
            $0.indexChanges.updateValue(nil, forKey: norm)
        },
        Damage("configuration is no JSON", naming: "config.json", "not valid JSON") {
            $0.files["config.json"] = Array("hello".utf8)
        },
        Damage("configuration is empty", naming: "config.json") {
            $0.files["config.json"] = .some([])
        },
        Damage("configuration lacks a key", naming: "config.json: hidden_size", "missing") {
            $0.configuration["hidden_size"] = nil
        },
    ]

    @Test(arguments: headerDamages + tensorDamages + indexDamages)
    func aDamagedCheckpointIsRefusedInOneLine(_ damage: Damage) throws {
        let folder = try TemporaryFolder()
        var draft = try Draft()
        damage.apply(&draft)
        try draft.write(to: folder)
        let refusal = #expect(throws: Refusal.self) { try readWhole(folder.path) }
        let line = try #require(refusal).description
        for name in damage.names { #expect(line.contains(name), "\(name) is not in: \(line)") }
        #expect(line.hasPrefix(folder.path))
        #expect(!line.contains("\n"))
    }

    /// Four hundred seeded damages to the bytes of any file: a checkpoint or one line, no trap.
    @Test func randomDamageToAnyFileNeverTraps() throws {
        let folder = try TemporaryFolder()
        try Draft().write(to: folder)
        let names = [Draft.first, Draft.second, Draft.index, "config.json"]
        let originals = try names.map {
            Array(try Data(contentsOf: URL(fileURLWithPath: folder.path($0))))
        }
        var random = SeededNumbers(state: 17)
        var acceptedCount = 0
        for round in 0..<400 {
            let file = round % names.count
            var bytes = originals[file]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // Safetensors files are mostly header here; what comes after is numbers.
                let place = Int.random(in: 0..<min(bytes.count, 6_000), using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] = UInt8.random(in: 0x30...0x39, using: &random)
                default: bytes.remove(at: place)
                }
            }
            try folder.write(bytes, to: names[file])
            do {
                try readWhole(folder.path)
                acceptedCount += 1
            } catch let refusal as Refusal {
                #expect(!refusal.description.contains("\n"))
            }
            try folder.write(originals[file], to: names[file])
        }
        #expect(acceptedCount > 0)
    }

    @Test func theUndamagedCheckpointIsRead() throws {
        let folder = try TemporaryFolder()
        try Draft().write(to: folder)
        try readWhole(folder.path)
    }
}

extension CheckpointRefusalTests.Damage {
    private init(
        title: String, names: [String], apply: @escaping @Sendable (inout Draft) -> Void
    ) {
        self.title = title
        self.names = names
        self.apply = apply
    }

    /// The same damage with other names in its line.
    func naming(_ names: [String]) -> Self { Self(title: title, names: names, apply: apply) }
}
