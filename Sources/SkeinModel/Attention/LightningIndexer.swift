import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights

/// The lightning indexer of one layer: which positions a row attends to (specification section
/// 6.1).
///
///     query latent ──► queries ─► rotate ──────────────────┐
///     normed ─┬──────► key ─► norm ─► rotate ─► key cache ─┴─► scores ─► the best positions
///             └──────► head weights ─────────────────────────────▲
///
/// One key serves all of its heads. The rotated numbers come first; in V3.2 they are pairs half of
/// them apart, other than those of the attention that it serves. Keys are rounded to the cache's
/// form.
/// Where that is FP8, queries and keys are transformed by a Hadamard matrix before, as in published
/// inference code; that rounds queries, too, which Skein does not.
struct LightningIndexer {
    /// Rows attend to so many positions at most.
    let keptCount: Int

    private let headCount: Int
    private let headSize: Int
    private let queryUp: PackedWeight
    private let key: PackedWeight
    private let keyNorm: [Float]
    private let keyNormBias: [Float]
    private let headWeights: PackedWeight
    private let layout: Rotary.Layout

    /// Of the key's norm, whatever the model's own is.
    private static let keyNormEpsilon: Float = 1e-6

    /// Finds a layer's indexer in a checkpoint; `nil` for a layer without.
    ///
    /// Third-party files that hold indexers of layers that share another's choice are not asked for
    /// them.
    init?(checkpoint: Checkpoint, layer: Int) throws(Refusal) {
        let model = checkpoint.configuration
        guard let indexer = model.indexer, model.hasOwnIndexer(layer),
            let queryRank = model.queryLoraRank
        else { return nil }
        let names = WeightName.layer(layer)
        queryUp = try checkpoint.multiplier(
            names.indexerQuery, rows: indexer.headCount * indexer.headSize, columns: queryRank)
        key = try checkpoint.multiplier(
            names.indexerKey, rows: indexer.headSize, columns: model.hiddenSize)
        keyNorm = try checkpoint.vector(names.indexerKeyNorm, count: indexer.headSize)
        keyNormBias = try checkpoint.vector(names.indexerKeyNormBias, count: indexer.headSize)
        headWeights = try checkpoint.multiplier(
            names.indexerHeadWeights, rows: indexer.headCount, columns: model.hiddenSize)
        keptCount = indexer.topK
        headCount = indexer.headCount
        headSize = indexer.headSize
        layout = indexer.isInterleaved ? .interleaved : .halfSplit
    }

    /// Puts the rows' keys in the cache.
    ///
    /// Every row has one: later rows will want it, however few positions there are now.
    func writeKeys(
        _ normed: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) {
        let keys = scratch.indexKeys
        MatrixProduct.multiply(normed, by: key, into: keys, on: pool)
        LayerNormalization.normalize(
            keys, weight: keyNorm, bias: keyNormBias, epsilon: Self.keyNormEpsilon, on: pool)
        turn(keys, headCount: 1, step: step, latents: latents, on: pool)
        latents.writeIndexKeys(keys, spans: step.spans, on: pool)
    }

    /// Selects from the keys in the cache, those of the rows' own step included.
    ///
    /// - Parameters:
    ///   - normed: `[row, hidden]`.
    ///   - queryLatent: `[row, queryLoraRank]`, normed: what the attention's queries are made of.
    /// - Returns: nothing where all rows attend to all of their positions.
    func select(
        _ normed: Tensor, queryLatent: Tensor, step: Step, latents: LatentView,
        scratch: StepScratch, on pool: ComputePool
    ) -> PositionSelection? {
        guard step.positions.contains(where: { $0 >= keptCount }) else { return nil }
        let queries = scratch.indexQueries
        MatrixProduct.multiply(queryLatent, by: queryUp, into: queries, on: pool)
        turn(queries, headCount: headCount, step: step, latents: latents, on: pool)
        // The published factors of heads and width are the same for every position and left out:
        // they change no choice.
        MatrixProduct.multiply(
            normed, by: headWeights, in: .float32, into: scratch.indexWeights, on: pool)
        return latents.select(
            queries, weights: scratch.indexWeights, paged: step.paged, keptCount: keptCount,
            on: pool)
    }

    /// Rotates by position, and spreads what will be coded.
    private func turn(
        _ rows: Tensor, headCount: Int, step: Step, latents: LatentView, on pool: ComputePool
    ) {
        Rotary.rotate(
            rows, layout: layout, firstColumn: 0, headCount: headCount, headStride: headSize,
            by: step.angles, on: pool)
        if latents.indexKeysAreCoded && headSize.nonzeroBitCount == 1 {
            Hadamard.transform(rows, width: headSize, on: pool)
        }
    }
}
