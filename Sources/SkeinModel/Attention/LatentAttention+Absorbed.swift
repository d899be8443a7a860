import SkeinCache
import SkeinCore
import SkeinTensor

// The keys' up-projection is folded into the query and the values' into the output, so that
// attention works on the cached latents as they are: `q · (W k) = (Wᵀ q) · k`.
extension LatentAttention {
    /// Attends from `scratch.queries`; leaves `[row, head * value]` in `scratch.mixedValues`.
    func attendAbsorbed(
        step: Step, latents: LatentView, scratch: StepScratch, on pool: ComputePool
    ) {
        let absorbed = scratch.absorbed
        absorbed.resize(rows: step.rowCount)
        MatrixProduct.multiplyTransposedPerHead(
            scratch.queries, inputHeadStride: shape.query, by: latentUp, heads: shape.keyRows,
            into: absorbed, outputHeadStride: shape.row, on: pool)
        for row in 0..<step.rowCount {
            for head in 0..<shape.headCount {
                let first = head * shape.query + shape.nope
                absorbed.copyRow(
                    row, column: head * shape.row + shape.latent, from: scratch.queries, row: row,
                    columns: first..<first + shape.rope)
            }
        }
        latents.attend(
            absorbed, spans: step.spans, selection: scratch.selection, headCount: shape.headCount,
            latentWidth: shape.latent, scale: Float(rotary.softmaxScale),
            into: scratch.mixedLatents, on: pool)
        MatrixProduct.multiplyPerHead(
            scratch.mixedLatents, inputHeadStride: shape.latent, by: latentUp,
            heads: shape.valueRows, into: scratch.mixedValues, outputHeadStride: shape.value,
            on: pool)
    }
}
