import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights
import Testing

@testable import SkeinModel

/// The absorbed form beside its definition with keys and values expanded.
@Suite struct LatentAttentionTests {
    @Test(arguments: ["v2lite", "v3", "v3fp8", "v32", "kimi", "glm4_moe_lite"])
    func absorbedAgreesWithNaive(name: String) throws {
        let checkpoint = try Checkpoint.open("\(Golden.oracle)/\(name)")
        let model = checkpoint.configuration
        let compute = ComputePool(threadCount: 1)
        let rotary = YarnRotary(configuration: model)
        let attention = try LatentAttention(checkpoint: checkpoint, layer: 1, rotary: rotary)
        let pool = try LatentPool(
            layers: 1..<2, pageCount: 4, rowWidth: model.latentRowWidth,
            indexKeyWidth: model.indexer?.headSize ?? 0)
        let latents = pool.view(of: LayerIndex(1))
        let scratch = StepScratch(model)
        // Two sequences, one across a page's edge.
        let step = Step(
            [
                PipelineRig.span(0, Array(repeating: 1, count: 70)[...], from: 0),
                PipelineRig.span(1, [1, 1, 1], from: 0, pages: [PageIndex(3)]),
            ], table: rotary.table, on: compute)
        let normed = Tensor(
            (0..<step.rowCount).map { row in
                (0..<model.hiddenSize).map { Float(($0 * 31 + row * 17) % 23 - 11) / 6 }
            })
        attention.makeQueries(normed, step: step, scratch: scratch, on: compute)
        attention.writeLatents(normed, step: step, latents: latents, scratch: scratch, on: compute)
        attention.select(normed, step: step, latents: latents, scratch: scratch, on: compute)
        #expect((scratch.selection != nil) == (model.indexer != nil))
        attention.attendAbsorbed(step: step, latents: latents, scratch: scratch, on: compute)
        let absorbed = scratch.mixedValues.values()
        attention.attendNaive(step: step, latents: latents, scratch: scratch)
        let deviation = Deviation(
            absorbed, from: scratch.mixedValues.values(),
            columnCount: scratch.mixedValues.columnCount)
        // Both read the same BF16 rows. The naive form rounds nothing; the absorbed one rounds the
        // absorbed queries and the weights to BF16, each number by 2^-9 of itself at most.
        print("\(name): absorbed is \(deviation.rmsRelative) from naive")
        #expect(deviation.rmsRelative < 0x1p-7)
    }
}
