internal import CSkeinKernels

/// Normalisation by mean and variance: `w * (x - mean) / sqrt(variance + epsilon) + b`, in F32.
public enum LayerNormalization {
    /// Normalises every row in place.
    public static func normalize(
        _ tensor: Tensor, weight: [Float], bias: [Float], epsilon: Float, on pool: ComputePool
    ) {
        precondition(
            weight.count == tensor.columnCount && bias.count == tensor.columnCount,
            "\(weight.count) factors and \(bias.count) biases for \(tensor.columnCount) columns")
        pool.forEachRow(tensor.rowCount) { row in
            skein_normalize_layer(
                tensor.rowBase(row), weight, bias, epsilon, tensor.columnCount)
        }
    }
}
