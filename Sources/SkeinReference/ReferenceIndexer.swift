internal import SkeinCore
internal import SkeinModel
internal import SkeinTensor
internal import SkeinWeights

/// Which positions rows attend to, by the lightning indexer (specification section 6.1).
struct ReferenceIndexer {
    private let weights: ReferenceWeights
    private let names: LayerWeightNames
    private let model: ModelConfiguration
    private let rotary: YarnRotary

    /// Of the key's norm, whatever the model's own is.
    private static let keyNormEpsilon = 1e-6

    init(_ weights: ReferenceWeights, layer: Int, rotary: YarnRotary) {
        self.weights = weights
        self.rotary = rotary
        names = WeightName.layer(layer)
        model = weights.checkpoint.configuration
    }

    /// Of each prompt the positions that its rows keep; `nil` where all rows keep all of theirs.
    func selections(_ normed: Tensor, parts: PromptParts) throws(Refusal) -> [RowSelection?] {
        guard let indexer = model.indexer else { return parts.ranges.map { _ in nil } }
        let positions = parts.positions
        let isHalved = !indexer.isInterleaved
        let queries = try weights.queryLatent(normed, names).times(
            try weights.matrix(
                names.indexerQuery, rows: indexer.headCount * indexer.headSize,
                columns: model.queryLoraRank ?? 0))
        queries.rotate(
            at: positions, headCount: indexer.headCount, first: 0, by: rotary, isHalved: isHalved)
        let keys = layerNormalized(
            normed.times(
                try weights.matrix(
                    names.indexerKey, rows: indexer.headSize, columns: model.hiddenSize)),
            try weights.vector(names.indexerKeyNorm, count: indexer.headSize),
            try weights.vector(names.indexerKeyNormBias, count: indexer.headSize))
        keys.rotate(at: positions, headCount: 1, first: 0, by: rotary, isHalved: isHalved)
        let headWeights = normed.times(
            try weights.matrix(
                names.indexerHeadWeights, rows: indexer.headCount, columns: model.hiddenSize))
        return parts.ranges.map { range in
            guard range.count > indexer.topK else { return nil }
            return selection(
                queries.rows(range), keys.rows(range), headWeights.rows(range), indexer)
        }
    }

    private func selection(
        _ queries: Tensor, _ keys: Tensor, _ headWeights: Tensor,
        _ indexer: ModelConfiguration.Indexer
    ) -> RowSelection {
        let count = queries.rowCount
        var scores = [[Float]](
            repeating: [Float](repeating: 0, count: count), count: count)
        for head in 0..<indexer.headCount {
            let products = queries.columns(
                head * indexer.headSize..<(head + 1) * indexer.headSize
            ).times(keys)
            for row in 0..<count {
                let weight = headWeights[row, head]
                for (position, product) in products.row(row).enumerated() {
                    scores[row][position] += weight * max(0, product)
                }
            }
        }
        return RowSelection(
            positions: (0..<count).map { row in
                let earlier = Array(0...row)
                guard earlier.count > indexer.topK else { return earlier }
                // The lower position goes first among equals.
                let best = earlier.sorted {
                    (scores[row][$1], $0) < (scores[row][$0], $1)
                }
                return best.prefix(indexer.topK).sorted()
            })
    }

    private func layerNormalized(_ rows: Tensor, _ weight: [Float], _ bias: [Float]) -> Tensor {
        let normed = Tensor(rows: rows.rowCount, columns: rows.columnCount)
        for row in 0..<rows.rowCount {
            let numbers = rows.row(row).map(Double.init)
            let mean = numbers.reduce(0, +) / Double(numbers.count)
            let variance =
                numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                / Double(numbers.count)
            let factor = 1 / (variance + Self.keyNormEpsilon).squareRoot()
            normed.setRow(
                row,
                to: numbers.indices.map {
                    Float((numbers[$0] - mean) * factor) * weight[$0] + bias[$0]
                })
        }
        return normed
    }
}
