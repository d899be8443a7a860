internal import CSkeinKernels

/// Exponentials and what is made of them; the same bits on every instruction set.
public enum Softmax {
    /// Replaces every row by its softmax.
    public static func apply(
        _ tensor: Tensor, instructionSet: InstructionSet = Kernels.chosen
    ) {
        for row in 0..<tensor.rowCount {
            skein_softmax(instructionSet.rawValue, tensor.rowBase(row), tensor.columnCount)
        }
    }

    /// Replaces numbers by their softmax.
    public static func apply(
        _ values: inout [Float], instructionSet: InstructionSet = Kernels.chosen
    ) {
        values.withUnsafeMutableBufferPointer {
            skein_softmax(instructionSet.rawValue, $0.baseAddress, $0.count)
        }
    }

    /// ln Σ exp(x), for log-probabilities: `ln p(i) = x[i] - logSumExp(x)`.
    public static func logSumExp(
        _ tensor: Tensor, row: Int, instructionSet: InstructionSet = Kernels.chosen
    ) -> Float {
        skein_log_sum_exp(instructionSet.rawValue, tensor.rowBase(row), tensor.columnCount)
    }
}
