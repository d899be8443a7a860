internal import Foundation
internal import SkeinCore
internal import SkeinTensor
internal import SkeinWeights

/// The dense unit or the experts of a layer (specification sections 3.7 and 3.8).
struct ReferenceExperts {
    private let weights: ReferenceWeights
    private let names: LayerWeightNames
    private let model: ModelConfiguration
    private let routing: ModelConfiguration.Routing?

    init(_ weights: ReferenceWeights, layer: Int) {
        self.weights = weights
        names = WeightName.layer(layer)
        model = weights.checkpoint.configuration
        routing = model.layerIsMixture[layer] ? model.routing : nil
    }

    /// What they add to the residual, `[row, hidden]`.
    func output(_ normed: Tensor) throws(Refusal) -> Tensor {
        guard let routing else {
            return try unit(normed, names.dense, width: model.intermediateSize)
        }
        let chosen = try choices(of: normed, routing)
        let sum =
            routing.sharedExpertCount > 0
            ? try unit(
                normed, names.shared,
                width: routing.sharedExpertCount * routing.expertIntermediateSize)
            : Tensor(rows: normed.rowCount, columns: model.hiddenSize)
        if routing.sharedExpertCount == 0 { sum.fill(0) }
        for expert in 0..<routing.expertCount {
            let mine = chosen.enumerated().compactMap { row, choices in
                choices.first { $0.expert == expert }.map { (row: row, weight: $0.weight) }
            }
            guard !mine.isEmpty else { continue }
            let made = try unit(
                normed.rows(mine.map(\.row)), names.expert(expert),
                width: routing.expertIntermediateSize)
            for (place, one) in mine.enumerated() {
                sum.setRow(
                    one.row,
                    to: zip(sum.row(one.row), made.row(place)).map { $0 + one.weight * $1 })
            }
        }
        return sum
    }

    /// `down(silu(gate) * up)`.
    private func unit(
        _ rows: Tensor, _ names: GatedUnitNames, width: Int
    ) throws(Refusal) -> Tensor {
        let hidden = model.hiddenSize
        let gate = rows.times(try weights.matrix(names.gate, rows: width, columns: hidden))
        let up = rows.times(try weights.matrix(names.up, rows: width, columns: hidden))
        for row in 0..<rows.rowCount {
            gate.setRow(
                row, to: zip(gate.row(row), up.row(row)).map { $0 / (1 + exp(-$0)) * $1 })
        }
        return gate.times(try weights.matrix(names.down, rows: hidden, columns: width))
    }

    /// The chosen experts of every row, and the weights of their outputs.
    private func choices(
        of normed: Tensor, _ routing: ModelConfiguration.Routing
    ) throws(Refusal) -> [[(expert: Int, weight: Float)]] {
        let logits = normed.times(
            try weights.matrix(
                names.gate, rows: routing.expertCount, columns: model.hiddenSize))
        let bias =
            routing.method == .noAuxiliaryLoss
            ? try weights.vector(names.gateBias, count: routing.expertCount)
            : [Float](repeating: 0, count: routing.expertCount)
        return (0..<normed.rowCount).map { row in
            let scores = scores(logits.row(row), routing)
            let biased = zip(scores, bias).map { $0 + $1 }
            let experts = Self.best(
                Self.withoutDroppedGroups(biased, routing), routing.expertsPerTokenCount)
            return zip(experts, Self.weights(experts.map { scores[$0] }, routing)).map { ($0, $1) }
        }
    }

    private func scores(
        _ logits: [Float], _ routing: ModelConfiguration.Routing
    ) -> [Float] {
        guard routing.scoring == .softmax else { return logits.map { 1 / (1 + exp(-$0)) } }
        let best = logits.max() ?? 0
        let shares = logits.map { exp($0 - best) }
        let sum = shares.reduce(0, +)
        return shares.map { $0 / sum }
    }

    /// The places of the highest numbers; the lower place goes first among equals.
    private static func best(_ numbers: [Float], _ count: Int) -> [Int] {
        Array(numbers.indices.sorted { (numbers[$1], $0) < (numbers[$0], $1) }.prefix(count))
            .sorted()
    }

    private static func withoutDroppedGroups(
        _ scores: [Float], _ routing: ModelConfiguration.Routing
    ) -> [Float] {
        guard routing.method != .greedy, routing.groupCount > 1 else { return scores }
        let size = routing.expertCount / routing.groupCount
        let worth = (0..<routing.groupCount).map { group in
            let sorted = scores[group * size..<(group + 1) * size].sorted(by: >)
            return routing.method == .noAuxiliaryLoss ? sorted[0] + sorted[1] : sorted[0]
        }
        let kept = Set(best(worth, routing.keptGroupCount))
        return scores.enumerated().map { kept.contains($0 / size) ? $1 : -.infinity }
    }

    private static func weights(
        _ scores: [Float], _ routing: ModelConfiguration.Routing
    ) -> [Float] {
        let doesBoth = routing.scalesNormalizedWeights
        guard routing.normalizesWeights, doesBoth || scores.count > 1 else {
            return scores.map { $0 * routing.scalingFactor }
        }
        let sum = scores.reduce(0, +) + 1e-20
        return scores.map { $0 / sum * (doesBoth ? routing.scalingFactor : 1) }
    }
}
