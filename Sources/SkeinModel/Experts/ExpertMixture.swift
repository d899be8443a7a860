import SkeinCore
import SkeinTensor
import SkeinWeights

/// The experts of a MoE layer: routed ones by choice, shared ones always.
///
///     normed (F32) ─► gate ─► choice ───────────────────────────┐
///       └─► BF16 ─┬─► routed experts ─► BF16 ─► × weights ─► sum ─┴─► + shared
///                 └─► shared experts ───────────────────────────────────▲
///
/// A row's outputs are added in ascending order of expert, in F32, so the sum does not depend on
/// where an expert ran or which returned first.
struct ExpertMixture {
    private let gate: Gate

    /// The routed experts that are local.
    private let routed: ExpertShard
    private let shared: FeedForward?
    private let form: RowForm

    /// Whether no routed expert is remote.
    let isWhole: Bool

    /// Finds a layer's experts in a checkpoint.
    ///
    /// - Parameters:
    ///   - local: the routed experts that are local, where not all are.
    ///   - form: how routed experts receive their rows.
    init(
        checkpoint: Checkpoint, layer: Int, routing: ModelConfiguration.Routing,
        local: [Range<Int>]? = nil, form: RowForm = .bf16
    ) throws(Refusal) {
        gate = try Gate(checkpoint: checkpoint, layer: layer, routing: routing)
        routed = try ExpertShard(
            checkpoint: checkpoint, layer: layer, ranges: local ?? [0..<routing.expertCount])
        shared =
            routing.sharedExpertCount == 0
            ? nil
            : try FeedForward(
                checkpoint: checkpoint, names: WeightName.layer(layer).shared,
                innerSize: routing.sharedExpertCount * routing.expertIntermediateSize)
        isWhole = routed.experts.count == routing.expertCount
        self.form = form
    }

    /// Chooses experts for each row.
    ///
    /// - Parameter normed: `[row, hidden]`; rounded to BF16 on return, as local and remote experts
    ///   receive it.
    func choose(_ normed: Tensor, scratch: StepScratch, on pool: ComputePool) -> ExpertChoice {
        let choice = gate.choose(normed, scores: scratch.scores, on: pool)
        normed.roundToBFloat16(on: pool)
        if form == .fp8 { RowTiles.round(normed, into: scratch.rounded) }
        return choice
    }

    /// The rows as routed experts receive them.
    func routedRows(_ scratch: StepScratch) -> Tensor {
        form == .fp8 ? scratch.rounded : scratch.normed
    }

    /// The places in a choice whose experts are remote, ascending.
    func remoteSlots(of choice: ExpertChoice) -> [Int] {
        isWhole ? [] : choice.experts.indices.filter { !routed.holds(choice.experts[$0]) }
    }

    /// Applies the chosen experts, all of them local, and adds what they give.
    ///
    /// - Parameter result: resized to `[row, hidden]`.
    func apply(
        _ choice: ExpertChoice, scratch: StepScratch, into result: Tensor, on pool: ComputePool
    ) {
        precondition(isWhole, "some experts are remote")
        applyShared(choice, scratch: scratch, into: result, on: pool)
        let parts = routed.parts(
            of: choice.experts, count: choice.experts.count, scratch.limits.expertRowsMax)
        for part in parts {
            let experts = routed.experts[part]
            add(experts, of: choice, scratch: scratch, to: result, on: pool)
        }
    }

    /// Applies the shared experts alone.
    private func applyShared(
        _ choice: ExpertChoice, scratch: StepScratch, into result: Tensor, on pool: ComputePool
    ) {
        if let shared {
            shared.apply(scratch.normed, into: result, on: pool)
        } else {
            result.resize(rows: choice.rowCount)
            result.fill(0)
        }
    }

    /// Applies the shared experts and those of the routed ones that are local, while others are
    /// asked.
    ///
    /// - Parameter result: resized to `[row, hidden]`; what the shared experts give.
    /// - Returns: what the local routed ones give.
    func applyLocal(
        _ choice: ExpertChoice, scratch: StepScratch, into result: Tensor, on pool: ComputePool
    ) -> ExpertOutputs? {
        applyShared(choice, scratch: scratch, into: result, on: pool)
        let slots = choice.experts.indices.filter { routed.holds(choice.experts[$0]) }
        guard !slots.isEmpty else { return nil }
        let bytes = routed.packedOutputs(
            routedRows(scratch),
            choices: slots.map {
                RowChoice(row: $0 / choice.slotCount, expert: choice.experts[$0])
            }, rowsMax: scratch.limits.expertRowsMax, scratch: scratch.expertOutputs, on: pool)
        return ExpertOutputs(slots: slots, bytes: bytes)
    }

    /// Adds what all experts gave, in the order in which local ones would have been added.
    ///
    /// - Parameters:
    ///   - outputs: together one row for each slot of the choice.
    ///   - result: what the shared experts gave.
    static func combine(
        _ choice: ExpertChoice, _ outputs: [ExpertOutputs], scratch: StepScratch,
        into result: Tensor
    ) {
        let rowBytes = 2 * result.columnCount
        var sources = [(part: Int, place: Int)](
            repeating: (-1, 0), count: choice.experts.count)
        for (part, some) in outputs.enumerated() {
            precondition(
                some.bytes.count == some.slots.count * rowBytes,
                "\(some.bytes.count) bytes for \(some.slots.count) outputs")
            for (place, slot) in some.slots.enumerated() { sources[slot] = (part, place) }
        }
        let line = scratch.expertOutputs
        line.resize(rows: 1)
        for (slot, source) in sources.enumerated() {
            precondition(source.part >= 0, "no output for slot \(slot)")
            let first = source.place * rowBytes
            let bytes = outputs[source.part].bytes
            line.load(bfloat16: bytes.span.bytes.extracting(first..<first + rowBytes))
            Elementwise.addScaled(
                line, row: 0, weight: choice.weights[slot], to: result,
                row: slot / choice.slotCount)
        }
    }

    /// Adds the weighed outputs of some experts to their rows.
    ///
    /// Rows come in order and, within a row, experts ascending: with ascending parts this is one
    /// order for every row, whatever the parts.
    private func add(
        _ experts: ArraySlice<Int>, of choice: ExpertChoice, scratch: StepScratch,
        to result: Tensor, on pool: ComputePool
    ) {
        guard let first = experts.first, let last = experts.last else { return }
        // All of the layer's experts are local here, so a run of them is a range.
        let part = first..<last + 1
        let slots = choice.experts.indices.filter { part.contains(choice.experts[$0]) }
        guard !slots.isEmpty else { return }
        let pairs = slots.enumerated().map { place, slot in
            (
                expert: choice.experts[slot] - part.lowerBound, inputRow: slot / choice.slotCount,
                outputRow: place
            )
        }
        routed.apply(
            routedRows(scratch), part: part,
            assignments: ExpertAssignments(
                expertCount: part.count, pairs: pairs, outputRowCount: slots.count),
            into: scratch.expertOutputs, on: pool)
        // The places of each row's slots, which follow each other.
        var starts = [Int](repeating: 0, count: choice.rowCount + 1)
        for slot in slots { starts[slot / choice.slotCount + 1] += 1 }
        for row in 0..<choice.rowCount { starts[row + 1] += starts[row] }
        pool.forEachRow(choice.rowCount) { row in
            for place in starts[row]..<starts[row + 1] {
                Elementwise.addScaled(
                    scratch.expertOutputs, row: place, weight: choice.weights[slots[place]],
                    to: result, row: row)
            }
        }
    }
}
