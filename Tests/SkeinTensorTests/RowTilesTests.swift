import SkeinCore
import SkeinTensor
import Testing

@Suite struct RowTilesTests {
    /// Rows whose tiles have magnitudes far apart; the last tile may be short.
    private static func rows(_ columnCount: Int) -> Tensor {
        let rows = Fixture.tensor(rows: 3, columns: columnCount, seed: UInt64(columnCount))
        for row in 0..<3 {
            for column in 0..<columnCount where column / 128 == row { rows[row, column] *= 1e5 }
        }
        return rows
    }

    @Test(arguments: [1, 127, 128, 129, 300, 512], Kernels.supported)
    func eachTileHasTheCodesAndTheScaleOfItsNumbersAlone(
        columnCount: Int, instructionSet: InstructionSet
    ) {
        let rows = Self.rows(columnCount)
        let (codes, scales) = RowTiles.pack(rows, instructionSet: instructionSet)
        for row in 0..<3 {
            let numbers = rows.row(row)
            for tile in 0..<Limits.tileCount(of: columnCount) {
                let columns = 128 * tile..<min(columnCount, 128 * tile + 128)
                let expected = Float8.quantize(Array(numbers[columns]), scale: .powerOfTwo)
                #expect(scales[row, tile] == expected.scale)
                #expect(codes[columns.map { row * columnCount + $0 }] == expected.codes)
            }
        }
    }

    @Test(arguments: [1, 127, 129, 512], Kernels.supported)
    func whatWasRoundedIsPackedWithoutLoss(columnCount: Int, instructionSet: InstructionSet) {
        let rounded = Tensor(rows: 0, columns: columnCount)
        RowTiles.round(Self.rows(columnCount), into: rounded, instructionSet: instructionSet)
        let (codes, scales) = RowTiles.pack(rounded, instructionSet: instructionSet)
        let again = Tensor(rows: 3, columns: columnCount)
        RowTiles.unpack(codes, scales: scales, into: again, instructionSet: instructionSet)
        #expect(again.packedFloat32() == rounded.packedFloat32())
    }
}

extension [UInt8] {
    fileprivate subscript(places: [Int]) -> [UInt8] { places.map { self[$0] } }
}
