import SkeinCore
import SkeinTensor
import SkeinWire
import Testing

@testable import SkeinModel
@testable import SkeinStage

@Suite struct RowFramesTests {
    /// Rows whose last tile is short, unless `columnCount` is a multiple of 128.
    private static func rows(_ columnCount: Int) -> Tensor {
        let rows = Tensor(rows: 5, columns: columnCount)
        for row in 0..<5 {
            for column in 0..<columnCount {
                let number = (column * 37 + row * 91) % 257 - 128
                rows[row, column] = Float(number * row) / 9
            }
        }
        rows.roundToBFloat16()
        return rows
    }

    private static func arrived(_ frames: RowFrames) -> Tensor {
        let rows = Tensor(rows: 0, columns: frames.rows.columnCount)
        frames.load(into: rows)
        return rows
    }

    @Test(arguments: [1, 128, 200, 256])
    func bf16RowsArriveAsTheyWere(columnCount: Int) {
        let rows = Self.rows(columnCount)
        let frames = RowFrames(rows, .bf16)
        #expect(frames.scales == nil && frames.rows.frame.byteCount == 10 * columnCount)
        #expect(Self.arrived(frames).values() == rows.values())
        #expect(RowFrames(rows, .bf16) == frames)
    }

    @Test(arguments: [1, 128, 200, 256])
    func fp8RowsArriveRoundedOnce(columnCount: Int) throws {
        let rows = Self.rows(columnCount)
        let frames = RowFrames(rows, .fp8)
        #expect(frames.rows.frame.byteCount == 5 * columnCount)
        let scales = try #require(frames.scales)
        #expect(scales.columnCount == (columnCount + 127) / 128 && scales.rowCount == 5)
        let rounded = Tensor(rows: 0, columns: columnCount)
        RowTiles.round(rows, into: rounded)
        let arrived = Self.arrived(frames)
        #expect(arrived.values() == rounded.values())
        // On the next hop nothing more is lost.
        let again = RowFrames(arrived, .fp8)
        #expect(Self.arrived(again).values() == arrived.values())
        #expect(RowFrames(arrived, .fp8) == again)
    }

    /// A row alone and one among others: scales are a row's own.
    @Test func aRowDoesNotDependOnThoseBesideIt() {
        let rows = Self.rows(200)
        let all = Self.arrived(RowFrames(rows, .fp8))
        for row in 0..<rows.rowCount {
            let alone = Self.arrived(RowFrames(Tensor([rows.row(row)]), .fp8))
            #expect(alone.row(0) == all.row(row))
        }
    }
}
