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
    private let routed: ExpertShard
    private let shared: FeedForward?

    /// Finds a layer's experts in a checkpoint.
    init(
        checkpoint: Checkpoint, layer: Int, routing: ModelConfiguration.Routing
    ) throws(Refusal) {
        gate = try Gate(checkpoint: checkpoint, layer: layer, routing: routing)
        routed = try ExpertShard(
            checkpoint: checkpoint, layer: layer, experts: 0..<routing.expertCount)
        shared =
            routing.sharedExpertCount == 0
            ? nil
            : try FeedForward(
                checkpoint: checkpoint, names: WeightName.layer(layer).shared,
                innerSize: routing.sharedExpertCount * routing.expertIntermediateSize)
    }

    /// Chooses experts for each row, applies them and adds what they give.
    ///
    /// - Parameters:
    ///   - normed: `[row, hidden]`; rounded to BF16 on return, as experts near and far receive it.
    ///   - result: resized to `[row, hidden]`.
    func apply(
        _ normed: Tensor, scratch: StepScratch, into result: Tensor, on pool: ComputePool
    ) -> ExpertChoice {
        let choice = gate.choose(normed, scores: scratch.scores, on: pool)
        normed.roundToBFloat16()
        if let shared {
            shared.apply(normed, into: result, on: pool)
        } else {
            result.resize(rows: choice.rowCount)
            result.fill(0)
        }
        for part in parts(of: choice, rowsMax: scratch.limits.expertRowsMax) {
            add(part, of: choice, normed: normed, scratch: scratch, to: result, on: pool)
        }
        return choice
    }

    /// Runs of experts, ascending, that serve at most `rowsMax` rows together, or one expert.
    private func parts(of choice: ExpertChoice, rowsMax: Int) -> [Range<Int>] {
        guard choice.experts.count > rowsMax else { return [routed.experts] }
        var counts = [Int](repeating: 0, count: routed.experts.count)
        for expert in choice.experts { counts[expert] += 1 }
        var parts: [Range<Int>] = []
        var (first, rowCount) = (0, 0)
        for (expert, count) in counts.enumerated() {
            if rowCount + count > rowsMax && first < expert {
                parts.append(first..<expert)
                (first, rowCount) = (expert, 0)
            }
            rowCount += count
        }
        return parts + [first..<counts.count]
    }

    /// Adds the weighed outputs of some experts to their rows.
    ///
    /// Rows come in order and, within a row, experts ascending: with ascending parts this is one
    /// order for every row, whatever the parts.
    private func add(
        _ part: Range<Int>, of choice: ExpertChoice, normed: Tensor, scratch: StepScratch,
        to result: Tensor, on pool: ComputePool
    ) {
        let slots = choice.experts.indices.filter { part.contains(choice.experts[$0]) }
        guard !slots.isEmpty else { return }
        let pairs = slots.enumerated().map { place, slot in
            (
                expert: choice.experts[slot] - part.lowerBound, inputRow: slot / choice.slotCount,
                outputRow: place
            )
        }
        routed.apply(
            normed, part: part,
            assignments: ExpertAssignments(
                expertCount: part.count, pairs: pairs, outputRowCount: slots.count),
            into: scratch.expertOutputs, on: pool)
        for (place, slot) in slots.enumerated() {
            Elementwise.addScaled(
                scratch.expertOutputs, row: place, weight: choice.weights[slot], to: result,
                row: slot / choice.slotCount)
        }
    }
}
