import Foundation
import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights

/// Multi-head latent attention of one layer (specification section 3.4).
///
///     normed ─┬─► query latent ─► norm ─► queries ─► rotate ───► absorb ─► attend ─► values ─► out
///             └─► latent | rope key ─► norm | rotate ─► latent row ─► cache ───▲
///
/// Where a model has an indexer, a row attends to the positions that it selects; a layer without
/// one to those that the nearest layer below selected.
///
/// The cache holds the latent after its norm and the rope key after its rotation, rounded to the
/// pool's form. All attention reads them there, that of the rows' own step too.
struct LatentAttention {
    /// The widths of a head and of what it is made from.
    struct Shape: Equatable {
        let headCount: Int
        let nope: Int
        let rope: Int
        let value: Int
        let latent: Int

        init(_ model: ModelConfiguration) {
            headCount = model.headCount
            nope = model.qkNopeHeadSize
            rope = model.qkRopeHeadSize
            value = model.valueHeadSize
            latent = model.kvLoraRank
        }

        /// Numbers of a query head.
        var query: Int { nope + rope }
        /// Numbers of a latent row.
        var row: Int { latent + rope }
    }

    /// How queries are made.
    enum QueryPath {
        /// `q_proj`.
        case direct(PackedWeight)
        /// `q_a_proj`, its norm, `q_b_proj`.
        case throughLatent(down: PackedWeight, norm: [Float], up: PackedWeight)
    }

    let shape: Shape
    let rotary: YarnRotary
    /// The up-projection that queries absorb, and that of the values.
    let keysUp: HeadWeights
    let valuesUp: HeadWeights
    private let queryPath: QueryPath
    private let latentDown: PackedWeight
    private let latentNorm: [Float]
    private let output: PackedWeight
    private let latentNormEpsilon: Float
    private let indexer: LightningIndexer?
    private let queryGrowth: ModelConfiguration.QueryGrowth?

    /// Finds a layer's attention in a checkpoint.
    init(checkpoint: Checkpoint, layer: Int, rotary: YarnRotary) throws(Refusal) {
        let model = checkpoint.configuration
        let names = WeightName.layer(layer)
        let shape = Shape(model)
        let queryRows = shape.headCount * shape.query
        if let queryRank = model.queryLoraRank {
            queryPath = .throughLatent(
                down: try checkpoint.multiplier(
                    names.queryDown, rows: queryRank, columns: model.hiddenSize),
                norm: try checkpoint.vector(names.queryNorm, count: queryRank),
                up: try checkpoint.multiplier(names.queryUp, rows: queryRows, columns: queryRank))
        } else {
            queryPath = .direct(
                try checkpoint.multiplier(names.query, rows: queryRows, columns: model.hiddenSize))
        }
        latentDown = try checkpoint.multiplier(
            names.latentDown, rows: shape.row, columns: model.hiddenSize)
        latentNorm = try checkpoint.vector(names.latentNorm, count: shape.latent)
        let upRows = shape.headCount * (shape.nope + shape.value)
        keysUp = try checkpoint.headMultiplier(
            names.latentUp, heads: HeadRows(keysOf: model), isTransposed: true, rows: upRows,
            columns: shape.latent)
        valuesUp = try checkpoint.headMultiplier(
            names.latentUp, heads: HeadRows(valuesOf: model), isTransposed: false, rows: upRows,
            columns: shape.latent)
        output = try checkpoint.multiplier(
            names.attentionOutput, rows: model.hiddenSize, columns: shape.headCount * shape.value)
        latentNormEpsilon = model.latentNormEpsilon
        indexer = try LightningIndexer(checkpoint: checkpoint, layer: layer)
        queryGrowth = model.queryGrowth
        self.shape = shape
        self.rotary = rotary
    }

    /// Writes the rows' latents to the cache and attends to all of their sequences' latents.
    ///
    /// - Parameters:
    ///   - normed: `[row, hidden]`.
    ///   - result: resized to `[row, hidden]`.
    func apply(
        _ normed: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        into result: Tensor, on pool: ComputePool
    ) {
        makeQueries(normed, step: step, scratch: scratch, on: pool)
        writeLatents(normed, step: step, latents: latents, scratch: scratch, on: pool)
        select(normed, step: step, latents: latents, scratch: scratch, on: pool)
        attendAbsorbed(step: step, latents: latents, scratch: scratch, on: pool)
        MatrixProduct.multiply(scratch.mixedValues, by: output, into: result, on: pool)
    }

    /// Writes the rows' latents to the cache, for later rows, and attends to nothing.
    ///
    /// - Parameter normed: `[row, hidden]`.
    func keep(
        _ normed: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) {
        writeLatents(normed, step: step, latents: latents, scratch: scratch, on: pool)
        indexer?.writeKeys(normed, step: step, latents: latents, scratch: scratch, on: pool)
    }

    /// Leaves `[row, head * (nope + rope)]` in `scratch.queries`, rotated, and in
    /// `scratch.queryLatent` what they are made of, where that is a latent.
    func makeQueries(
        _ normed: Tensor, step: Step, scratch: StepScratch, on pool: ComputePool
    ) {
        switch queryPath {
        case .direct(let weight):
            MatrixProduct.multiply(normed, by: weight, into: scratch.queries, on: pool)
        case .throughLatent(let down, let norm, let up):
            MatrixProduct.multiply(normed, by: down, into: scratch.queryLatent, on: pool)
            RootMeanSquare.normalize(
                scratch.queryLatent, weight: norm, epsilon: latentNormEpsilon,
                into: scratch.queryLatent, on: pool)
            MatrixProduct.multiply(scratch.queryLatent, by: up, into: scratch.queries, on: pool)
        }
        Rotary.rotate(
            scratch.queries, layout: .interleaved, firstColumn: shape.nope,
            headCount: shape.headCount, headStride: shape.query, by: step.angles, on: pool)
        if let queryGrowth {
            Elementwise.scale(
                scratch.queries, by: step.positions.map(queryGrowth.factor(at:)), on: pool)
        }
    }

    /// Norms the latents, rotates the rope keys (which have no norm) and puts both in the cache.
    func writeLatents(
        _ normed: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) {
        let rows = scratch.latentRows
        MatrixProduct.multiply(normed, by: latentDown, into: rows, on: pool)
        RootMeanSquare.normalize(
            rows, columns: 0..<shape.latent, weight: latentNorm, epsilon: latentNormEpsilon,
            into: rows, on: pool)
        Rotary.rotate(
            rows, layout: .interleaved, firstColumn: shape.latent, headCount: 1,
            headStride: shape.row, by: step.angles, on: pool)
        latents.write(rows, spans: step.spans, on: pool)
    }

    /// Puts the rows' index keys in the cache; leaves in `scratch.selection` what they attend to.
    func select(
        _ normed: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) {
        // What the layer below left, or nothing, is what a layer without an indexer goes by.
        guard let indexer else { return }
        indexer.writeKeys(normed, step: step, latents: latents, scratch: scratch, on: pool)
        scratch.selection = indexer.select(
            normed, queryLatent: scratch.queryLatent, step: step, latents: latents,
            scratch: scratch, on: pool)
    }
}

extension ModelConfiguration.QueryGrowth {
    /// What a query at a position is multiplied by.
    func factor(at position: Int) -> Float {
        Float(1 + beta * log(Double(1 + position / originalPositionCount)))
    }
}
