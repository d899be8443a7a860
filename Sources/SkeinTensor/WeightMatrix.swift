internal import CSkeinKernels

/// A weight `[rowCount, columnCount]` (out, in) as the checkpoint stores it.
///
/// It is never copied, and FP8 stays FP8 beside its scales. Only ``WeightArena`` makes another form
/// of one.
public struct WeightMatrix: Sendable {
    /// How the numbers are stored.
    public enum Format: Hashable, Sendable {
        /// IEEE single precision.
        case f32
        /// The upper half of a single.
        case bf16
        /// E4M3 codes; each block of that many rows and columns shares one F32 scale.
        case f8Block(rows: Int, columns: Int)
        /// INT8 codes in bands of 16 rows; that many columns of a row share one F32 scale.
        case i8Group(columns: Int)
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

    /// An INT8 weight as the kernels pack it.
    init(int8 bytes: MappedBytes, scales: ScaleTable, rows: Int, columns: Int) {
        self.init(
            .i8Group(columns: Int(SKEIN_GROUP_COLUMNS)), bytes, scales: scales, rows: rows,
            columns: columns)
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
        let expected =
            isInterleaved ? skein_i8_byte_count(rows, columns) : rows * columns * elementByteCount
        precondition(
            bytes.count == expected,
            "\(bytes.count) bytes for \(rows) x \(columns) of \(format)")
    }

    private var elementByteCount: Int {
        switch format {
        case .f32: 4
        case .bf16: 2
        case .f8Block, .i8Group: 1
        }
    }

    /// Whether rows lie in bands, so that no range of them lies alone.
    private var isInterleaved: Bool { if case .i8Group = format { true } else { false } }

    /// Bytes of the numbers and of the scales of these rows: what one use of the weight reads.
    public var byteCount: Int {
        if isInterleaved {
            return bytes.count + 4 * skein_i8_scale_count(rowCount, columnCount)
        }
        guard case .f8Block(let blockRows, let blockColumns) = format else { return bytes.count }
        let firstBlock = firstRow / blockRows
        let endBlock = (firstRow + rowCount + blockRows - 1) / blockRows
        let scaleColumns = (columnCount + blockColumns - 1) / blockColumns
        return bytes.count + (endBlock - firstBlock) * scaleColumns * 4
    }

    /// The rows in `range` as a weight of their own; their scales stay what they were.
    ///
    /// - Precondition: the weight is not INT8.
    public func rows(_ range: Range<Int>) -> WeightMatrix {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= rowCount && !range.isEmpty,
            "rows \(range) of \(rowCount)")
        precondition(!isInterleaved, "INT8 rows lie in bands and cannot be cut out")
        let rowBytes = columnCount * elementByteCount
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

    /// Lets go of the pages of the file that the weight was read from; they come back when they are
    /// read again.
    public func forgetPages() { bytes.forgetPages() }

    /// What the kernels take; valid while this weight lives.
    var kernelWeight: skein_weight {
        var weight = skein_weight()
        weight.bytes = bytes.base.assumingMemoryBound(to: UInt8.self)
        weight.scales = scales.base
        weight.rows = rowCount
        weight.columns = columnCount
        weight.block_rows = Self.rowsWithoutScales
        weight.block_columns = columnCount
        weight.scale_columns = 1
        weight.first_row = firstRow
        switch format {
        case .f32: weight.format = Int32(SKEIN_F32)
        case .bf16: weight.format = Int32(SKEIN_BF16)
        case .i8Group: weight.format = Int32(SKEIN_I8)
        case .f8Block(let blockRows, let blockColumns):
            weight.format = Int32(SKEIN_F8E4M3)
            weight.block_rows = blockRows
            weight.block_columns = blockColumns
            weight.scale_columns = (columnCount + blockColumns - 1) / blockColumns
        }
        return weight
    }

    func withKernelWeight<R>(_ body: (UnsafePointer<skein_weight>) -> R) -> R {
        withExtendedLifetime(self) { withUnsafePointer(to: kernelWeight, body) }
    }

    /// More rows than any weight has: a format without scales is one block.
    private static let rowsWithoutScales = 1 << 48
}

/// The scales of a weight, at an address that does not move.
///
/// `@unchecked Sendable` is safe because the numbers never change after `init`.
final class ScaleTable: @unchecked Sendable {
    let base: UnsafePointer<Float>
    private let owner: AnyObject?

    init(_ scales: [Float]) {
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(scales.count, 1))
        memory.initialize(repeating: 1, count: max(scales.count, 1))
        for (index, scale) in scales.enumerated() { memory[index] = scale }
        base = UnsafePointer(memory)
        owner = nil
    }

    /// Numbers in memory that `owner` keeps.
    init(owner: AnyObject, base: UnsafePointer<Float>) {
        self.owner = owner
        self.base = base
    }

    deinit { if owner == nil { base.deallocate() } }

    static let none = ScaleTable([])
}
