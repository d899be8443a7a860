internal import CSkeinKernels

/// Products of rows with weights.
///
/// A row's result depends on that row and the weight alone: not on the rows beside it, nor on
/// threads or instructions. `input` and `output` are different tensors.
public enum MatrixProduct {
    /// How numbers are multiplied.
    public enum Arithmetic: Sendable {
        /// Input rows are rounded to BF16, or to INT8 where the weight is; F32 weights round
        /// nothing. Sums are F32.
        case serving
        /// Nothing is rounded before it is multiplied: for the gate and for comparison.
        case float32
    }

    /// Computes `output[m, n] = Σ_k input[m, k] * weight[n, k]`.
    ///
    /// - Parameters:
    ///   - input: `[m, weight.columnCount]`.
    ///   - output: resized to `[m, weight.rowCount]`.
    public static func multiply(
        _ input: Tensor, by weight: PackedWeight, into output: Tensor, on pool: ComputePool
    ) {
        multiply(input, by: weight, in: .serving, into: output, on: pool)
    }

    /// Computes `output[m, n] = Σ_k input[m, k] * weight[n, k]` in the given arithmetic.
    public static func multiply(
        _ input: Tensor, by weight: PackedWeight, in arithmetic: Arithmetic, into output: Tensor,
        on pool: ComputePool
    ) {
        precondition(input !== output, "a product cannot overwrite its input")
        precondition(
            input.columnCount == weight.columnCount && output.columnCount == weight.rowCount,
            "[\(input.columnCount)] by [\(weight.rowCount), \(weight.columnCount)] into "
                + "[\(output.columnCount)]")
        output.resize(rows: input.rowCount)
        weight.withKernelWeight { kernelWeight in
            skein_multiply(
                pool.pool, kernelWeight, arithmetic.kernelArithmetic, input.base,
                input.columnCount, output.base, output.columnCount, input.rowCount)
        }
    }
}

extension MatrixProduct.Arithmetic {
    var kernelArithmetic: Int32 {
        switch self {
        case .serving: Int32(SKEIN_SERVING)
        case .float32: Int32(SKEIN_EXACT)
        }
    }
}

extension MatrixProduct {
    /// Computes `output[m, h * outputHeadStride + n] = Σ_k input[m, h * inputHeadStride + k] *
    /// heads[h][n, k]` with nothing rounded before it is multiplied.
    ///
    /// Columns of `output` between two heads' outputs are left as they are if `output` has its rows
    /// already.
    ///
    /// - Parameters:
    ///   - input: at least `[m, headCount * inputHeadStride]`; `heads.columnCount` numbers a head.
    ///   - output: resized to m rows; `heads.rowCount` numbers a head are written.
    public static func multiplyPerHead(
        _ input: Tensor, inputHeadStride: Int, by weights: HeadWeights, into output: Tensor,
        outputHeadStride: Int, on pool: ComputePool
    ) {
        let heads = weights.heads
        check(heads.count, input, inputHeadStride, needs: weights.columnCount)
        check(heads.count, output, outputHeadStride, needs: weights.rowCount)
        precondition(input !== output, "a product cannot overwrite its input")
        output.resize(rows: input.rowCount)
        let kernelWeights = heads.map(\.kernelWeight)
        withExtendedLifetime(heads) {
            skein_multiply_heads(
                pool.pool, kernelWeights, heads.count, input.base, inputHeadStride,
                input.columnCount, output.base, outputHeadStride, output.columnCount,
                input.rowCount)
        }
    }

    private static func check(_ headCount: Int, _ tensor: Tensor, _ stride: Int, needs: Int) {
        precondition(
            stride >= needs && tensor.columnCount >= (headCount - 1) * stride + needs,
            "\(tensor.columnCount) columns for \(headCount) heads of \(needs) every \(stride)")
    }
}
