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
        MatrixProduct.multiplyPerHead(
            scratch.queries, inputHeadStride: shape.query, by: keysUp, into: absorbed,
            outputHeadStride: shape.row, on: pool)
        pool.forEachRow(step.rowCount) { row in
            for head in 0..<shape.headCount {
                let first = head * shape.query + shape.nope
                absorbed.copyRow(
                    row, column: head * shape.row + shape.latent, from: scratch.queries, row: row,
                    columns: first..<first + shape.rope)
            }
        }
        latents.attend(
            absorbed, paged: step.paged, selection: scratch.selection, headCount: shape.headCount,
            latentWidth: shape.latent, scale: Float(rotary.softmaxScale),
            into: scratch.mixedLatents, on: pool)
        MatrixProduct.multiplyPerHead(
            scratch.mixedLatents, inputHeadStride: shape.latent, by: valuesUp,
            into: scratch.mixedValues, outputHeadStride: shape.value, on: pool)
    }
}
