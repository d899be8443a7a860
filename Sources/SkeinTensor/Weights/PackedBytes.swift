internal import CSkeinKernels

/// Packed weights one after the other, as a ``WeightArena`` has laid them out, in bytes that
/// somebody else keeps: a mapped file.
public struct PackedBytes: Sendable {
    private let bytes: MappedBytes
    private var takenBytes = 0

    /// Reads from the beginning.
    ///
    /// - Parameter bytes: on a line of 64 bytes.
    public init(_ bytes: MappedBytes) {
        precondition(UInt(bitPattern: bytes.base) % 64 == 0, "packed bytes lie on a line of 64")
        self.bytes = bytes
    }

    /// The next weight, of which shape and form are known.
    ///
    /// - Parameter holdsNaN: of each part: whether a code is no number.
    /// - Precondition: the bytes have ``PackedForm/byteCount(rows:columns:format:)`` left.
    public mutating func next(
        rows: Int, columns: Int, format: WeightMatrix.Format, as form: PackedForm,
        holdsNaN: (_ part: Int) -> Bool
    ) -> [PackedWeight] {
        form.shapes(rows: rows, columns: columns, format: format).enumerated().map { index, part in
            var packed = part.shape
            packed.codes = take(part.codeBytes)
            packed.scales = take(part.scaleBytes)
            packed.holds_nan = holdsNaN(index)
            return PackedWeight(packed, format: part.format, owner: bytes.keeper)
        }
    }

    private mutating func take(_ byteCount: Int) -> UnsafePointer<UInt8> {
        precondition(
            byteCount <= bytes.count - takenBytes,
            "\(byteCount) packed bytes, \(bytes.count - takenBytes) are left")
        defer { takenBytes += byteCount }
        return (bytes.base + takenBytes).assumingMemoryBound(to: UInt8.self)
    }
}
