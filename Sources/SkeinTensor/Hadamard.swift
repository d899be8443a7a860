internal import CSkeinKernels

/// The fast Walsh-Hadamard transform: it spreads a large number over its whole head, so that FP8
/// loses less of the others, and changes no product of two heads.
public enum Hadamard {
    /// Transforms every head of every row in place, by `H / sqrt(width)` in natural order.
    ///
    /// - Parameters:
    ///   - tensor: `[m, head * width]`.
    ///   - width: numbers of a head, a power of two.
    public static func transform(_ tensor: Tensor, width: Int, on pool: ComputePool) {
        precondition(
            width.nonzeroBitCount == 1 && tensor.columnCount.isMultiple(of: width),
            "\(tensor.columnCount) columns in heads of \(width)")
        pool.forEachRow(tensor.rowCount) { row in
            skein_transform_hadamard(tensor.rowBase(row), tensor.columnCount / width, width)
        }
    }
}
