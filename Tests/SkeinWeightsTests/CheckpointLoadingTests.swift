import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinWeights

/// Weights that take another form while they are loaded.
@Suite struct CheckpointLoadingTests {
    private static let pool = ComputePool(threadCount: 2)

    @Test(arguments: Golden.oracleCases)
    func whatIsHeldIsWhatIsForetold(_ name: String) throws {
        let checkpoint = try Checkpoint.open(Golden.folder(name))
        let plan = WeightPlan.whole(checkpoint.configuration)
        #expect(
            try checkpoint.heldBytes(plan, as: .native) == checkpoint.verify(plan).totalBytes)
        let loaded = try checkpoint.loaded(plan, as: .int8, on: Self.pool) { _, _ in }
        var heldBytes = 0
        for requirement in plan.requirements where requirement.shape.count == 2 {
            let (rows, columns) = (requirement.shape[0], requirement.shape[1])
            let stored = try loaded.matrix(requirement.name, rows: rows, columns: columns)
            let used = try loaded.multiplier(requirement.name, rows: rows, columns: columns)
            let isRemade = plan.remade(as: .int8).contains(requirement)
            #expect((used.format == .i8Group(columns: 128)) == isRemade, "\(requirement.name)")
            if isRemade {
                heldBytes += WeightArena.int8ByteCount(rows: rows, columns: columns)
            }
            if !isRemade || requirement.name == WeightName.embedding {
                heldBytes += stored.byteCount
            }
        }
        let lists = plan.requirements.filter { $0.shape.count == 1 }
        let least = heldBytes + 2 * lists.reduce(0) { $0 + $1.elementCount }
        let most = heldBytes + 4 * lists.reduce(0) { $0 + $1.elementCount }
        #expect((least...most).contains(try checkpoint.heldBytes(plan, as: .int8)))
    }

    @Test func onlyMatricesThatMultiplyAreMadeAnew() throws {
        let model = try Checkpoint.open(Golden.folder(Golden.oracleCases[0])).configuration
        let remade = WeightPlan.whole(model).remade(as: .int8).map(\.name)
        #expect(remade.contains(WeightName.head))
        for end in ["kv_b_proj.weight", "norm.weight", "mlp.gate.weight", "embed_tokens.weight"] {
            #expect(!remade.contains { $0.hasSuffix(end) }, "\(end)")
        }
        #expect(WeightPlan.whole(model).remade(as: .native).isEmpty)
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
