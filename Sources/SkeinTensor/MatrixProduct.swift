internal import CSkeinKernels

/// Products of rows with weights.
///
/// A row's result depends on that row and the weight alone: not on the rows beside it, nor on
/// threads or instructions. `input` and `output` are different tensors.
public enum MatrixProduct {
    /// How numbers are multiplied.
    public enum Arithmetic: Sendable {
        /// Input rows are rounded to BF16 where the weight is BF16 or FP8; sums are F32.
        case serving
        /// Nothing is rounded before it is multiplied: for the gate and for comparison.
        case float32
    }

    /// Computes `output[m, n] = Σ_k input[m, k] * weight[n, k]`.
    ///
    /// - Parameters:
    ///   - input: `[m, weight.columnCount]`; rounded to BF16 for BF16 and FP8 weights.
    ///   - output: resized to `[m, weight.rowCount]`.
    public static func multiply(
        _ input: Tensor, by weight: WeightMatrix, into output: Tensor, on pool: ComputePool
    ) {
        multiply(input, by: weight, in: .serving, into: output, on: pool)
    }

    /// Computes the same as `multiply` with nothing rounded before it is multiplied.
    public static func multiplyInFloat32(
        _ input: Tensor, by weight: WeightMatrix, into output: Tensor, on pool: ComputePool
    ) {
        multiply(input, by: weight, in: .float32, into: output, on: pool)
    }

    /// Computes `output[m, n] = Σ_k input[m, k] * weight[n, k]` in the given arithmetic.
    public static func multiply(
        _ input: Tensor, by weight: WeightMatrix, in arithmetic: Arithmetic, into output: Tensor,
        on pool: ComputePool
    ) {
        precondition(input !== output, "a product cannot overwrite its input")
        precondition(
            input.columnCount == weight.columnCount && output.columnCount == weight.rowCount,
            "[\(input.columnCount)] by [\(weight.rowCount), \(weight.columnCount)] into "
                + "[\(output.columnCount)]")
        output.resize(rows: input.rowCount)
        weight.withKernelWeight { kernelWeight in
            let kernel =
                switch arithmetic {
                case .serving: skein_multiply
                case .float32: skein_multiply_f32
                }
            kernel(
                pool.pool, kernelWeight, input.base, input.columnCount, output.base,
                output.columnCount, input.rowCount)
        }
    }
}

/// Which rows of a weight belong to which head, for products head by head.
public struct HeadRows: Sendable, Equatable {
    /// Heads.
    public var headCount: Int
    /// Rows of the weight from one head to the next.
    public var rowsPerHead: Int
    /// The rows of each head that are used, counted from the head's first.
    public var used: Range<Int>

    /// Describes rows `h * rowsPerHead + used` of every head `h`.
    public init(headCount: Int, rowsPerHead: Int, used: Range<Int>) {
        precondition(
            headCount > 0 && used.lowerBound >= 0 && used.upperBound <= rowsPerHead
                && !used.isEmpty,
            "rows \(used) of \(rowsPerHead) for each of \(headCount) heads")
        self.headCount = headCount
        self.rowsPerHead = rowsPerHead
        self.used = used
    }

    func kernelHeads(inputStride: Int, outputStride: Int) -> skein_heads {
        skein_heads(
            head_count: headCount, head_rows: rowsPerHead, first_row: used.lowerBound,
            used_rows: used.count, input_head_stride: inputStride,
            output_head_stride: outputStride)
    }
}

extension MatrixProduct {
    /// Computes `output[m, h * outputHeadStride + r] = Σ_k input[m, h * inputHeadStride + k] *
    /// weight[h * rowsPerHead + used.lowerBound + r, k]` in F32: the values' up-projection W_UV.
    ///
    /// - Parameters:
    ///   - input: at least `[m, headCount * inputHeadStride]`; `weight.columnCount` numbers a head.
    ///   - output: resized to m rows; `used.count` numbers a head are written.
    public static func multiplyPerHead(
        _ input: Tensor, inputHeadStride: Int, by weight: WeightMatrix, heads: HeadRows,
        into output: Tensor, outputHeadStride: Int, on pool: ComputePool
    ) {
        check(heads, weight, input, inputHeadStride, needs: weight.columnCount)
        check(heads, weight, output, outputHeadStride, needs: heads.used.count)
        precondition(input !== output, "a product cannot overwrite its input")
        output.resize(rows: input.rowCount)
        var kernelHeads = heads.kernelHeads(
            inputStride: inputHeadStride, outputStride: outputHeadStride)
        weight.withKernelWeight {
            skein_multiply_heads(
                pool.pool, $0, &kernelHeads, input.base, input.columnCount, output.base,
                output.columnCount, input.rowCount)
        }
    }

    /// Computes `output[m, h * outputHeadStride + c] = Σ_n input[m, h * inputHeadStride + n] *
    /// weight[h * rowsPerHead + used.lowerBound + n, c]` in F32, n ascending: the absorbed query.
    ///
    /// The weight is read as it lies; no transposed copy is made. Columns of `output` beyond
    /// `weight.columnCount` of a head (the rope part) are left as they are if `output` has its
    /// rows already.
    ///
    /// - Parameters:
    ///   - input: at least `[m, headCount * inputHeadStride]`; `used.count` numbers a head.
    ///   - output: resized to m rows; `weight.columnCount` numbers a head are written.
    public static func multiplyTransposedPerHead(
        _ input: Tensor, inputHeadStride: Int, by weight: WeightMatrix, heads: HeadRows,
        into output: Tensor, outputHeadStride: Int, on pool: ComputePool
    ) {
        check(heads, weight, input, inputHeadStride, needs: heads.used.count)
        check(heads, weight, output, outputHeadStride, needs: weight.columnCount)
        precondition(input !== output, "a product cannot overwrite its input")
        output.resize(rows: input.rowCount)
        var kernelHeads = heads.kernelHeads(
            inputStride: inputHeadStride, outputStride: outputHeadStride)
        weight.withKernelWeight {
            skein_multiply_heads_transposed(
                pool.pool, $0, &kernelHeads, input.base, input.columnCount, output.base,
                output.columnCount, input.rowCount)
        }
    }

    private static func check(
        _ heads: HeadRows, _ weight: WeightMatrix, _ tensor: Tensor, _ stride: Int, needs: Int
    ) {
        precondition(
            weight.rowCount >= (heads.headCount - 1) * heads.rowsPerHead + heads.used.upperBound,
            "\(weight.rowCount) rows for \(heads)")
        precondition(
            stride >= needs
                && tensor.columnCount >= (heads.headCount - 1) * stride + needs,
            "\(tensor.columnCount) columns for \(heads.headCount) heads of \(needs) every \(stride)"
        )
    }
}
