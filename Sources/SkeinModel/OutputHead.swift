import SkeinCore
import SkeinTensor
import SkeinWeights

/// The final norm and the head: residual to logits.
struct OutputHead {
    private let norm: [Float]
    private let weight: PackedWeight
    private let epsilon: Float

    /// Finds norm and head in a checkpoint; a tied head is the embedding.
    init(
        checkpoint: Checkpoint, normName: String = WeightName.finalNorm
    ) throws(Refusal) {
        let model = checkpoint.configuration
        norm = try checkpoint.vector(normName, count: model.hiddenSize)
        weight = try checkpoint.multiplier(
            model.tiesWordEmbeddings ? WeightName.embedding : WeightName.head,
            rows: model.vocabularySize, columns: model.hiddenSize)
        epsilon = model.normEpsilon
    }

    /// Norms every row.
    ///
    /// - Parameter normed: resized to `[row, hidden]`; what the logits are made of.
    func norm(_ residual: Tensor, into normed: Tensor, on pool: ComputePool) {
        RootMeanSquare.normalize(
            residual, weight: norm, epsilon: epsilon, into: normed, on: pool)
    }

    /// Scores the vocabulary.
    ///
    /// - Parameter logits: resized to `[row, vocabulary]`.
    func score(_ normed: Tensor, into logits: Tensor, on pool: ComputePool) {
        MatrixProduct.multiply(normed, by: weight, into: logits, on: pool)
    }
}
