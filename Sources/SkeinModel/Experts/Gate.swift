import SkeinCore
import SkeinTensor
import SkeinWeights

/// Chooses experts for each row (specification section 3.8).
///
///     row ──► logits (F32) ──► scores ──► + bias ──► groups ──► experts ──► weights from scores
///
/// Among equals the lower index is chosen, for groups and for experts.
struct Gate: Sendable {
    private let routing: ModelConfiguration.Routing

    /// `[expert, hidden]`.
    private let weight: PackedWeight

    /// Steers the choice only; empty where the method has none.
    private let bias: [Float]

    init(routing: ModelConfiguration.Routing, weight: PackedWeight, bias: [Float]) {
        precondition(weight.rowCount == routing.expertCount, "a gate of \(weight.rowCount) rows")
        self.routing = routing
        self.weight = weight
        self.bias = bias
    }

    /// Finds a layer's gate in a checkpoint.
    init(
        checkpoint: Checkpoint, layer: Int, routing: ModelConfiguration.Routing
    ) throws(Refusal) {
        let names = WeightName.layer(layer)
        self.init(
            routing: routing,
            weight: try checkpoint.multiplier(
                names.gate, rows: routing.expertCount,
                columns: checkpoint.configuration.hiddenSize),
            bias: routing.method == .noAuxiliaryLoss
                ? try checkpoint.vector(names.gateBias, count: routing.expertCount) : [])
    }

    /// Chooses for every row.
    ///
    /// - Parameters:
    ///   - rows: `[row, hidden]`, normed and not rounded: choices are decided in F32.
    ///   - scores: scratch, `[_, expertCount]`.
    func choose(_ rows: Tensor, scores: Tensor, on pool: ComputePool) -> ExpertChoice {
        MatrixProduct.multiply(rows, by: weight, in: .float32, into: scores, on: pool)
        return Self.choose(fromLogits: scores, routing: routing, bias: bias, on: pool)
    }

    /// Chooses from logits `[row, expertCount]`, which become scores in place.
    static func choose(
        fromLogits logits: Tensor, routing: ModelConfiguration.Routing, bias: [Float],
        on pool: ComputePool
    ) -> ExpertChoice {
        switch routing.scoring {
        case .softmax: Softmax.apply(logits)
        case .sigmoid: Elementwise.sigmoid(logits)
        }
        let slotCount = routing.expertsPerTokenCount
        let chosen = pool.mapRows(logits.rowCount) { row in
            let scores = logits.row(row)
            let experts = places(scores: scores, routing: routing, bias: bias)
            return (experts, combineWeights(experts.map { scores[$0] }, routing: routing))
        }
        return ExpertChoice(
            slotCount: slotCount, experts: chosen.flatMap(\.0), weights: chosen.flatMap(\.1))
    }

    /// The chosen experts of one row, ascending.
    private static func places(
        scores: [Float], routing: ModelConfiguration.Routing, bias: [Float]
    ) -> [Int] {
        var choosing = scores
        if routing.method == .noAuxiliaryLoss {
            // The bias steers which experts are chosen; the weights must not see it, or balancing
            // the load would change the answer.
            for expert in choosing.indices { choosing[expert] += bias[expert] }
        }
        if routing.method != .greedy && routing.groupCount > 1 {
            dropGroups(&choosing, routing: routing)
        }
        return TopK.places(in: choosing, kept: routing.expertsPerTokenCount).sorted()
    }

    /// Leaves the best groups and sets all other experts out of reach: not to 0, which would beat
    /// a negative biased score.
    private static func dropGroups(
        _ choosing: inout [Float], routing: ModelConfiguration.Routing
    ) {
        let size = routing.expertCount / routing.groupCount
        let groupScores = (0..<routing.groupCount).map { group -> Float in
            var (best, second) = (-Float.infinity, -Float.infinity)
            for score in choosing[group * size..<(group + 1) * size] {
                if score > best {
                    (best, second) = (score, best)
                } else if score > second {
                    second = score
                }
            }
            return routing.method == .noAuxiliaryLoss ? best + second : best
        }
        let kept = TopK.places(in: groupScores, kept: routing.keptGroupCount)
        for expertGroup in 0..<routing.groupCount where !kept.contains(expertGroup) {
            let first = expertGroup * size
            for expert in first..<first + size { choosing[expert] = -.infinity }
        }
    }

    /// Turns the chosen scores into the weights of the experts' outputs.
    private static func combineWeights(
        _ scores: [Float], routing: ModelConfiguration.Routing
    ) -> [Float] {
        // V2 either normalises or scales, and leaves a single expert as it is; others do both.
        let doesBoth = routing.scalesNormalizedWeights
        let normalizes = routing.normalizesWeights && (doesBoth || scores.count > 1)
        guard normalizes else { return scores.map { $0 * routing.scalingFactor } }
        let sum = scores.reduce(0, +) + 1e-20
        return scores.map { doesBoth ? $0 / sum * routing.scalingFactor : $0 / sum }
    }
}
