public import SkeinCache
public import SkeinCore
public import SkeinTensor
public import SkeinWeights

/// The arithmetic of one slice: tokens or a residual in, a residual or logits out.
///
///     tokens ─► embedding ─┐
///     residual ────────────┴─► block ─► BF16 ─► block ─► BF16 ─► … ─┬─► residual, to the next
///                                ▲                                  └─► norm ─► head ─► logits
///                         latents of its layers
///
/// A row's numbers depend on its own sequence alone: not on other rows, on chunks, on where slices
/// are cut, or on threads. Weights are used where they are mapped. A model belongs to one actor.
public final class SliceModel {
    /// The model's shape.
    public let configuration: ModelConfiguration

    /// The layers at hand, and whether embedding and head are.
    public let slice: Slice

    private let embedding: Embedding?
    private let blocks: [Block]
    private let head: OutputHead?
    private let latents: LatentPool
    private let compute: ComputePool

    private let scratch: StepScratch
    private let residual: Tensor
    private let finalRows: Tensor
    private let headRows: Tensor
    private let logits: Tensor

    /// Finds the slice's weights; nothing of other slices is touched.
    ///
    /// - Parameters:
    ///   - checkpoint: an open folder.
    ///   - slice: at least one layer.
    ///   - latents: made for the slice's layers.
    ///   - compute: may be shared with other models.
    public convenience init(
        checkpoint: Checkpoint, slice: Slice, latents: LatentPool, compute: ComputePool
    ) throws(Refusal) {
        try self.init(
            checkpoint: checkpoint, slice: slice, latents: latents, compute: compute, limits: nil)
    }

    /// Finds the slice's weights; `limits` other than the usual are for tests.
    init(
        checkpoint: Checkpoint, slice: Slice, latents: LatentPool, compute: ComputePool,
        limits: PartLimits?
    ) throws(Refusal) {
        let model = checkpoint.configuration
        precondition(
            !slice.layers.isEmpty && slice.layers.lowerBound >= 0
                && slice.layers.upperBound <= model.layerCount,
            "layers \(slice.layers) of \(model.layerCount)")
        precondition(
            latents.layers == slice.layers && latents.rowWidth == model.latentRowWidth,
            "a pool for layers \(latents.layers), not \(slice.layers)")
        try Self.refuseSparseAttention(checkpoint)
        let rotary = YarnRotary(configuration: model)
        embedding = slice.holdsEmbedding ? try Embedding(checkpoint: checkpoint) : nil
        var blocks: [Block] = []
        for layer in slice.layers {
            blocks.append(
                try Block(checkpoint: checkpoint, layer: LayerIndex(layer), rotary: rotary))
        }
        self.blocks = blocks
        head = slice.holdsHead ? try OutputHead(checkpoint: checkpoint) : nil
        configuration = model
        self.slice = slice
        self.latents = latents
        self.compute = compute
        scratch = StepScratch(model, limits: limits)
        residual = Tensor(rows: 0, columns: model.hiddenSize)
        finalRows = Tensor(rows: 0, columns: model.hiddenSize)
        headRows = Tensor(rows: 0, columns: model.hiddenSize)
        logits = Tensor(rows: 0, columns: slice.holdsHead ? model.vocabularySize : 0)
    }

    /// Refuses a model whose attention Skein cannot compute yet: dense attention would give wrong
    /// numbers beyond the indexer's top-k.
    static func refuseSparseAttention(_ checkpoint: Checkpoint) throws(Refusal) {
        guard let indexer = checkpoint.configuration.indexer else { return }
        throw Refusal(
            checkpoint.folder,
            "needs sparse attention (index_topk \(indexer.topK)), which is not available yet")
    }

    /// Runs one step.
    ///
    /// - Parameters:
    ///   - spans: the rows, sequence by sequence; positions before a span's first were run before,
    ///     or are brought by its page copy.
    ///   - hidden: `[row, hidden]` from the slice before; absent where the slice has the embedding.
    ///   - capture: what to keep beside the result.
    /// - Returns: the residual and the demanded logits, valid until the next step.
    public func run(
        _ spans: [SequenceSpan], hidden: Tensor? = nil, capture: Capture = []
    ) throws(Refusal) -> SliceOutput {
        guard (hidden == nil) == slice.holdsEmbedding else {
            throw Refusal(
                "micro-batch",
                slice.holdsEmbedding
                    ? "carries a residual, but layer 0 starts from tokens"
                    : "carries no residual for layer \(slice.layers.lowerBound)")
        }
        try StepCheck(configuration: configuration, pageCount: latents.pageCount)
            .check(spans, residual: hidden)
        for copy in spans.compactMap(\.pageCopy) {
            latents.copyPage(from: copy.source, to: copy.target, rowCount: copy.rowCount)
        }
        let step = Step(spans)
        if let hidden {
            residual.copy(from: hidden)
            residual.roundToBFloat16()
        } else {
            embedding?.look(up: spans.flatMap(\.tokens), into: residual)
        }
        var captured: [CapturedValue] = []
        for block in blocks {
            let choice = block.run(
                residual, step: step, latents: latents.view(of: block.layer), scratch: scratch,
                on: compute)
            if capture.contains(.hidden) {
                captured.append(.init(.hidden(block.layer), rows: residual))
            }
            if capture.contains(.router), let choice {
                captured += CapturedValue.route(choice, of: block.layer)
            }
        }
        guard let head else { return SliceOutput(residual: residual, captured: captured) }
        return finish(head, spans: spans, capture: capture, captured: captured)
    }

    /// Applies the head to the rows whose logits are demanded.
    private func finish(
        _ head: OutputHead, spans: [SequenceSpan], capture: Capture, captured: [CapturedValue]
    ) -> SliceOutput {
        var captured = captured
        let rows = Self.demandedRows(spans, capture: capture)
        if capture.contains(.hidden) {
            captured.append(.init(.finalHidden, rows: finalHidden()))
        }
        headRows.resize(rows: rows.count)
        logits.resize(rows: rows.count)
        guard !rows.isEmpty else {
            return SliceOutput(residual: residual, logits: logits, captured: captured)
        }
        for (place, row) in rows.enumerated() {
            headRows.copyRow(place, from: residual, row: row)
        }
        head.norm(headRows, into: finalRows, on: compute)
        head.score(finalRows, into: logits, on: compute)
        if capture.contains(.logits) { captured.append(.init(.logits, rows: logits)) }
        return SliceOutput(
            residual: residual, logits: logits, logitRows: rows, captured: captured)
    }

    /// Norms all rows of the last step: what a multi-token-prediction layer starts from.
    ///
    /// - Precondition: the slice has the head.
    /// - Returns: `[row, hidden]`, valid until the next step.
    public func finalHidden() -> Tensor {
        guard let head else { preconditionFailure("a slice without the head has no final norm") }
        head.norm(residual, into: finalRows, on: compute)
        return finalRows
    }

    /// The rows whose logits are wanted, ascending: all rows where logits are captured, all rows
    /// of a span with targets, and the last row of a span that demands a token.
    public static func demandedRows(_ spans: [SequenceSpan], capture: Capture) -> [Int] {
        var rows: [Int] = []
        var first = 0
        for span in spans {
            let end = first + span.tokens.count
            if capture.contains(.logits) || !span.targets.isEmpty {
                rows += first..<end
            } else if span.demand != nil {
                rows.append(end - 1)
            }
            first = end
        }
        return rows
    }
}
