internal import CSkeinKernels

/// A weight `[rowCount, columnCount]` (out, in) as the checkpoint stores it, mapped and not copied.
///
/// Rows are looked up in it; products read the form that ``WeightArena`` makes of it, a
/// ``PackedWeight``.
public struct WeightMatrix: Sendable {
    /// How the numbers are stored.
    public enum Format: Hashable, Sendable {
        /// IEEE single precision.
        case f32
        /// The upper half of a single.
        case bf16
        /// E4M3 codes; each block of that many rows and columns shares one F32 scale.
        case f8Block(rows: Int, columns: Int)
        /// INT8 codes; that many columns of a row share one F32 scale. Made, never stored.
        case i8Group(columns: Int)
        /// INT4 codes, each plus 8, eight in a 32-bit word; that many columns of a row share one
        /// scale, which is a BF16 number.
        case i4Group(columns: Int)
    }

    /// Outputs.
    public let rowCount: Int

    /// Inputs.
    public let columnCount: Int

    /// How the numbers are stored.
    public let format: Format

    private let bytes: MappedBytes
    private let scales: ScaleTable
    /// Rows of the whole weight before this view, which decide the scale block of a row.
    private let firstRow: Int

    /// A BF16 weight, two bytes a number, little endian.
    public init(bfloat16 bytes: MappedBytes, rows: Int, columns: Int) {
        self.init(.bf16, bytes, scales: .none, rows: rows, columns: columns)
    }

    /// An F32 weight, four bytes a number, little endian.
    public init(float32 bytes: MappedBytes, rows: Int, columns: Int) {
        self.init(.f32, bytes, scales: .none, rows: rows, columns: columns)
    }

    /// An E4M3 weight with one scale for each block.
    ///
    /// - Parameter scales: `[ceil(rows / blockRows), ceil(columns / blockColumns)]`, row-major;
    ///   what the codes are multiplied by.
    public init(
        float8 bytes: MappedBytes, scales: [Float], rows: Int, columns: Int, blockRows: Int,
        blockColumns: Int
    ) {
        precondition(blockRows > 0 && blockColumns > 0, "blocks of \(blockRows) x \(blockColumns)")
        self.init(
            .f8Block(rows: blockRows, columns: blockColumns), bytes, scales: ScaleTable(scales),
            rows: rows, columns: columns)
        let scaleRows = (rows + blockRows - 1) / blockRows
        let scaleColumns = (columns + blockColumns - 1) / blockColumns
        precondition(
            scales.count == scaleRows * scaleColumns,
            "\(scales.count) scales for \(scaleRows) x \(scaleColumns) blocks")
    }

    /// An INT4 weight as compressed-tensors packs it, with one BF16 scale for each group of a row.
    ///
    /// - Parameters:
    ///   - columns: a multiple of 8.
    ///   - scales: `[rows, ceil(columns / groupColumns)]`, row-major.
    public init(
        int4 bytes: MappedBytes, scales: [Float], rows: Int, columns: Int, groupColumns: Int = 32
    ) {
        precondition(columns % 8 == 0 && groupColumns > 0, "\(columns) columns of INT4")
        self.init(
            .i4Group(columns: groupColumns), bytes, scales: ScaleTable(scales), rows: rows,
            columns: columns)
        let groups = (columns + groupColumns - 1) / groupColumns
        precondition(
            scales.count == rows * groups, "\(scales.count) scales for \(rows) x \(groups) groups")
    }

    private init(
        _ format: Format, _ bytes: MappedBytes, scales: ScaleTable, rows: Int, columns: Int,
        firstRow: Int = 0
    ) {
        precondition(rows > 0 && columns > 0, "a weight of \(rows) x \(columns)")
        self.format = format
        self.bytes = bytes
        self.scales = scales
        self.firstRow = firstRow
        rowCount = rows
        columnCount = columns
        precondition(
            bytes.count == rows * columns * format.bitCount / 8,
            "\(bytes.count) bytes for \(rows) x \(columns) of \(format)")
    }

    /// The rows in `range` as a weight of their own; their scales stay what they were.
    public func rows(_ range: Range<Int>) -> WeightMatrix {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= rowCount && !range.isEmpty,
            "rows \(range) of \(rowCount)")
        let rowBytes = columnCount * format.bitCount / 8
        return WeightMatrix(
            format,
            bytes.subrange(range.lowerBound * rowBytes..<range.upperBound * rowBytes),
            scales: scales, rows: range.count, columns: columnCount,
            firstRow: firstRow + range.lowerBound)
    }

    /// One row as F32, scales applied.
    public func decodedRow(_ row: Int) -> [Float] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return [Float](unsafeUninitializedCapacity: columnCount) { out, used in
            withKernelWeight { skein_decode_row($0, row, out.baseAddress) }
            used = columnCount
        }
    }

    /// The same numbers in F32, in memory of their own, scales applied.
    public func writtenOut() -> WeightMatrix {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * rowCount * columnCount)
        for row in 0..<rowCount {
            for number in decodedRow(row) {
                withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
            }
        }
        return WeightMatrix(
            float32: MappedBytes(owning: bytes), rows: rowCount, columns: columnCount)
    }

    /// Lets go of the pages of the file that the weight was read from; they come back when they are
    /// read again.
    public func forgetPages() { bytes.forgetPages() }

    /// What the kernels take; valid while this weight lives.
    var kernelWeight: skein_weight {
        var weight = format.kernelWeight(rows: rowCount, columns: columnCount, firstRow: firstRow)
        weight.bytes = bytes.base.assumingMemoryBound(to: UInt8.self)
        weight.scales = scales.base
        return weight
    }

    func withKernelWeight<R>(_ body: (UnsafePointer<skein_weight>) -> R) -> R {
        withExtendedLifetime(self) { withUnsafePointer(to: kernelWeight, body) }
    }
}

extension WeightMatrix.Format {
    /// Of one number.
    var bitCount: Int {
        switch self {
        case .f32: 32
        case .bf16: 16
        case .f8Block, .i8Group: 8
        case .i4Group: 4
        }
    }

    var kernelFormat: Int32 {
        switch self {
        case .f32: Int32(SKEIN_F32)
        case .bf16: Int32(SKEIN_BF16)
        case .f8Block: Int32(SKEIN_F8E4M3)
        case .i8Group: Int32(SKEIN_I8)
        case .i4Group: Int32(SKEIN_I4)
        }
    }

    /// The shape of a stored weight, without its numbers.
    func kernelWeight(rows: Int, columns: Int, firstRow: Int = 0) -> skein_weight {
        var weight = skein_weight()
        weight.rows = rows
        weight.columns = columns
        weight.first_row = firstRow
        weight.format = kernelFormat
        (weight.block_rows, weight.block_columns) =
            switch self {
            case .f8Block(let blockRows, let blockColumns): (blockRows, blockColumns)
            case .i4Group(let groupColumns): (1, groupColumns)
            case .f32, .bf16, .i8Group: (Self.rowsWithoutScales, columns)
            }
        weight.scale_columns = (columns + weight.block_columns - 1) / weight.block_columns
        return weight
    }

    /// More rows than any weight has: a format without scales is one block.
    private static let rowsWithoutScales = 1 << 48
}

/// The scales of a weight, at an address that does not move.
///
/// `@unchecked Sendable` is safe because the numbers never change after `init`.
final class ScaleTable: @unchecked Sendable {
    let base: UnsafePointer<Float>

    init(_ scales: [Float]) {
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(scales.count, 1))
        memory.initialize(repeating: 1, count: max(scales.count, 1))
        for (index, scale) in scales.enumerated() { memory[index] = scale }
        base = UnsafePointer(memory)
    }

    deinit { base.deallocate() }

    static let none = ScaleTable([])
}
