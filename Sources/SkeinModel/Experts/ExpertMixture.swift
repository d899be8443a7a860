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
        let assignments = ExpertAssignments(
            chosen: choice.experts, slotCount: choice.slotCount, localExperts: routed.experts)
        routed.apply(
            normed, assignments: assignments, into: scratch.expertOutputs, on: pool)
        shared?.apply(normed, into: result, on: pool)
        scratch.expertWeights.resize(rows: choice.rowCount)
        for row in 0..<choice.rowCount {
            for slot in 0..<choice.slotCount {
                scratch.expertWeights[row, slot] = choice.weights[row * choice.slotCount + slot]
            }
        }
        Elementwise.combine(
            shared: shared == nil ? nil : result, expertOutputs: scratch.expertOutputs,
            weights: scratch.expertWeights, into: result)
        return choice
    }
}
