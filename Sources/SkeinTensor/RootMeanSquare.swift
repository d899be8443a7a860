internal import CSkeinKernels

/// Normalisation by the root of the mean square: `w * x / sqrt(mean(x²) + epsilon)`, in F32.
public enum RootMeanSquare {
    /// Normalises every row.
    ///
    /// - Parameter output: resized to the input's rows; may be the input.
    public static func normalize(
        _ input: Tensor, weight: [Float], epsilon: Float, into output: Tensor, on pool: ComputePool
    ) {
        normalize(
            input, columns: 0..<input.columnCount, weight: weight, epsilon: epsilon, into: output,
            on: pool)
    }

    /// Normalises a range of columns of every row into the first columns of `output`.
    ///
    /// - Parameter output: resized to the input's rows; has at least as many columns as the range.
    public static func normalize(
        _ input: Tensor, columns: Range<Int>, weight: [Float], epsilon: Float,
        into output: Tensor, on pool: ComputePool
    ) {
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= input.columnCount
                && weight.count == columns.count && output.columnCount >= columns.count,
            "columns \(columns) of \(input.columnCount) by \(weight.count) into "
                + "\(output.columnCount)")
        if input !== output { output.resize(rows: input.rowCount) }
        weight.withUnsafeBufferPointer {
            skein_normalize(
                pool.pool, input.base + columns.lowerBound, input.columnCount, $0.baseAddress,
                epsilon, output.base, output.columnCount, columns.count, input.rowCount)
        }
    }
}
