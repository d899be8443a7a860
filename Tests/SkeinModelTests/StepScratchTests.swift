import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinModel
@testable import SkeinWeights

/// What a node is said to need, against what a step allocates.
@Suite struct StepScratchTests {
    @Test(arguments: [1, 7, 30], [false, true])
    func aStepAllocatesNoMoreThanIsPredicted(rowCount: Int, isSparse: Bool) async throws {
        let limits = PartLimits(attentionRowsMax: 7, expertRowsMax: 20)
        let changes = isSparse ? [TinyModel.sparse] : []
        try await TinyModel.with(.fp8, changing: changes) { checkpoint in
            let model = checkpoint.configuration
            let rig = try PipelineRig(checkpoint, limits: limits)
            _ = try rig.run((0..<rowCount).map { ($0 * 29 + 3) % 64 }, from: 0)
            let scratch = rig.slices[0].scratch
            var names: Set<String> = []
            for case (let name?, let tensor as Tensor) in Mirror(reflecting: scratch).children {
                let kind = try #require(StepTensor.allCases.first { "\($0)" == name }, "\(name)")
                names.insert(name)
                #expect(tensor.columnCount == kind.columnCount(of: model), "\(name)")
                let most = kind.rowCount(of: model, limits: limits, stepRowCount: rowCount)
                #expect(tensor.columnCount == 0 || tensor.rowCount <= most, "\(name)")
            }
            // What else is predicted belongs to the slice, to its node or to no tensor.
            #expect(
                Set(StepTensor.allCases.map { "\($0)" }).subtracting(names)
                    == ["incoming", "residual", "selection"])
        }
    }

    @Test func aStepBesideAnotherSharesWhatDoesNotOutliveAMoment() async throws {
        try await TinyModel.with(.bf16) { checkpoint in
            let limits = PartLimits(attentionRowsMax: 3, expertRowsMax: 4)
            let first = StepScratch(checkpoint.configuration, limits: limits)
            let second = StepScratch(checkpoint.configuration, beside: first)
            #expect(second.limits == limits)
            #expect(second.absorbed === first.absorbed && second.scores === first.scores)
            #expect(second.normed !== first.normed && second.branch !== first.branch)
            #expect(second.rounded !== first.rounded)
        }
    }
}
