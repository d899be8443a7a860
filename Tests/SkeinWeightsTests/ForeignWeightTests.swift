import Foundation
import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinWeights

/// Names and forms of weights that differ from DeepSeek's.
@Suite struct ForeignWeightTests {
    @Test(arguments: [
        ("language_model.model.layers.0.mlp.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("language_model.layers.0.mlp.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("tok_embeddings.weight", "model.embed_tokens.weight"),
        ("norm.weight", "model.norm.weight"), ("output.weight", "lm_head.weight"),
        (
            "layers.7.attention.wkv_b.weight_scale",
            "model.layers.7.self_attn.kv_b_proj.weight_scale"
        ),
        ("layers.7.ffn_norm.weight", "model.layers.7.post_attention_layernorm.weight"),
        ("layers.7.gate.weight", "model.layers.7.mlp.gate.weight"),
        ("layers.7.feed_forward.w1.weight", "model.layers.7.mlp.gate_proj.weight"),
        ("layers.7.experts.12.w2.weight", "model.layers.7.mlp.experts.12.down_proj.weight"),
        ("layers.7.shared_experts.w3.weight", "model.layers.7.mlp.shared_experts.up_proj.weight"),
        ("layers.7.experts.12.w4.weight", "layers.7.experts.12.w4.weight"),
        ("layers.7", "layers.7"), ("layers", "layers"), ("layers.7.w1.x", "layers.7.w1.x"),
        ("model.norm.weight", "model.norm.weight"), ("", ""), (".", "."),
    ])
    func namesAreReadAsTheOnesTheyStandFor(stored: String, name: String) {
        #expect(WeightName.canonical(stored) == name)
    }

    @Test(arguments: [("kimi_k25_int4", true), ("mistral_large3", true), ("kimi", false)])
    func tensorsThatSeeAreLeftAlone(name: String, isSeeing: Bool) throws {
        let checkpoint = try Checkpoint.open(Golden.folder(name))
        #expect((checkpoint.visionTensorCount > 0) == isSeeing)
        let names = checkpoint.tensorNames
        #expect(names.allSatisfy { $0.hasPrefix("model.") || $0 == "lm_head.weight" })
    }

    // MARK: INT4

    private static let gate = "model.layers.1.mlp.experts.2.gate_proj.weight"
    private static let down = "model.layers.1.mlp.experts.2.down_proj.weight"

    /// Experts in INT4 whose rows end in a group of 8 columns.
    private func int4(
        _ changes: [String: JSONValue] = [:], _ change: (inout Draft) -> Void = { _ in }
    ) throws -> TemporaryFolder {
        var fields = Draft.fields
        fields["hidden_size"] = .integer(40)
        fields["moe_intermediate_size"] = .integer(16)
        fields["quantization_config"] = .object([
            "quant_method": .string("compressed-tensors"), "format": .string("pack-quantized"),
            "config_groups": .object([
                "group_0": .object([
                    "weights": .object([
                        "num_bits": .integer(4), "type": .string("int"),
                        "strategy": .string("group"), "group_size": .integer(32),
                    ])
                ])
            ]),
        ])
        for (key, value) in changes { fields[key] = value }
        var draft = try Draft(fields: fields)
        change(&draft)
        let folder = try TemporaryFolder()
        try draft.write(to: folder)
        return folder
    }

    @Test func aCodeTimesTheScaleOfItsGroupIsTheValue() throws {
        var (codes, scales): ([UInt8], [UInt8]) = ([], [])
        let folder = try int4 { draft in
            codes = draft.shards[Draft.first]?[Self.gate + "_packed"]?.bytes ?? []
            scales = draft.shards[Draft.first]?[Self.gate + "_scale"]?.bytes ?? []
        }
        let matrix = try Checkpoint.open(folder.path).matrix(Self.gate, rows: 16, columns: 40)
        #expect(codes.count == 16 * 20 && scales.count == 16 * 2 * 2)
        for row in 0..<16 {
            let decoded = matrix.decodedRow(row)
            for column in 0..<40 {
                let byte = codes[row * 20 + column / 2]
                let code = Int(column.isMultiple(of: 2) ? byte & 15 : byte >> 4) - 8
                let place = 2 * (row * 2 + column / 32)
                let bits = UInt32(scales[place]) << 16 | UInt32(scales[place + 1]) << 24
                #expect(decoded[column] == Float(code) * Float(bitPattern: bits))
            }
        }
    }

    /// Rows of 168 columns have a group of 128, and one of 40 that is two of the kernels'.
    @Test func widerGroupsAreReadInPartsOf32() throws {
        var fields = Draft.fields
        fields["hidden_size"] = .integer(168)
        fields["moe_intermediate_size"] = .integer(16)
        fields["quantization_config"] = .object([
            "quant_method": .string("compressed-tensors"), "format": .string("pack-quantized"),
            "config_groups": .object([
                "group_0": .object([
                    "weights": .object([
                        "num_bits": .integer(4), "type": .string("int"),
                        "strategy": .string("group"), "group_size": .integer(128),
                    ])
                ])
            ]),
        ])
        let draft = try Draft(fields: fields)
        let folder = try TemporaryFolder()
        try draft.write(to: folder)
        let tensors = draft.shards[Draft.first] ?? [:]
        let scales = tensors[Self.gate + "_scale"]?.bytes ?? []
        let codes = tensors[Self.gate + "_packed"]?.bytes ?? []
        #expect(scales.count == 16 * 2 * 2)
        let matrix = try Checkpoint.open(folder.path).matrix(Self.gate, rows: 16, columns: 168)
        for row in 0..<16 {
            for (column, number) in matrix.decodedRow(row).enumerated() {
                let byte = codes[row * 84 + column / 2]
                let code = Int(column.isMultiple(of: 2) ? byte & 15 : byte >> 4) - 8
                let place = 2 * (row * 2 + column / 128)
                let bits = UInt32(scales[place]) << 16 | UInt32(scales[place + 1]) << 24
                #expect(number == Float(code) * Float(bitPattern: bits))
            }
        }
    }

    @Test func aShapeMayBeOf64BitsOrMissing() throws {
        let wide = try int4 { draft in
            draft.change(Self.gate + "_shape") {
                $0 = DraftTensor("I64", [2], [16, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0])
            }
            draft.remove(Self.down + "_shape")
        }
        try readWhole(wide.path)
    }

    @Test func scalesMayLieInAnotherShard() throws {
        let folder = try int4 { draft in
            guard let tensor = draft.shards[Draft.first]?.removeValue(forKey: Self.gate + "_scale")
            else { return }
            draft.add(Self.gate + "_scale", tensor, to: Draft.second)
        }
        try readWhole(folder.path)
    }

    @Test func halfAByteAndAScaleForEach32NumbersIsWhatExpertsTake() throws {
        let checkpoint = try Checkpoint.open(Golden.folder("kimi_k25_int4"))
        let model = checkpoint.configuration
        let arithmetic = ModelArithmetic(model)
        let numbers = arithmetic.routedExpert.parameterCount
        #expect(arithmetic.routedExpert.totalBytes == numbers / 2 + numbers / 16 + 3 * 8)
        let plan = WeightPlan.whole(model)
        let native = try checkpoint.heldBytes(plan, as: .native)
        // INT8 takes less of the rest, and leaves experts as they are.
        #expect(try checkpoint.heldBytes(plan, as: .int8) < native)
        #expect(plan.quantized.allSatisfy { FusedExpertName($0.name) == nil })
    }

    /// A damage to INT4 experts, and what its line names.
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let names: [String]
        let apply: @Sendable (inout Draft) -> Void

        init(
            _ title: String, _ names: [String], _ apply: @escaping @Sendable (inout Draft) -> Void
        ) {
            testDescription = title
            self.names = names
            self.apply = apply
        }
    }

    static let damages = [
        Damage("scales are missing", [gate + "_scale", "scales of"]) { $0.remove(gate + "_scale") },
        Damage("codes are of another width", [gate + "_packed", "[16, 4]", "[16, 5]"]) {
            $0.change(gate + "_packed") {
                $0 = DraftTensor("I32", [16, 4], .init(repeating: 0, count: 256))
            }
        },
        Damage("codes are bytes", [gate + "_packed", "I64", "I32"]) {
            $0.change(gate + "_packed") {
                $0 = DraftTensor("I64", [16, 5], .init(repeating: 0, count: 640))
            }
        },
        Damage("groups are of 40", [gate + "_scale", "[16, 1]", "[16, 2]"]) {
            $0.change(gate + "_scale") {
                $0 = DraftTensor("BF16", [16, 1], .init(repeating: 0, count: 32))
            }
        },
        Damage("scales are not BF16", [gate + "_scale", "BF16"]) {
            $0.change(gate + "_scale") {
                $0 = DraftTensor("F32", [16, 2], .init(repeating: 1, count: 128))
            }
        },
        Damage("the shape is another", [gate + "_shape", "[40, 16]", "[16, 40]"]) {
            $0.change(gate + "_shape") { $0.bytes = [40, 0, 0, 0, 16, 0, 0, 0] }
        },
        Damage("no group says so", ["gate_proj.weight_packed", "quantization_config"]) {
            $0.configuration["quantization_config"] = .null
        },
    ]

    @Test(arguments: damages)
    func damagedExpertsAreRefused(_ damage: Damage) throws {
        let folder = try int4([:], damage.apply)
        let refusal = #expect(throws: Refusal.self) { try readWhole(folder.path) }
        let line = refusal?.description ?? ""
        for name in damage.names {
            #expect(line.contains(name), "\(line)")
        }
        #expect(!line.contains("\n"))
    }

    // MARK: FP8

    /// Every matrix has one scale, or one for each row: written so, and as blocks of 4 by 4.
    @Test(arguments: [true, false], ["_scale_inv", "_scale"])
    func scalesOfRowsAndOfMatricesGiveTheNumbersOfBlocks(
        isOfRow: Bool, ending: String
    ) throws {
        func folder(spread: Bool) throws -> TemporaryFolder {
            var draft = try Draft()
            for (name, scales) in draft.shards[Draft.second] ?? [:] {
                let weight = String(name.dropLast("_scale_inv".count))
                let rows = draft.shards[Draft.first]?[weight]?.shape[0] ?? 0
                let columns = scales.shape[1]
                func bytes(_ row: Int) -> [UInt8] {
                    // Powers of two, the same for all rows of a block of four.
                    [0, 0, 0, UInt8(isOfRow ? 0x3C + row / 4 % 3 : 0x3D)]
                }
                draft.remove(name)
                let tensor =
                    spread
                    ? DraftTensor(
                        "F32", scales.shape,
                        (0..<scales.shape[0]).flatMap { row in
                            (0..<columns).flatMap { _ in bytes(4 * row) }
                        })
                    : isOfRow
                        ? DraftTensor("F32", [rows, 1], (0..<rows).flatMap(bytes))
                        : DraftTensor("F32", ending == "_scale" ? [] : [1], bytes(0))
                draft.add(spread ? name : weight + ending, tensor, to: Draft.second)
            }
            let folder = try TemporaryFolder()
            try draft.write(to: folder)
            return folder
        }
        let folders = [try folder(spread: true), try folder(spread: false)]
        let checkpoints = try folders.map { try readWhole($0.path) }
        let plan = WeightPlan.whole(checkpoints[0].configuration)
        let pool = ComputePool(threadCount: 1)
        let loaded = try checkpoints.map { try $0.loaded(plan, as: .native, on: pool) { _, _ in } }
        for requirement in plan.requirements where requirement.shape.count == 2 {
            let (rows, columns) = (requirement.shape[0], requirement.shape[1])
            let matrices = try checkpoints.map {
                try $0.matrix(requirement.name, rows: rows, columns: columns)
            }
            #expect(
                (0..<rows).map(matrices[0].decodedRow) == (0..<rows).map(matrices[1].decodedRow),
                "\(requirement.name)")
        }
        let name = WeightName.layer(1).latentUp
        let heads = HeadRows(keysOf: checkpoints[0].configuration)
        let keys = try loaded.map {
            try $0.headMultiplier(name, heads: heads, isTransposed: true, rows: 12, columns: 6)
        }
        for (one, other) in zip(keys[0].heads, keys[1].heads) {
            #expect((0..<6).map(one.decodedRow) == (0..<6).map(other.decodedRow))
        }
    }
}
