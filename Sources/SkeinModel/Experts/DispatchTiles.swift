import SkeinCore
public import SkeinTensor

/// Rows in FP8, on their way to experts elsewhere or to the next stage.
public enum DispatchTiles {
    /// Rounds rows to FP8 and back: what routed experts receive where a cluster dispatches so.
    ///
    /// Scales are powers of two, so that rounding what was rounded changes nothing, and every
    /// result is a BF16 number.
    ///
    /// - Parameter result: resized to the rows' size.
    static func round(_ rows: Tensor, into result: Tensor) {
        result.resize(rows: rows.rowCount)
        for row in 0..<rows.rowCount {
            var values = rows.row(row)
            forEachTile(of: values) { tile, codes, scale in
                for (place, code) in zip(tile, codes) {
                    values[place] = Float8.decode(code) * scale
                }
            }
            result.setRow(row, to: values)
        }
    }

    /// Packs rows: those that ``round(_:into:)`` gave without loss, others rounded as it does.
    ///
    /// - Returns: FP8 codes `[row, hidden]` and F32 scales `[row, tile]`.
    public static func pack(_ rows: Tensor) -> (codes: [UInt8], scales: Tensor) {
        var codes: [UInt8] = []
        codes.reserveCapacity(rows.count)
        let scales = Tensor(rows: rows.rowCount, columns: tileCount(rows.columnCount))
        for row in 0..<rows.rowCount {
            var column = 0
            forEachTile(of: rows.row(row)) { _, tileCodes, scale in
                codes += tileCodes
                scales[row, column] = scale
                column += 1
            }
        }
        return (codes, scales)
    }

    /// Reads what ``pack(_:)`` wrote.
    ///
    /// - Parameters:
    ///   - scales: `[row, tile]`.
    ///   - result: has the rows' size.
    public static func unpack(_ codes: [UInt8], scales: Tensor, into result: Tensor) {
        precondition(codes.count == result.count, "\(codes.count) codes for \(result.count)")
        let width = result.columnCount
        for row in 0..<result.rowCount {
            result.setRow(
                row,
                to: (0..<width).map {
                    Float8.decode(codes[row * width + $0])
                        * scales[row, $0 / Limits.dispatchTileCount]
                })
        }
    }

    /// Tiles of a row.
    public static func tileCount(_ columnCount: Int) -> Int {
        (columnCount + Limits.dispatchTileCount - 1) / Limits.dispatchTileCount
    }

    private static func forEachTile(
        of row: [Float], _ body: (Range<Int>, [UInt8], Float) -> Void
    ) {
        for first in stride(from: 0, to: row.count, by: Limits.dispatchTileCount) {
            let tile = first..<min(first + Limits.dispatchTileCount, row.count)
            let (codes, scale) = Float8.quantize(Array(row[tile]), scale: .powerOfTwo)
            body(tile, codes, scale)
        }
    }
}
