internal import CSkeinKernels

/// What becomes of a stored weight when it is packed.
public enum PackedForm: Hashable, Sendable {
    /// Its own numbers.
    case asStored
    /// INT8: 128 columns of a row share a scale, the largest magnitude among them / 127.
    case int8
    /// For each head its rows, as they multiply.
    case heads(HeadRows)
    /// For each head its rows turned round: stored columns are outputs.
    case headsTransposed(HeadRows)

    /// What a weight of this shape takes, packed.
    ///
    /// - Parameters:
    ///   - rows: of the stored weight.
    ///   - columns: of the stored weight.
    ///   - format: of the stored weight.
    public func byteCount(rows: Int, columns: Int, format: WeightMatrix.Format) -> Int {
        shapes(rows: rows, columns: columns, format: format).reduce(0) {
            $0 + $1.codeBytes + $1.scaleBytes
        }
    }

    /// The parts of a packed weight: one, or one for each head.
    func shapes(rows: Int, columns: Int, format: WeightMatrix.Format) -> [PackedPart] {
        switch self {
        case .asStored: [PackedPart(0..<rows, columns, format, into: format)]
        case .int8:
            [PackedPart(0..<rows, columns, format, into: .i8Group(columns: Int(SKEIN_I8_COLUMNS)))]
        case .heads(let heads):
            (0..<heads.headCount).map {
                PackedPart(heads.rows(of: $0), columns, format, into: format)
            }
        case .headsTransposed(let heads):
            (0..<heads.headCount).map {
                PackedPart(
                    heads.rows(of: $0), columns, format, into: format, isTransposed: true)
            }
        }
    }
}

/// Some rows of a stored weight that are packed together.
struct PackedPart {
    /// Of the stored weight.
    let rows: Range<Int>
    /// Of the packed numbers.
    let format: WeightMatrix.Format
    /// Whether stored columns become outputs.
    let isTransposed: Bool
    /// As the kernels describe it, without its numbers.
    let shape: skein_packed
    /// Bytes of the numbers and of the scales, in whole lines.
    let codeBytes: Int
    let scaleBytes: Int

    init(
        _ rows: Range<Int>, _ columns: Int, _ stored: WeightMatrix.Format,
        into format: WeightMatrix.Format, isTransposed: Bool = false
    ) {
        var weight = stored.kernelWeight(
            rows: rows.count, columns: columns, firstRow: rows.lowerBound)
        var shape = skein_packed_shape(&weight, format.kernelFormat, isTransposed)
        self.shape = shape
        self.rows = rows
        self.format = format
        self.isTransposed = isTransposed
        codeBytes = Self.wholeLines(skein_packed_code_bytes(&shape))
        scaleBytes = Self.wholeLines(skein_packed_scale_bytes(&shape))
    }

    private static func wholeLines(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
}
