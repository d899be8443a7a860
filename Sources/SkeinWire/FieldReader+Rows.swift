import SkeinCore

extension FieldReader {
    /// The rows among a message's tensors, and their scales where they are FP8, once both are found
    /// to fit each other.
    ///
    /// - Parameter count: as many rows as the message speaks of.
    func rows(
        _ tensors: [TensorFrame], count: Int
    ) throws(WireError) -> (rows: TensorFrame, scales: TensorFrame?) {
        guard let rows = tensors.first, tensors.count <= 2 else {
            throw error(
                "tensor_frames", "\(tensors.count) tensors, expected rows, and scales of FP8 rows",
                reason: .wrongFrames)
        }
        guard rows.element == (tensors.count == 1 ? .bf16 : .f8e4m3) else {
            throw error(
                "tensor_frames[0].element_type",
                "\(rows.element), expected bf16 alone or f8e4m3 with scales", reason: .wrongFrames)
        }
        guard rows.rowCount == count, rows.columnCount <= Limits.hiddenSizeMax else {
            throw error(
                "tensor_frames[0].dimension_counts",
                "[\(rows.rowCount), \(rows.columnCount)], expected "
                    + "[\(count), at most \(Limits.hiddenSizeMax)]", reason: .wrongFrames)
        }
        guard let scales = tensors.dropFirst().first else { return (rows, nil) }
        let tileCount = Limits.tileCount(of: rows.columnCount)
        guard scales.element == .f32, scales.rowCount == count, scales.columnCount == tileCount
        else {
            throw error(
                "tensor_frames[1]",
                "[\(scales.rowCount), \(scales.columnCount)] of \(scales.element), expected "
                    + "[\(count), \(tileCount)] of f32", reason: .wrongFrames)
        }
        return (rows, scales)
    }
}
