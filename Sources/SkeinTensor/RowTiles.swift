internal import CSkeinKernels
import SkeinCore

/// Rows in FP8: 128 numbers of a row share a scale, a power of two.
///
/// So a code times its scale is a BF16 number, and rounding what was rounded changes nothing.
public enum RowTiles {
    /// Rounds rows to FP8 and back.
    ///
    /// - Parameters:
    ///   - result: resized to the rows' size.
    ///   - instructionSet: of the kernel; all give the same numbers.
    public static func round(
        _ rows: Tensor, into result: Tensor, instructionSet: InstructionSet = Kernels.chosen
    ) {
        precondition(
            result.columnCount == rows.columnCount,
            "rows of \(rows.columnCount) into rows of \(result.columnCount)")
        result.resize(rows: rows.rowCount)
        let width = rows.columnCount
        var codes = [UInt8](repeating: 0, count: width)
        var scales = [Float](repeating: 0, count: Limits.tileCount(of: width))
        for row in 0..<rows.rowCount {
            skein_pack_tiles(
                instructionSet.rawValue, rows.rowBase(row), width, &codes, &scales)
            skein_unpack_tiles(
                instructionSet.rawValue, codes, scales, width, result.rowBase(row))
        }
    }

    /// Packs rows: those that ``round(_:into:instructionSet:)`` gave without loss, others rounded
    /// as it does.
    ///
    /// - Returns: FP8 codes `[row, column]` and F32 scales `[row, tile]`.
    public static func pack(
        _ rows: Tensor, instructionSet: InstructionSet = Kernels.chosen
    ) -> (codes: [UInt8], scales: Tensor) {
        let width = rows.columnCount
        let scales = Tensor(rows: rows.rowCount, columns: Limits.tileCount(of: width))
        let codes = [UInt8](unsafeUninitializedCapacity: rows.rowCount * width) { codes, count in
            for row in 0..<rows.rowCount {
                skein_pack_tiles(
                    instructionSet.rawValue, rows.rowBase(row), width,
                    codes.baseAddress.map { $0 + row * width }, scales.rowBase(row))
            }
            count = rows.rowCount * width
        }
        return (codes, scales)
    }

    /// Reads what ``pack(_:instructionSet:)`` wrote.
    ///
    /// - Parameters:
    ///   - scales: `[row, tile]`.
    ///   - result: has the rows' size.
    public static func unpack(
        _ codes: [UInt8], scales: Tensor, into result: Tensor,
        instructionSet: InstructionSet = Kernels.chosen
    ) {
        let width = result.columnCount
        precondition(codes.count == result.count, "\(codes.count) codes for \(result.count)")
        precondition(
            scales.rowCount == result.rowCount && scales.columnCount == Limits.tileCount(of: width),
            "scales [\(scales.rowCount), \(scales.columnCount)]")
        codes.withUnsafeBufferPointer { codes in
            for row in 0..<result.rowCount {
                skein_unpack_tiles(
                    instructionSet.rawValue, codes.baseAddress.map { $0 + row * width },
                    scales.rowBase(row), width, result.rowBase(row))
            }
        }
    }
}
