internal import SkeinCache
internal import SkeinCore
internal import SkeinDecoding
internal import SkeinModel
internal import SkeinTensor
internal import SkeinWeights
internal import SkeinWire

/// What one step leaves behind.
struct StageOutcome: Sendable {
    /// Where the micro-batch goes from here.
    enum Result: Sendable {
        /// To the next stage.
        case hidden(RowFrames)
        /// Back to the coordinator.
        case tokens(TokenReturn)
    }

    let result: Result
    let captured: [Captured.Value]
}

/// How a step ended, and when it ran on the compute thread.
struct StageRun: Sendable {
    let outcome: Result<StageOutcome, Refusal>
    let began: ContinuousClock.Instant
    let ended: ContinuousClock.Instant

    /// How much of that it computed: all but what it waited for remote experts.
    let computed: Duration
}

/// One slice of the model with the latent cache of its layers; computes one micro-batch at a time.
///
/// Where experts are remote (`Stage+RemoteExperts`), a micro-batch that waits for them leaves the
/// stage to the next one: the micro-batch awaits, the actor goes on.
///
/// A stage keeps nothing of a sequence but its latent rows: how to sample, and what came before,
/// travel with the micro-batch. So a stage that takes over a slice needs nothing but tokens to run
/// again.
actor Stage {
    let model: SliceModel

    /// How to reach remote experts; absent where all are local.
    private(set) var remote: RemoteExperts?
    var turns = StepTurns()
    var waitingForTurns: [CheckedContinuation<Void, Never>] = []
    /// Steps that wait for experts now.
    var awaitingCount = 0

    private let thread: ComputeThread
    private let hopForm: RowForm
    private let incoming: Tensor
    private var sampler = Sampler()

    /// Guesses ahead; only on the last stage, and where the placement says so.
    private let prediction: MultiTokenPrediction?

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Maps the slice's weights and makes room for its latents.
    init(
        checkpoint: Checkpoint, slice: Slice, held: HeldExperts,
        placement: SkeinWire.Placement, pool: ComputePool, thread: ComputeThread
    ) throws(Refusal) {
        let configuration = checkpoint.configuration
        let latents = try LatentPool(
            configuration: configuration, slice: slice, pageCount: placement.settings.pageCount,
            form: placement.settings.latentForm)
        try latents.populate()
        model = try SliceModel(
            checkpoint: checkpoint, slice: slice, latents: latents, compute: pool, held: held,
            form: placement.settings.dispatchForm)
        prediction =
            slice.predicts(placement.settings) && checkpoint.holdsNextTokenLayers
            ? try Self.prediction(checkpoint, placement.settings, pool) : nil
        hopForm = placement.settings.hopForm
        incoming = Tensor(.incoming, of: configuration)
        self.thread = thread
    }

    /// The prediction layer, with latent pages of the same numbers as the stage's own.
    private static func prediction(
        _ checkpoint: Checkpoint, _ settings: StageSettings, _ pool: ComputePool
    ) throws(Refusal) -> MultiTokenPrediction {
        let configuration = checkpoint.configuration
        let latents = try LatentPool(
            configuration: configuration,
            slice: Slice(
                layers: MultiTokenPrediction.layers(of: configuration), holdsEmbedding: false,
                holdsHead: false),
            pageCount: settings.pageCount, form: settings.latentForm)
        try latents.populate()
        return try MultiTokenPrediction(checkpoint: checkpoint, latents: latents, compute: pool)
    }

    /// Opens the links to remote experts, before the first micro-batch.
    func join(_ remote: RemoteExperts) { self.remote = remote }

    /// Runs a micro-batch.
    ///
    /// - Parameter number: counts the steps in the order in which they came.
    /// - Returns: what goes onward, or why the step cannot be run. The times are those of the
    ///   compute alone: a stage that waits for its turn on a shared thread is not busy.
    func run(_ step: Step, number: Int) async -> StageRun {
        if let remote { return await run(step, number: number, with: remote) }
        let began = ContinuousClock.now
        let outcome: Result<StageOutcome, Refusal>
        do throws(Refusal) {
            let microBatch = step.microBatch
            let output = try model.run(
                microBatch.spans, hidden: try hidden(of: step), capture: microBatch.capture)
            outcome = .success(try self.outcome(of: microBatch, output))
        } catch {
            outcome = .failure(error)
        }
        let ended = ContinuousClock.now
        return StageRun(outcome: outcome, began: began, ended: ended, computed: ended - began)
    }

    /// The rows that came with a step, valid until the next is taken.
    func hidden(of step: Step) throws(Refusal) -> Tensor? {
        guard let frame = step.hidden else { return nil }
        let expected = hopForm.element
        guard frame.element == expected, frame.columnCount == incoming.columnCount else {
            throw Refusal(
                "micro-batch \(step.microBatch.id.rawValue)",
                "carries \(frame.element) rows of \(frame.columnCount), expected \(expected) rows "
                    + "of \(incoming.columnCount)")
        }
        RowFrames(rows: frame, scales: step.scales).load(into: incoming)
        return incoming
    }

    /// Packs what a step left behind.
    func outcome(
        of microBatch: MicroBatch, _ output: SliceOutput
    ) throws(Refusal) -> StageOutcome {
        let captured = output.captured.map(Captured.Value.init)
        guard let logits = output.logits else {
            let hidden = RowFrames(output.residual, hopForm)
            return StageOutcome(result: .hidden(hidden), captured: captured)
        }
        var tokens = try draw(microBatch, logits: logits, logitRows: output.logitRows)
        if let prediction { try draft(microBatch, for: &tokens, by: prediction) }
        return StageOutcome(result: .tokens(tokens), captured: captured)
    }

    /// Draws the demanded tokens and scores the targets, where the logits are.
    private func draw(
        _ microBatch: MicroBatch, logits: Tensor, logitRows: [Int]
    ) throws(Refusal) -> TokenReturn {
        var outcome = TokenReturn(microBatch: microBatch.id, epoch: microBatch.epoch, tokens: [])
        var places = [Int](repeating: -1, count: microBatch.rowCount)
        for (place, row) in logitRows.enumerated() { places[row] = place }
        var first = 0
        for span in microBatch.spans {
            for (offset, target) in span.targets.enumerated() {
                let score = try logits.withRow(places[first + offset]) { row throws(Refusal) in
                    try sampler.score(target, in: row, topCount: span.targetTopLogprobsCount)
                }
                outcome.targetScores.append(score)
            }
            if let demand = span.demand {
                let last = first + span.tokens.count - 1 - span.draftCount
                let rows = (last...last + span.draftCount).map { places[$0] }
                outcome.tokens += try draw(demand, span: span, rows: rows, of: logits)
            }
            first += span.tokens.count
        }
        return outcome
    }

    /// Draws the token after a span's last row that is no draft, and goes on for as long as the
    /// drafts are what is drawn: then the next row is what plain decoding would have run.
    private func draw(
        _ demand: SamplingDemand, span: SequenceSpan, rows: [Int], of logits: Tensor
    ) throws(Refusal) -> [SampledToken] {
        var demand = demand
        var drawn: [SampledToken] = []
        let first = span.firstPosition + span.tokens.count - span.draftCount
        var drafts = span.drafts
        for (offset, row) in rows.enumerated() {
            let token = try logits.withRow(row) { row throws(Refusal) in
                try sampler.sample(
                    row, demand: demand, sequence: span.sequence, position: first + offset)
            }
            drawn.append(token)
            guard drafts.popFirst() == token.token else { break }
            if demand.parameters.needsHistory { demand.completionTokens.append(token.token) }
        }
        return drawn
    }

    /// Lets the prediction layer read what was run, and guess what follows the tokens drawn.
    private func draft(
        _ microBatch: MicroBatch, for outcome: inout TokenReturn,
        by prediction: MultiTokenPrediction
    ) throws(Refusal) {
        let requests = DraftRequest.all(of: microBatch, drawn: outcome.tokens)
        guard requests.contains(where: { $0 != nil }) else { return }
        let drafts = try prediction.drafts(
            for: requests.compactMap(\.self), finalHidden: model.finalHidden())
        var remaining = drafts[...]
        for (span, request) in zip(microBatch.spans, requests) {
            let guessed = request == nil ? [] : remaining.popFirst() ?? []
            if span.demand != nil { outcome.drafts.append(guessed) }
        }
    }
}

extension DraftRequest {
    /// What the prediction layer is asked for each span; `nil` where nothing.
    ///
    /// - Parameter drawn: in span order; a span's tokens come one after the other.
    static func all(of microBatch: MicroBatch, drawn: [SampledToken]) -> [DraftRequest?] {
        var drawn = drawn[...]
        var first = 0
        return microBatch.spans.map { span in
            defer { first += span.tokens.count }
            var rows = span
            if span.demand != nil {
                let own = drawn.prefix { $0.sequence == span.sequence }
                drawn = drawn.dropFirst(own.count)
                guard span.isPredicted || span.draftsWantedCount > 0, let last = own.last
                else { return nil }
                // Rows of drafts that were wrong are nobody's.
                let kept = span.tokens.prefix(span.tokens.count - span.draftCount + own.count - 1)
                rows.tokens = kept.dropFirst() + [last.token]
            } else {
                guard let following = span.followingToken else { return nil }
                rows.tokens = span.tokens.dropFirst() + [following]
            }
            return DraftRequest(span: rows, firstRow: first, draftCount: span.draftsWantedCount)
        }
    }
}

/// Weights in memory, and whose they are.
struct LoadedWeights: Sendable {
    /// The slices, in ring order.
    let slices: [Slice]
    /// Their experts.
    let held: HeldExperts
    /// Whether the prediction layer is among them.
    let holdsPrediction: Bool
    /// The checkpoint with what was packed.
    let checkpoint: Checkpoint
    /// Bytes that the slices and experts touch.
    let byteCount: Int

    /// Whether they are what a placement gives to a node.
    func fit(_ part: NodePart) -> Bool {
        slices == part.stages.map(\.slice) && held == part.held
            && (holdsPrediction || !part.predicts(checkpoint))
    }
}

/// Loads the stages of one node.
struct StageLoader: Sendable {
    let checkpoint: Checkpoint
    /// What is in memory from the placement before, and serves again where it fits.
    let former: LoadedWeights?
    let weightForm: WeightForm
    let packedCachePath: String?
    let pool: ComputePool
    let thread: ComputeThread
    let onProgress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) -> Void

    /// What a node has loaded.
    struct Loaded {
        var stages: [StageIndex: Stage] = [:]
        var shardHost: ShardHost?
        let weights: LoadedWeights
    }

    /// Verifies, reads and joins the weights of a node.
    ///
    /// Everything is verified before anything is read, so that a missing tensor of the last layer
    /// is said at once.
    func load(_ part: NodePart) throws(Refusal) -> Loaded {
        let weights = try weights(of: part)
        var result = Loaded(weights: weights)
        for place in part.stages {
            result.stages[place.index] = try Stage(
                checkpoint: weights.checkpoint, slice: place.slice, held: weights.held,
                placement: part.placement, pool: pool, thread: thread)
        }
        if !part.servedRanges.isEmpty {
            result.shardHost = try ShardHost(
                checkpoint: weights.checkpoint, ranges: part.servedRanges, pool: pool,
                thread: thread)
        }
        return result
    }

    private func weights(of part: NodePart) throws(Refusal) -> LoadedWeights {
        if let former, former.fit(part) { return former }
        let slices = part.stages.map(\.slice)
        let predicts = part.predicts(checkpoint)
        let plan = WeightPlan(
            configuration: checkpoint.configuration, slices: slices, held: part.held,
            includesNextTokenLayers: predicts)
        let byteCount = try checkpoint.heldBytes(plan, as: weightForm)
        let loaded = try checkpoint.loaded(
            plan, as: weightForm, cacheFolder: packedCachePath, on: pool, onProgress: onProgress)
        return LoadedWeights(
            slices: slices, held: part.held, holdsPrediction: predicts, checkpoint: loaded,
            byteCount: byteCount)
    }
}

extension Captured.Value {
    /// The wire's form of a value that the model kept.
    init(_ value: CapturedValue) {
        let bytes: [UInt8]
        switch value.numbers {
        case .float32(let numbers): bytes = LittleEndian.bytes(of: numbers)
        case .int32(let numbers): bytes = LittleEndian.bytes(of: numbers)
        }
        let rowCount = value.columnCount == 0 ? 0 : bytes.count / 4 / value.columnCount
        self.init(
            value.kind,
            TensorFrame(
                value.kind.element, rows: rowCount, columns: value.columnCount, bytes: bytes))
    }
}

/// Numbers as the wire has them.
enum LittleEndian {
    static func bytes(of numbers: [Float]) -> [UInt8] { bytes(of: numbers.map(\.bitPattern)) }

    static func bytes(of numbers: [Int32]) -> [UInt8] {
        bytes(of: numbers.map { UInt32(bitPattern: $0) })
    }

    private static func bytes(of words: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.count * 4)
        for word in words {
            bytes.append(UInt8(truncatingIfNeeded: word))
            bytes.append(UInt8(truncatingIfNeeded: word >> 8))
            bytes.append(UInt8(truncatingIfNeeded: word >> 16))
            bytes.append(UInt8(truncatingIfNeeded: word >> 24))
        }
        return bytes
    }
}
