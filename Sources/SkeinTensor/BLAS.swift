internal import COpenBLAS

/// OpenBLAS behind one door, for comparison in tests and measurements only.
///
/// It never serves a request: its order of sums depends on the number of rows and of threads, and
/// so would a request's tokens.
public enum BLAS {
    /// Computes `output[m, n] = Σ_k input[m, k] * weight[n, k]` with an F32 weight `[n, k]`.
    ///
    /// - Parameter output: resized to `[m, weight.rowCount]`.
    public static func multiply(_ input: Tensor, by weight: Tensor, into output: Tensor) {
        precondition(
            input.columnCount == weight.columnCount && output.columnCount == weight.rowCount,
            "[\(input.columnCount)] by [\(weight.rowCount), \(weight.columnCount)] into "
                + "[\(output.columnCount)]")
        output.resize(rows: input.rowCount)
        guard output.count > 0 else { return }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(input.rowCount),
            Int32(weight.rowCount), Int32(input.columnCount), 1, input.base,
            Int32(input.columnCount), weight.base, Int32(weight.columnCount), 0, output.base,
            Int32(output.columnCount))
    }

    /// How many threads the next product takes.
    public static func setThreadCount(_ count: Int) { openblas_set_num_threads(Int32(count)) }
}
