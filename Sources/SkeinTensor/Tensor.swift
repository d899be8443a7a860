internal import CSkeinKernels

/// F32 numbers `[rowCount, columnCount]`, row-major, aligned to 64 bytes.
///
/// A tensor belongs to one actor. It keeps its memory when it is resized, so that a step which has
/// run once at its largest size allocates nothing more.
public final class Tensor {
    /// Rows in use.
    public private(set) var rowCount: Int

    /// Numbers in a row.
    public let columnCount: Int

    private(set) var base: UnsafeMutablePointer<Float>
    private var capacity: Int

    /// Makes a tensor of zeros.
    public init(rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0, "a tensor of \(rows) x \(columns)")
        rowCount = rows
        columnCount = columns
        capacity = rows * columns
        base = Self.allocate(capacity)
    }

    /// Makes a tensor of the given rows, all of one length.
    public convenience init(_ rows: [[Float]]) {
        self.init(rows: rows.count, columns: rows.first?.count ?? 0)
        for (index, row) in rows.enumerated() { setRow(index, to: row) }
    }

    deinit { base.deallocate() }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Float> {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: max(capacity * MemoryLayout<Float>.stride, 64), alignment: 64)
        let base = bytes.bindMemory(to: Float.self, capacity: max(capacity, 16))
        base.initialize(repeating: 0, count: max(capacity, 16))
        return base
    }

    /// Changes the number of rows; what the rows hold afterwards is unspecified.
    public func resize(rows: Int) {
        precondition(rows >= 0, "a tensor of \(rows) rows")
        if rows * columnCount > capacity {
            base.deallocate()
            capacity = rows * columnCount
            base = Self.allocate(capacity)
        }
        rowCount = rows
    }

    /// Numbers in use.
    public var count: Int { rowCount * columnCount }

    /// One number.
    public subscript(row: Int, column: Int) -> Float {
        get { base[offset(row, column)] }
        set { base[offset(row, column)] = newValue }
    }

    private func offset(_ row: Int, _ column: Int) -> Int {
        precondition(
            row >= 0 && row < rowCount && column >= 0 && column < columnCount,
            "[\(row), \(column)] of \(rowCount) x \(columnCount)")
        return row * columnCount + column
    }

    func rowBase(_ row: Int) -> UnsafeMutablePointer<Float> {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return base + row * columnCount
    }
}

// MARK: Looking and copying

extension Tensor {
    /// Lends one row.
    public func withRow<R, Failure: Error>(
        _ row: Int, _ body: (Span<Float>) throws(Failure) -> R
    ) throws(Failure) -> R {
        try body(UnsafeBufferPointer(start: rowBase(row), count: columnCount).span)
    }

    /// A copy of one row.
    public func row(_ row: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: rowBase(row), count: columnCount))
    }

    /// A copy of everything, row after row.
    public func values() -> [Float] { Array(UnsafeBufferPointer(start: base, count: count)) }

    /// Overwrites one row.
    public func setRow(_ row: Int, to values: [Float]) {
        precondition(values.count == columnCount, "\(values.count) numbers for \(columnCount)")
        values.withUnsafeBufferPointer { source in
            guard let from = source.baseAddress else { return }
            rowBase(row).update(from: from, count: columnCount)
        }
    }

    /// Sets every number to `value`.
    public func fill(_ value: Float) { base.update(repeating: value, count: count) }

    /// Takes the size and the numbers of `other`, which has as many columns.
    public func copy(from other: Tensor) {
        precondition(
            other.columnCount == columnCount, "\(other.columnCount) columns, not \(columnCount)")
        resize(rows: other.rowCount)
        base.update(from: other.base, count: count)
    }

    /// Overwrites one row by a row of `other`, which has as many columns.
    public func copyRow(_ row: Int, from other: Tensor, row source: Int) {
        precondition(
            other.columnCount == columnCount, "\(other.columnCount) columns, not \(columnCount)")
        rowBase(row).update(from: other.rowBase(source), count: columnCount)
    }

    /// Overwrites columns from `column` on by a range of columns of a row of `other`.
    public func copyRow(
        _ row: Int, column: Int = 0, from other: Tensor, row source: Int, columns: Range<Int>
    ) {
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= other.columnCount && column >= 0
                && column + columns.count <= columnCount,
            "columns \(columns) of \(other.columnCount) to \(column) of \(columnCount)")
        (rowBase(row) + column).update(
            from: other.rowBase(source) + columns.lowerBound, count: columns.count)
    }
}
