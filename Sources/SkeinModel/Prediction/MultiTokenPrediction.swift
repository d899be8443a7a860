public import SkeinCache
public import SkeinCore
public import SkeinTensor
public import SkeinWeights

/// Predicts the token after the next one (specification section 5).
///
///     next token ─► embedding ─► norm ─┐
///     final hidden ────────────► norm ─┴─► project ─► block ─► own norm ─► head ─► logits
///
/// Entry i takes the main model's hidden state of position i after its final norm, and the token of
/// position i + 1. Embedding and head are the main model's; the block has its own latent cache,
/// addressed by the same page tables. Entries stand at position i: only differences matter to RoPE.
public final class MultiTokenPrediction {
    /// The layer as the checkpoint numbers it, after the main ones.
    public let layer: LayerIndex

    let configuration: ModelConfiguration
    let latents: LatentPool
    /// `[request, hidden]`: what a further draft starts from.
    let carried: Tensor
    /// `[row, hidden]`: what the entries of several sequences start from.
    let gathered: Tensor

    private let embedding: Embedding
    private let embeddingNorm: [Float]
    private let hiddenNorm: [Float]
    private let projection: PackedWeight
    private let rotary: YarnRotary
    private let block: Block
    private let head: OutputHead
    private let compute: ComputePool

    private let scratch: StepScratch
    private let embedded: Tensor
    private let normed: Tensor
    private let joined: Tensor
    private let residual: Tensor
    private let hidden: Tensor
    private let logits: Tensor

    /// Finds the layer's weights.
    ///
    /// - Parameters:
    ///   - checkpoint: an open folder.
    ///   - latents: made for `layers(of:)`.
    ///   - compute: may be shared with other models.
    public init(
        checkpoint: Checkpoint, latents: LatentPool, compute: ComputePool
    ) throws(Refusal) {
        let model = checkpoint.configuration
        guard checkpoint.holdsNextTokenLayers else {
            throw Refusal(checkpoint.folder, "has no multi-token-prediction layer")
        }
        precondition(
            latents.layers == Self.layers(of: model) && latents.fits(model),
            "a pool for layers \(latents.layers)")
        layer = LayerIndex(model.layerCount)
        let names = WeightName.layer(layer.rawValue)
        embedding = try Embedding(checkpoint: checkpoint)
        embeddingNorm = try checkpoint.vector(
            names.predictionEmbeddingNorm, count: model.hiddenSize)
        hiddenNorm = try checkpoint.vector(names.predictionHiddenNorm, count: model.hiddenSize)
        projection = try checkpoint.multiplier(
            names.predictionProjection, rows: model.hiddenSize, columns: 2 * model.hiddenSize)
        rotary = YarnRotary(configuration: model)
        block = try Block(checkpoint: checkpoint, layer: layer, rotary: rotary)
        head = try OutputHead(checkpoint: checkpoint, normName: names.predictionFinalNorm)
        configuration = model
        self.latents = latents
        self.compute = compute
        scratch = StepScratch(model)
        embedded = Tensor(rows: 0, columns: model.hiddenSize)
        normed = Tensor(rows: 0, columns: model.hiddenSize)
        joined = Tensor(rows: 0, columns: 2 * model.hiddenSize)
        residual = Tensor(rows: 0, columns: model.hiddenSize)
        hidden = Tensor(rows: 0, columns: model.hiddenSize)
        carried = Tensor(rows: 0, columns: model.hiddenSize)
        gathered = Tensor(rows: 0, columns: model.hiddenSize)
        logits = Tensor(rows: 0, columns: model.vocabularySize)
    }

    /// The layers that its latent pool is made for.
    public static func layers(of model: ModelConfiguration) -> Range<Int> {
        model.layerCount..<model.layerCount + 1
    }

    /// Runs entries of some sequences.
    ///
    /// - Parameters:
    ///   - spans: entry i of a sequence stands at position i and carries the next position's token.
    ///   - finalHidden: `[row, hidden]`: the main model's after its final norm; for a further draft
    ///     this layer's own `hidden`.
    /// - Returns: logits of all rows and the hidden states they are made of, valid until the next
    ///   call.
    public func run(
        _ spans: [SequenceSpan], finalHidden: Tensor
    ) throws(Refusal) -> (logits: Tensor, hidden: Tensor) {
        let hidden = try advance(spans, finalHidden: finalHidden)
        head.score(hidden, into: logits, on: compute)
        return (logits, hidden)
    }

    /// Runs entries of some sequences, and scores nothing.
    ///
    /// - Parameters: as of ``run(_:finalHidden:)``.
    /// - Returns: the hidden states of all rows, valid until the next call.
    func advance(
        _ spans: [SequenceSpan], finalHidden: Tensor
    ) throws(Refusal) -> Tensor {
        let step = try enter(spans, finalHidden: finalHidden)
        _ = block.run(
            residual, step: step, latents: latents.view(of: layer), scratch: scratch, on: compute)
        head.norm(residual, into: hidden, on: compute)
        return hidden
    }

    /// Keeps what later entries attend to, and runs no more of the layer: most rows of a prompt
    /// are never guessed after.
    ///
    /// - Parameters: as of ``run(_:finalHidden:)``.
    func keep(_ spans: [SequenceSpan], finalHidden: Tensor) throws(Refusal) {
        let step = try enter(spans, finalHidden: finalHidden)
        block.keep(
            residual, step: step, latents: latents.view(of: layer), scratch: scratch, on: compute)
    }

    /// Leaves in `residual` what the block takes.
    private func enter(
        _ spans: [SequenceSpan], finalHidden: Tensor
    ) throws(Refusal) -> Step {
        try StepCheck(configuration: configuration, pageCount: latents.pageCount)
            .check(spans, residual: finalHidden)
        let step = Step(spans, table: rotary.table, on: compute)
        let width = configuration.hiddenSize
        joined.resize(rows: step.rowCount)
        embedding.look(up: spans.flatMap(\.tokens), into: embedded)
        // The embedding's half comes first, other than the paper writes it.
        join(embedded, norm: embeddingNorm, column: 0)
        join(finalHidden, norm: hiddenNorm, column: width)
        MatrixProduct.multiply(joined, by: projection, into: residual, on: compute)
        residual.roundToBFloat16(on: compute)
        return step
    }

    /// The most probable token after each row.
    func bestTokens(after hidden: Tensor) -> [TokenID] {
        head.score(hidden, into: logits, on: compute)
        return (0..<hidden.rowCount).map {
            TokenID(TopK.places(in: logits, row: $0, kept: 1)[0])
        }
    }

    private func join(_ rows: Tensor, norm: [Float], column: Int) {
        RootMeanSquare.normalize(
            rows, weight: norm, epsilon: configuration.normEpsilon, into: normed, on: compute)
        for row in 0..<rows.rowCount {
            joined.copyRow(
                row, column: column, from: normed, row: row,
                columns: 0..<configuration.hiddenSize)
        }
    }
}
