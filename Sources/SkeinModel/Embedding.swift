import SkeinCore
import SkeinTensor
import SkeinWeights

/// Turns tokens into the first residual.
struct Embedding {
    private let weight: WeightMatrix

    /// Finds the embedding in a checkpoint.
    init(checkpoint: Checkpoint) throws(Refusal) {
        let model = checkpoint.configuration
        weight = try checkpoint.matrix(
            WeightName.embedding, rows: model.vocabularySize, columns: model.hiddenSize)
    }

    /// Looks the tokens up.
    ///
    /// - Parameter residual: resized to `[token, hidden]`; BF16 values, as between all layers.
    func look(up tokens: [TokenID], into residual: Tensor) {
        residual.resize(rows: tokens.count)
        for (row, token) in tokens.enumerated() {
            residual.copyRow(row, from: weight, row: Int(token.rawValue))
        }
        residual.roundToBFloat16()
    }
}
