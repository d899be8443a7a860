internal import SkeinCore
internal import SkeinModel
internal import SkeinTensor
internal import SkeinWeights
internal import SkeinWire

/// How a dispatch ended, and when it ran on the compute thread.
struct ShardRun: Sendable {
    /// BF16 `[choice, hidden]`, or why there is none.
    let outcome: Result<TensorFrame, Refusal>
    let began: ContinuousClock.Instant
    let ended: ContinuousClock.Instant
}

/// The experts that a node serves to remote stages; computes one dispatch at a time.
///
/// It keeps nothing of a dispatch: experts know neither sequences nor positions.
actor ShardHost {
    private let thread: ComputeThread
    private let pool: ComputePool
    private let experts: [LayerIndex: ExpertShard]
    private let outputRowsMax: Int
    private let incoming: Tensor
    private let outputs: Tensor

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Maps the experts' weights.
    ///
    /// - Parameter ranges: experts by layer, ascending.
    init(
        checkpoint: Checkpoint, ranges: [LayerIndex: [Range<Int>]], pool: ComputePool,
        thread: ComputeThread
    ) throws(Refusal) {
        var experts: [LayerIndex: ExpertShard] = [:]
        for (layer, ranges) in ranges {
            experts[layer] = try ExpertShard(
                checkpoint: checkpoint, layer: layer.rawValue, ranges: ranges)
        }
        let model = checkpoint.configuration
        self.experts = experts
        self.pool = pool
        self.thread = thread
        outputRowsMax = PartLimits(model).expertRowsMax
        incoming = Tensor(.incoming, of: model)
        outputs = Tensor(.expertOutputs, of: model)
    }

    /// Applies the experts that a stage asks for.
    func run(_ dispatch: Dispatch) -> ShardRun {
        let began = ContinuousClock.now
        let outcome: Result<TensorFrame, Refusal>
        do throws(Refusal) {
            outcome = .success(try compute(dispatch))
        } catch {
            outcome = .failure(error)
        }
        return ShardRun(outcome: outcome, began: began, ended: .now)
    }

    private func compute(_ dispatch: Dispatch) throws(Refusal) -> TensorFrame {
        let subject = "dispatch of layer \(dispatch.layer.rawValue)"
        guard let shard = experts[dispatch.layer] else {
            throw Refusal(subject, "this node holds no experts of it")
        }
        if let stray = dispatch.experts.first(where: { !shard.holds($0) }) {
            throw Refusal(subject, "expert \(stray) is not on this node")
        }
        guard dispatch.rows.columnCount == incoming.columnCount else {
            throw Refusal(
                subject,
                "carries rows of \(dispatch.rows.columnCount), expected \(incoming.columnCount)")
        }
        RowFrames(rows: dispatch.rows, scales: dispatch.scales).load(into: incoming)
        var choices: [RowChoice] = []
        choices.reserveCapacity(dispatch.experts.count)
        for (row, count) in dispatch.choiceCounts.enumerated() {
            for _ in 0..<count {
                choices.append(RowChoice(row: row, expert: dispatch.experts[choices.count]))
            }
        }
        let bytes = shard.packedOutputs(
            incoming, choices: choices, rowsMax: outputRowsMax, scratch: outputs, on: pool)
        return TensorFrame(
            .bf16, rows: choices.count, columns: incoming.columnCount, bytes: bytes)
    }
}
