internal import CSkeinKernels

/// A weight `[rowCount, columnCount]` (out, in) in panels of sixteen rows, as products read it.
///
/// The only copy that serving reads: it is made once, while loading, in memory of a ``WeightArena``
/// or in a file that several processes map.
public struct PackedWeight: Sendable {
    /// Outputs.
    public let rowCount: Int

    /// Inputs.
    public let columnCount: Int

    /// How the numbers are kept.
    public let format: WeightMatrix.Format

    private let storage: Storage

    /// What the kernels take, and who owns the memory.
    ///
    /// `@unchecked Sendable` is safe because nothing changes after `init` and the owner lives as
    /// long.
    private final class Storage: @unchecked Sendable {
        let packed: skein_packed
        let owner: AnyObject

        init(_ packed: skein_packed, owner: AnyObject) {
            self.packed = packed
            self.owner = owner
        }
    }

    /// - Parameter format: of the packed numbers.
    init(_ packed: skein_packed, format: WeightMatrix.Format, owner: AnyObject) {
        rowCount = packed.rows
        columnCount = packed.columns
        self.format = format
        storage = Storage(packed, owner: owner)
    }

    /// Bytes of the numbers and of the scales: what one use of the weight reads.
    public var byteCount: Int { partByteCounts.reduce(0, +) }

    /// Bytes of the numbers, and those of the scales.
    public var partByteCounts: [Int] {
        withKernelWeight { [skein_packed_code_bytes($0), skein_packed_scale_bytes($0)] }
    }

    /// Whether a code is no number, which kernels want to know beforehand.
    public var holdsNaN: Bool { kernelWeight.holds_nan }

    /// One row as F32, scales applied.
    public func decodedRow(_ row: Int) -> [Float] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return [Float](unsafeUninitializedCapacity: columnCount) { out, used in
            withKernelWeight { skein_decode_packed_row($0, row, out.baseAddress) }
            used = columnCount
        }
    }

    /// What the kernels take; valid while this weight lives.
    var kernelWeight: skein_packed { storage.packed }

    func withKernelWeight<R>(_ body: (UnsafePointer<skein_packed>) -> R) -> R {
        withExtendedLifetime(storage) { withUnsafePointer(to: storage.packed, body) }
    }
}

/// The weights of some heads, one for each, which multiply numbers of their own.
public struct HeadWeights: Sendable {
    /// One weight for each head, of one shape.
    public let heads: [PackedWeight]

    /// Joins the heads' weights.
    public init(_ heads: [PackedWeight]) {
        precondition(
            !heads.isEmpty
                && heads.allSatisfy {
                    $0.rowCount == heads[0].rowCount && $0.columnCount == heads[0].columnCount
                },
            "heads of different shapes")
        self.heads = heads
    }

    /// Outputs of a head.
    public var rowCount: Int { heads[0].rowCount }

    /// Inputs of a head.
    public var columnCount: Int { heads[0].columnCount }

    /// Bytes that one use reads.
    public var byteCount: Int { heads.reduce(0) { $0 + $1.byteCount } }
}

/// Which rows of a weight belong to which head.
public struct HeadRows: Sendable, Hashable {
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

    /// The rows of one head in the whole weight.
    func rows(of head: Int) -> Range<Int> {
        head * rowsPerHead + used.lowerBound..<head * rowsPerHead + used.upperBound
    }
}
