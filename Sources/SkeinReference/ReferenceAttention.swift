internal import Foundation
internal import SkeinCore
internal import SkeinModel
internal import SkeinTensor
internal import SkeinWeights

/// Multi-head latent attention with keys and values written out (specification section 3.4).
struct ReferenceAttention {
    private let weights: ReferenceWeights
    private let names: LayerWeightNames
    private let model: ModelConfiguration
    private let rotary: YarnRotary

    init(_ weights: ReferenceWeights, layer: Int, rotary: YarnRotary) {
        self.weights = weights
        self.rotary = rotary
        names = WeightName.layer(layer)
        model = weights.checkpoint.configuration
    }

    /// What attention adds to the residual, `[row, hidden]`.
    ///
    /// - Parameter selections: of each prompt the positions that its rows attend to; all before
    ///   them where there is none.
    func output(
        _ normed: Tensor, parts: PromptParts, selections: [RowSelection?]
    ) throws(Refusal) -> Tensor {
        let (plain, rope, value) = (
            model.qkNopeHeadSize, model.qkRopeHeadSize, model.valueHeadSize
        )
        let queries = try queries(normed, positions: parts.positions)
        let latents = normed.times(
            try weights.matrix(
                names.latentDown, rows: model.latentRowWidth, columns: model.hiddenSize))
        let turnedKeys = latents.columns(model.kvLoraRank..<model.latentRowWidth)
        turnedKeys.rotate(at: parts.positions, headCount: 1, first: 0, by: rotary)
        let wide = latents.columns(0..<model.kvLoraRank).normalized(
            try weights.vector(names.latentNorm, count: model.kvLoraRank),
            epsilon: model.latentNormEpsilon
        ).times(
            try weights.matrix(
                names.latentUp, rows: model.headCount * (plain + value), columns: model.kvLoraRank))
        let mixed = Tensor(rows: normed.rowCount, columns: model.headCount * value)
        for (range, selection) in zip(parts.ranges, selections) {
            for head in 0..<model.headCount {
                let first = head * (plain + value)
                let keys = Tensor(rows: range.count, columns: plain + rope)
                for (place, row) in range.enumerated() {
                    keys.copyRow(place, from: wide, row: row, columns: first..<first + plain)
                    keys.copyRow(
                        place, column: plain, from: turnedKeys, row: row, columns: 0..<rope)
                }
                let width = plain + rope
                let shares = queries.rows(range).columns(head * width..<(head + 1) * width)
                    .times(keys)
                for row in 0..<range.count {
                    shares.setRow(row, to: softmax(shares.row(row), row, selection))
                }
                let values = wide.rows(range).columns(first + plain..<first + plain + value)
                let output = shares.times(values.turned())
                for (place, row) in range.enumerated() {
                    mixed.copyRow(
                        row, column: head * value, from: output, row: place, columns: 0..<value)
                }
            }
        }
        return mixed.times(
            try weights.matrix(
                names.attentionOutput, rows: model.hiddenSize,
                columns: model.headCount * value))
    }

    private func queries(_ normed: Tensor, positions: [Int]) throws(Refusal) -> Tensor {
        let width = model.qkNopeHeadSize + model.qkRopeHeadSize
        let rowCount = model.headCount * width
        let queries: Tensor
        if let queryRank = model.queryLoraRank {
            queries = try weights.queryLatent(normed, names).times(
                try weights.matrix(names.queryUp, rows: rowCount, columns: queryRank))
        } else {
            queries = normed.times(
                try weights.matrix(names.query, rows: rowCount, columns: model.hiddenSize))
        }
        queries.rotate(
            at: positions, headCount: model.headCount, first: model.qkNopeHeadSize, by: rotary)
        guard let growth = model.queryGrowth else { return queries }
        for (row, position) in positions.enumerated() {
            let turns = Double(position / growth.originalPositionCount)
            let factor = Float(1 + growth.beta * log(1 + turns))
            queries.setRow(row, to: queries.row(row).map { $0 * factor })
        }
        return queries
    }

    /// Shares of a row's positions: nothing of what it does not attend to.
    private func softmax(_ scores: [Float], _ row: Int, _ selection: RowSelection?) -> [Float] {
        let attended = selection?.positions[row] ?? Array(0...row)
        let scale = rotary.softmaxScale
        let best = attended.map { scores[$0] }.max() ?? 0
        var shares = [Float](repeating: 0, count: scores.count)
        var sum = 0.0
        for position in attended {
            let share = exp(scale * Double(scores[position] - best))
            shares[position] = Float(share)
            sum += share
        }
        for position in attended { shares[position] = Float(Double(shares[position]) / sum) }
        return shares
    }
}

extension ReferenceWeights {
    /// What queries are made of, `[row, queryRank]`.
    func queryLatent(_ normed: Tensor, _ names: LayerWeightNames) throws(Refusal) -> Tensor {
        let model = checkpoint.configuration
        let queryRank = model.queryLoraRank ?? 0
        return normed.times(try matrix(names.queryDown, rows: queryRank, columns: model.hiddenSize))
            .normalized(
                try vector(names.queryNorm, count: queryRank), epsilon: model.latentNormEpsilon)
    }
}

extension Tensor {
    /// Turns pairs of every head by their row's position.
    ///
    /// - Parameters:
    ///   - first: where a head's rotated numbers begin.
    ///   - isHalved: whether pairs are half of the rotated numbers apart, not neighbours.
    func rotate(
        at positions: [Int], headCount: Int, first: Int, by rotary: YarnRotary,
        isHalved: Bool = false
    ) {
        let headSize = columnCount / headCount
        let pairCount = rotary.inverseFrequencies.count
        for (row, position) in positions.enumerated() {
            var numbers = self.row(row)
            for (pair, frequency) in rotary.inverseFrequencies.enumerated() {
                let angle = Double(position) * frequency
                let cosine = Float(cos(angle) * rotary.magnitude)
                let sine = Float(sin(angle) * rotary.magnitude)
                for head in 0..<headCount {
                    let start = head * headSize + first
                    let even = start + (isHalved ? pair : 2 * pair)
                    let odd = isHalved ? even + pairCount : even + 1
                    (numbers[even], numbers[odd]) = (
                        numbers[even] * cosine - numbers[odd] * sine,
                        numbers[odd] * cosine + numbers[even] * sine
                    )
                }
            }
            setRow(row, to: numbers)
        }
    }
}
