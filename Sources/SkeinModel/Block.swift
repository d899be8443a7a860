import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights

/// One layer: attention, then the dense unit or the experts, each behind a norm and added to the
/// residual (specification section 3.3).
struct Block {
    private enum Feed {
        case dense(FeedForward)
        case mixture(ExpertMixture)
    }

    /// As the checkpoint numbers it.
    let layer: LayerIndex

    private let inputNorm: [Float]
    private let attention: LatentAttention
    private let postAttentionNorm: [Float]
    private let feed: Feed
    private let epsilon: Float

    /// How far a layer came.
    enum Progress {
        /// To its end; with the chosen experts of a MoE layer.
        case done(ExpertChoice?)
        /// To its experts, some of which are remote, by their places in the choice.
        case waits(ExpertChoice, slots: [Int])
    }

    /// Finds a layer in a checkpoint; a layer after the main ones is a MoE layer where there are
    /// experts at all.
    ///
    /// - Parameters:
    ///   - local: the routed experts that are local, where not all are.
    ///   - form: how routed experts receive their rows.
    init(
        checkpoint: Checkpoint, layer: LayerIndex, rotary: YarnRotary, local: [Range<Int>]? = nil,
        form: RowForm = .bf16
    ) throws(Refusal) {
        let model = checkpoint.configuration
        let names = WeightName.layer(layer.rawValue)
        let isMixture =
            layer.rawValue >= model.layerCount || model.layerIsMixture[layer.rawValue]
        inputNorm = try checkpoint.vector(names.inputNorm, count: model.hiddenSize)
        attention = try LatentAttention(
            checkpoint: checkpoint, layer: layer.rawValue, rotary: rotary)
        postAttentionNorm = try checkpoint.vector(
            names.postAttentionNorm, count: model.hiddenSize)
        if isMixture, let routing = model.routing {
            feed = .mixture(
                try ExpertMixture(
                    checkpoint: checkpoint, layer: layer.rawValue, routing: routing, local: local,
                    form: form))
        } else {
            feed = .dense(
                try FeedForward(
                    checkpoint: checkpoint, names: names.dense,
                    innerSize: model.intermediateSize))
        }
        epsilon = model.normEpsilon
        self.layer = layer
    }

    /// Runs the layer on a residual, which is BF16 before and after: a hop loses nothing.
    ///
    /// - Parameter residual: `[row, hidden]`; overwritten.
    func run(
        _ residual: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) -> Progress {
        let (normed, branch) = (scratch.normed, scratch.branch)
        RootMeanSquare.normalize(
            residual, weight: inputNorm, epsilon: epsilon, into: normed, on: pool)
        attend(step: step, latents: latents, scratch: scratch, on: pool)
        Elementwise.add(branch, to: residual, on: pool)
        RootMeanSquare.normalize(
            residual, weight: postAttentionNorm, epsilon: epsilon, into: normed, on: pool)
        var choice: ExpertChoice?
        switch feed {
        case .dense(let unit): unit.apply(normed, into: branch, on: pool)
        case .mixture(let experts):
            let chosen = experts.choose(normed, scratch: scratch, on: pool)
            let slots = experts.remoteSlots(of: chosen)
            guard slots.isEmpty else { return .waits(chosen, slots: slots) }
            choice = chosen
            if experts.isWhole {
                experts.apply(chosen, scratch: scratch, into: branch, on: pool)
            } else {
                let local = experts.applyLocal(chosen, scratch: scratch, into: branch, on: pool)
                ExpertMixture.combine(
                    chosen, local.map { [$0] } ?? [], scratch: scratch, into: branch)
            }
        }
        Elementwise.addRounding(branch, to: residual, on: pool)
        return .done(choice)
    }

    /// The rows that routed experts receive, `[row, hidden]`, of a layer that waits.
    func routedRows(_ scratch: StepScratch) -> Tensor { mixture.routedRows(scratch) }

    /// Runs those experts of a layer that waits which are local.
    func runLocal(
        _ choice: ExpertChoice, scratch: StepScratch, on pool: ComputePool
    ) -> ExpertOutputs? {
        mixture.applyLocal(choice, scratch: scratch, into: scratch.branch, on: pool)
    }

    /// Ends a layer that waited.
    ///
    /// - Parameter outputs: of all experts, local ones included.
    func combine(
        _ choice: ExpertChoice, _ outputs: [ExpertOutputs], scratch: StepScratch,
        into residual: Tensor, on pool: ComputePool
    ) {
        ExpertMixture.combine(choice, outputs, scratch: scratch, into: scratch.branch)
        Elementwise.addRounding(scratch.branch, to: residual, on: pool)
    }

    private var mixture: ExpertMixture {
        guard case .mixture(let experts) = feed else {
            preconditionFailure("layer \(layer.rawValue) has no experts to wait for")
        }
        return experts
    }

    /// Keeps what later rows attend to, and gives nothing.
    ///
    /// - Parameter residual: `[row, hidden]`; not changed.
    func keep(
        _ residual: Tensor, step: Step, latents: LatentView, scratch: StepScratch,
        on pool: ComputePool
    ) {
        RootMeanSquare.normalize(
            residual, weight: inputNorm, epsilon: epsilon, into: scratch.normed, on: pool)
        eachPart(of: step, scratch: scratch) { normed, part, _ in
            attention.keep(normed, step: part, latents: latents, scratch: scratch, on: pool)
        }
    }

    /// Leaves what attention gives for `scratch.normed` in `scratch.branch`.
    private func attend(
        step: Step, latents: LatentView, scratch: StepScratch, on pool: ComputePool
    ) {
        scratch.branch.resize(rows: step.rowCount)
        eachPart(of: step, scratch: scratch) { normed, part, rows in
            let isWhole = rows.count == step.rowCount
            let branch = isWhole ? scratch.branch : scratch.partBranch
            attention.apply(
                normed, step: part, latents: latents, scratch: scratch, into: branch, on: pool)
            guard !isWhole else { return }
            for (place, row) in rows.enumerated() {
                scratch.branch.copyRow(row, from: scratch.partBranch, row: place)
            }
        }
    }

    /// Takes the rows of `scratch.normed` in parts where they are many, in order, so that earlier
    /// rows are in the cache.
    private func eachPart(
        of step: Step, scratch: StepScratch, _ work: (Tensor, Step, Range<Int>) -> Void
    ) {
        let rowsMax = scratch.limits.attentionRowsMax
        scratch.part = 0
        guard step.rowCount > rowsMax else {
            return work(scratch.normed, step, 0..<step.rowCount)
        }
        for first in stride(from: 0, to: step.rowCount, by: rowsMax) {
            let rows = first..<min(first + rowsMax, step.rowCount)
            scratch.part = first / rowsMax
            scratch.partNormed.resize(rows: rows.count)
            for (place, row) in rows.enumerated() {
                scratch.partNormed.copyRow(place, from: scratch.normed, row: row)
            }
            work(scratch.partNormed, step.part(rows), rows)
        }
    }
}
