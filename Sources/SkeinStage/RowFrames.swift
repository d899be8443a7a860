internal import SkeinCore
internal import SkeinTensor
internal import SkeinWire

/// Rows as they travel between nodes: BF16, or FP8 codes with their scales.
struct RowFrames: Equatable, Sendable {
    /// `[row, hidden]`.
    let rows: TensorFrame

    /// `[row, tile]`, F32; present where the rows are FP8.
    let scales: TensorFrame?

    /// Takes rows that arrived.
    init(rows: TensorFrame, scales: TensorFrame?) {
        self.rows = rows
        self.scales = scales
    }

    /// Packs rows of BF16 values as they are.
    init(bfloat16 rows: Tensor) {
        self.init(
            rows: TensorFrame(
                .bf16, rows: rows.rowCount, columns: rows.columnCount,
                bytes: rows.packedBFloat16()),
            scales: nil)
    }

    /// Packs rows as FP8, rounding those that are not yet rounded.
    init(float8 rows: Tensor) {
        let (codes, scales) = RowTiles.pack(rows)
        self.init(
            rows: TensorFrame(
                .f8e4m3, rows: rows.rowCount, columns: rows.columnCount, bytes: codes),
            scales: TensorFrame(
                .f32, rows: scales.rowCount, columns: scales.columnCount,
                bytes: scales.packedFloat32()))
    }

    /// Packs rows in some form.
    init(_ rows: Tensor, _ form: RowForm) {
        switch form {
        case .bf16: self.init(bfloat16: rows)
        case .fp8: self.init(float8: rows)
        }
    }

    /// Unpacks the rows; every number is a BF16 value.
    ///
    /// - Parameter tensor: has as many columns; resized to the rows.
    func load(into tensor: Tensor) {
        tensor.resize(rows: rows.rowCount)
        guard let frame = scales else {
            return tensor.load(bfloat16: rows.frame.bytes.span.bytes)
        }
        let scales = Tensor(rows: frame.rowCount, columns: frame.columnCount)
        scales.load(float32: frame.frame.bytes.span.bytes)
        RowTiles.unpack(rows.frame.bytes, scales: scales, into: tensor)
    }
}

extension RowForm {
    /// How rows of this form are on the wire.
    var element: TensorFrame.Element {
        switch self {
        case .bf16: .bf16
        case .fp8: .f8e4m3
        }
    }
}
