import Foundation
import SkeinCore
import SkeinModel
import SkeinTensor
import SkeinWeights
import Testing

@Suite struct ExpertShardTests {
    /// Eight experts on one host or spread over three give the same bytes.
    @Test func anExpertsOutputIsTheSameNearAndFar() async throws {
        try await TinyModel.with(.fp8) { checkpoint in
            let compute = ComputePool(threadCount: 1)
            let rows = Tensor((0..<9).map { row in (0..<48).map { Float(row * 7 + $0) / 64 } })
            rows.roundToBFloat16()
            let chosen = (0..<18).map { ($0 * 5 + $0 / 7) % 8 }
            let whole = Tensor(rows: 0, columns: 48)
            try ExpertShard(checkpoint: checkpoint, layer: 2, experts: 0..<8).apply(
                rows, part: 0..<8,
                assignments: ExpertAssignments(
                    chosen: chosen, slotCount: 2, localExperts: 0..<8),
                into: whole, on: compute)
            #expect(whole.values().allSatisfy { $0.bitPattern & 0xFFFF == 0 })
            for experts in [0..<3, 3..<4, 4..<8] {
                let shard = try ExpertShard(checkpoint: checkpoint, layer: 2, experts: experts)
                let outputs = Tensor(rows: 0, columns: 48)
                shard.apply(
                    rows, part: experts,
                    assignments: ExpertAssignments(
                        chosen: chosen, slotCount: 2, localExperts: experts),
                    into: outputs, on: compute)
                for (row, expert) in chosen.enumerated() where experts.contains(expert) {
                    #expect(outputs.row(row) == whole.row(row), "expert \(expert)")
                }
            }
        }
    }

    @Test(arguments: [
        ("model.layers.2.mlp.experts.5", "up_proj", "the gate beside it as"),
        ("model.layers.2.mlp.experts.5", "down_proj", "expert 5 is stored as"),
        ("model.layers.0.mlp", "gate_proj", "the gate beside it as bf16"),
    ])
    func mixedStorageInsideAUnitIsRefused(unit: String, part: String, reason: String) async throws {
        try await TinyModel.with(.fp8) { checkpoint in
            let path = checkpoint.folder + "/model.safetensors"
            try Self.storeAsBFloat16("\(unit).\(part).weight", in: path)
            let error = #expect(throws: Refusal.self) {
                try PipelineRig(Checkpoint.open(checkpoint.folder))
            }
            #expect(error?.subject.contains(unit) == true, "\(error?.subject ?? "")")
            #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
        }
    }

    /// Rewrites a file so that one FP8 tensor has zeros in BF16 and no scales, at the data's end.
    private static func storeAsBFloat16(_ name: String, in path: String) throws {
        let url = URL(fileURLWithPath: path)
        let file = try Data(contentsOf: url)
        let length = (0..<8).reduce(0) { $0 | Int(file[$1]) << (8 * $1) }
        var header = try #require(
            try JSONSerialization.jsonObject(with: file[8..<8 + length]) as? [String: Any])
        var payload = Data()
        var tensors: [String: Any] = [:]
        if let metadata = header.removeValue(forKey: "__metadata__") {
            tensors["__metadata__"] = metadata
        }
        for (tensor, value) in header where tensor != name + "_scale_inv" {
            var fields = try #require(value as? [String: Any])
            let offsets = try #require(fields["data_offsets"] as? [Int])
            let first = payload.count
            if tensor == name {
                fields["dtype"] = "BF16"
                payload += Data(count: 2 * (offsets[1] - offsets[0]))
            } else {
                payload += file[8 + length + offsets[0]..<8 + length + offsets[1]]
            }
            fields["data_offsets"] = [first, payload.count]
            tensors[tensor] = fields
        }
        let json = try JSONSerialization.data(withJSONObject: tensors)
        let prefix = Data((0..<8).map { UInt8(json.count >> (8 * $0) & 0xFF) })
        try (prefix + json + payload).write(to: url)
    }
}
