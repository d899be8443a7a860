import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinWeights

/// Weights that take another form while they are loaded.
@Suite struct CheckpointLoadingTests {
    private static let pool = ComputePool(threadCount: 2)

    @Test(arguments: Golden.oracleCases, WeightForm.allCases)
    func whatIsHeldIsWhatIsPredicted(_ name: String, form: WeightForm) throws {
        let checkpoint = try Checkpoint.open(Golden.folder(name))
        let plan = WeightPlan.whole(checkpoint.configuration)
        let quantized = Set(plan.quantized.map(\.name))
        let loaded = try checkpoint.loaded(plan, as: form, on: Self.pool) { _, _ in }
        var heldBytes = loaded.packed.values.joined().reduce(0) { $0 + wholeLines($1) }
        for requirement in plan.requirements where requirement.shape.count == 2 {
            let (rows, columns) = (requirement.shape[0], requirement.shape[1])
            let stored = try loaded.matrix(requirement.name, rows: rows, columns: columns)
            if requirement.name == WeightName.embedding {
                heldBytes += rows * columns * 2
            } else if !requirement.name.hasSuffix("kv_b_proj.weight") {
                let used = try loaded.multiplier(requirement.name, rows: rows, columns: columns)
                let isInt8 = form == .int8 && quantized.contains(requirement.name)
                #expect(used.format == (isInt8 ? .i8Group(columns: 128) : stored.format))
            }
        }
        let lists = plan.requirements.filter { $0.shape.count == 1 }
        let least = heldBytes + 2 * lists.reduce(0) { $0 + $1.elementCount }
        let most = heldBytes + 4 * lists.reduce(0) { $0 + $1.elementCount }
        #expect((least...most).contains(try checkpoint.heldBytes(plan, as: form)))
    }

    /// Numbers and scales each take whole lines of 64 bytes.
    private func wholeLines(_ weight: PackedWeight) -> Int {
        weight.partByteCounts.reduce(0) { $0 + ($1 + 63) / 64 * 64 }
    }

    @Test func onlyMatricesThatMultiplyAreQuantized() throws {
        let model = try Checkpoint.open(Golden.folder(Golden.oracleCases[0])).configuration
        let names = WeightPlan.whole(model).quantized.map(\.name)
        #expect(names.contains(WeightName.head))
        for end in ["kv_b_proj.weight", "norm.weight", "mlp.gate.weight", "embed_tokens.weight"] {
            #expect(!names.contains { $0.hasSuffix(end) }, "\(end)")
        }
    }

    @Test func progressEndsWithAllStoredBytes() throws {
        let checkpoint = try Checkpoint.open(Golden.folder(Golden.oracleCases[0]))
        let plan = WeightPlan.whole(checkpoint.configuration)
        for form in WeightForm.allCases {
            var reports: [(done: Int, total: Int)] = []
            _ = try checkpoint.loaded(plan, as: form, on: Self.pool) { reports.append(($0, $1)) }
            #expect(reports.first?.done == 0)
            #expect(reports.last?.done == reports.last?.total)
            let inOrder = zip(reports, reports.dropFirst()).allSatisfy { $0.done <= $1.done }
            #expect(inOrder)
        }
    }

    /// Nodes that made other numbers of the same checkpoint must not work together.
    @Test func aFormHasAFingerprintOfItsOwn() throws {
        let checkpoint = try Checkpoint.open(Golden.folder(Golden.oracleCases[0]))
        #expect(try checkpoint.fingerprint(of: .native) == checkpoint.fingerprint())
        #expect(try checkpoint.fingerprint(of: .int8) != checkpoint.fingerprint())
    }
}
