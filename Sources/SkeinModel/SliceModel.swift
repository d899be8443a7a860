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
    private let rotary: YarnRotary
    private let latents: LatentPool
    private let compute: ComputePool

    let scratch: StepScratch

    /// Room for steps; more than one only where some wait for remote experts.
    private var rooms: [SliceRoom]
    private var lastRoom: SliceRoom
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
    ///   - held: the routed experts that are local, of layers of which not all are.
    ///   - form: how routed experts receive their rows.
    public convenience init(
        checkpoint: Checkpoint, slice: Slice, latents: LatentPool, compute: ComputePool,
        held: HeldExperts = HeldExperts(), form: RowForm = .bf16
    ) throws(Refusal) {
        try self.init(
            checkpoint: checkpoint, slice: slice, latents: latents, compute: compute, held: held,
            form: form, limits: nil)
    }

    /// Finds the slice's weights; `limits` other than the usual are for tests.
    init(
        checkpoint: Checkpoint, slice: Slice, latents: LatentPool, compute: ComputePool,
        held: HeldExperts = HeldExperts(), form: RowForm = .bf16, limits: PartLimits?
    ) throws(Refusal) {
        let model = checkpoint.configuration
        precondition(
            !slice.layers.isEmpty && slice.layers.lowerBound >= 0
                && slice.layers.upperBound <= model.layerCount,
            "layers \(slice.layers) of \(model.layerCount)")
        precondition(
            latents.layers == slice.layers && latents.fits(model),
            "a pool for layers \(latents.layers), not \(slice.layers)")
        try Slice.checkCut(
            before: slice.layers.lowerBound, keeping: model.layersWithinStages,
            layerCount: model.layerCount, subject: "slice")
        rotary = YarnRotary(configuration: model)
        embedding = slice.holdsEmbedding ? try Embedding(checkpoint: checkpoint) : nil
        var blocks: [Block] = []
        for layer in slice.layers {
            blocks.append(
                try Block(
                    checkpoint: checkpoint, layer: LayerIndex(layer), rotary: rotary,
                    local: held.ranges[layer], form: form))
        }
        self.blocks = blocks
        head = slice.holdsHead ? try OutputHead(checkpoint: checkpoint) : nil
        configuration = model
        self.slice = slice
        self.latents = latents
        self.compute = compute
        scratch = StepScratch(model, limits: limits)
        lastRoom = SliceRoom(scratch, model)
        rooms = [lastRoom]
        finalRows = Tensor(rows: 0, columns: model.hiddenSize)
        headRows = Tensor(rows: 0, columns: model.hiddenSize)
        logits = Tensor(rows: 0, columns: slice.holdsHead ? model.vocabularySize : 0)
    }

    /// Runs one step whose experts are all local.
    ///
    /// - Parameters: as of ``begin(_:hidden:capture:)``.
    /// - Returns: the residual and the demanded logits, valid until the next step.
    public func run(
        _ spans: [SequenceSpan], hidden: Tensor? = nil, capture: Capture = []
    ) throws(Refusal) -> SliceOutput {
        let run = try begin(spans, hidden: hidden, capture: capture)
        while run.nextBlock < blocks.count {
            if let demand = advance(run) {
                preconditionFailure("layer \(demand.layer.rawValue) waits for remote experts")
            }
        }
        return finish(run)
    }

    /// Layers of the slice.
    public var blockCount: Int { blocks.count }

    /// Begins a step, which then goes ``advance(_:)`` by ``advance(_:)`` to ``finish(_:)``.
    ///
    /// Steps may be begun while others wait. None may come to a layer before one that was begun
    /// earlier, nor begin with a page copy before those have ended: they may share sequences.
    ///
    /// - Parameters:
    ///   - spans: the rows, sequence by sequence; positions before a span's first were run before,
    ///     or are brought by its page copy.
    ///   - hidden: `[row, hidden]` from the slice before; absent where the slice has the embedding.
    ///   - capture: what to keep beside the result.
    public func begin(
        _ spans: [SequenceSpan], hidden: Tensor? = nil, capture: Capture = []
    ) throws(Refusal) -> SliceRun {
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
        let room =
            rooms.popLast()
            ?? SliceRoom(StepScratch(configuration, beside: scratch), configuration)
        if let hidden {
            room.residual.copy(from: hidden)
            room.residual.roundToBFloat16(on: compute)
        } else {
            embedding?.look(up: spans.flatMap(\.tokens), into: room.residual)
        }
        let step = Step(spans, table: rotary.table, on: compute)
        return SliceRun(spans, step: step, capture: capture, room: room)
    }

    /// Runs a step's next layer, or the part of it before its experts where some are remote.
    ///
    /// - Returns: what is needed of remote experts, if anything is: then ``routedRows(of:)``,
    ///   ``runLocal(_:)`` and ``combine(_:_:)`` come next.
    public func advance(_ run: SliceRun) -> ExpertDemand? {
        precondition(run.demand == nil, "the step waits for experts")
        let block = blocks[run.nextBlock]
        run.nextBlock += 1
        switch block.run(
            run.room.residual, step: run.step, latents: latents.view(of: block.layer),
            scratch: run.room.scratch, on: compute)
        {
        case .done(let choice):
            run.capture(block.layer, choice)
            return nil
        case .waits(let choice, let slots):
            let demand = ExpertDemand(layer: block.layer, choice: choice, slots: slots)
            run.demand = demand
            return demand
        }
    }

    /// The rows that routed experts receive of a step that waits, `[row, hidden]`.
    public func routedRows(of run: SliceRun) -> Tensor {
        blocks[run.nextBlock - 1].routedRows(run.room.scratch)
    }

    /// Runs the shared experts, and those of the chosen ones that are local, of a step that
    /// waits.
    public func runLocal(_ run: SliceRun) {
        guard let demand = run.demand else { preconditionFailure("the step waits for nothing") }
        run.local = blocks[run.nextBlock - 1].runLocal(
            demand.choice, scratch: run.room.scratch, on: compute)
    }

    /// Ends the layer at which a step waits; ``runLocal(_:)`` was before.
    ///
    /// - Parameter outputs: for every demanded place of the choice, in any order.
    public func combine(_ run: SliceRun, _ outputs: [ExpertOutputs]) {
        guard let demand = run.demand else { preconditionFailure("the step waits for nothing") }
        blocks[run.nextBlock - 1].combine(
            demand.choice, outputs + (run.local.map { [$0] } ?? []), scratch: run.room.scratch,
            into: run.room.residual, on: compute)
        run.demand = nil
        run.local = nil
        run.capture(demand.layer, demand.choice)
    }

    /// Gives up a step that will not be finished.
    public func abandon(_ run: SliceRun) { rooms.append(run.room) }

    /// Ends a step that has run all layers.
    ///
    /// - Returns: the residual and the demanded logits, valid until the next step begins.
    public func finish(_ run: SliceRun) -> SliceOutput {
        precondition(
            run.nextBlock == blocks.count && run.demand == nil, "the step is not at its end")
        rooms.append(run.room)
        lastRoom = run.room
        guard let head else {
            return SliceOutput(residual: residual, captured: run.captured)
        }
        return finish(head, spans: run.spans, capture: run.captureWanted, captured: run.captured)
    }

    /// The residual of the step that was finished last.
    private var residual: Tensor { lastRoom.residual }

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
    /// of a span with targets, and of a span that demands a token the last row that is no draft,
    /// and its drafts.
    public static func demandedRows(_ spans: [SequenceSpan], capture: Capture) -> [Int] {
        var rows: [Int] = []
        var first = 0
        for span in spans {
            let end = first + span.tokens.count
            if capture.contains(.logits) || !span.targets.isEmpty {
                rows += first..<end
            } else if span.demand != nil {
                rows += (end - 1 - span.draftCount)..<end
            }
            first = end
        }
        return rows
    }
}
