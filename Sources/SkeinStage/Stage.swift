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
        hopForm = placement.settings.hopForm
        incoming = Tensor(.incoming, of: configuration)
        self.thread = thread
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
        let tokens = try draw(microBatch, logits: logits, logitRows: output.logitRows)
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
                let last = first + span.tokens.count - 1
                outcome.tokens.append(try draw(demand, span: span, row: places[last], of: logits))
            }
            first += span.tokens.count
        }
        return outcome
    }

    private func draw(
        _ demand: SamplingDemand, span: SequenceSpan, row: Int, of logits: Tensor
    ) throws(Refusal) -> SampledToken {
        try logits.withRow(row) { row throws(Refusal) in
            try sampler.sample(
                row, demand: demand, sequence: span.sequence,
                position: span.firstPosition + span.tokens.count)
        }
    }
}

/// Weights in memory, and whose they are.
struct LoadedWeights: Sendable {
    /// The slices, in ring order.
    let slices: [Slice]
    /// Their experts.
    let held: HeldExperts
    /// The checkpoint with what was packed.
    let checkpoint: Checkpoint
    /// Bytes that the slices and experts touch.
    let byteCount: Int

    /// Whether they are what a placement gives to a node.
    func fit(_ part: NodePart) -> Bool {
        slices == part.stages.map(\.slice) && held == part.held
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
        let plan = WeightPlan(
            configuration: checkpoint.configuration, slices: slices, held: part.held)
        let byteCount = try checkpoint.heldBytes(plan, as: weightForm)
        let loaded = try checkpoint.loaded(
            plan, as: weightForm, cacheFolder: packedCachePath, on: pool, onProgress: onProgress)
        return LoadedWeights(
            slices: slices, held: part.held, checkpoint: loaded, byteCount: byteCount)
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
