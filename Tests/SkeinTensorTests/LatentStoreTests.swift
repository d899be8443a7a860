import SkeinCore
import SkeinTensor
import Testing

@Suite struct LatentStoreTests {
    @Test func rowsComeBackRoundedToBFloat16() throws {
        let store = try LatentStore(layerCount: 2, pageCount: 3, pageRowCount: 4, rowWidth: 5)
        #expect(store.byteCount == 2 * 3 * 4 * 5 * 2)
        #expect(store.bytesPerPage == 2 * 4 * 5 * 2)
        let values = Tensor([[0, 0, 0, 0, 0], [1, 2, 3, 4.001, 5]])
        store.write(layer: 1, page: PageIndex(2), row: 3, from: values, row: 1)
        #expect(store.row(layer: 1, page: PageIndex(2), row: 3) == [1, 2, 3, 4, 5])
        #expect(store.row(layer: 1, page: PageIndex(2), row: 2) == [0, 0, 0, 0, 0])
        store.copyPage(from: PageIndex(2), to: PageIndex(0), rowCount: 4)
        #expect(store.row(layer: 1, page: PageIndex(0), row: 3) == [1, 2, 3, 4, 5])
        #expect(store.row(layer: 0, page: PageIndex(0), row: 3) == [0, 0, 0, 0, 0])
    }

    /// Tiles of 128 numbers from the first on, each with a scale of its own; BF16 behind them.
    @Test(arguments: [1, 24, 33, 128, 129, 192, 512])
    func codedNumbersComeBackAsTheirTilesWereQuantized(codedWidth: Int) throws {
        let width = codedWidth + 9
        let store = try LatentStore(
            layerCount: 2, pageCount: 3, pageRowCount: 4, rowWidth: width, codedWidth: codedWidth)
        #expect(store.rowByteCount == codedWidth + 4 * ((codedWidth + 127) / 128) + 18)
        #expect(store.byteCount == 2 * 3 * 4 * store.rowByteCount)
        let values = Fixture.tensor(rows: 4, columns: width, seed: 3)
        for (row, factor) in [Float(1), 1e-3, 50, 1e6].enumerated() {
            for column in 0..<width { values[row, column] *= factor }
            store.write(layer: 1, page: PageIndex(1), row: row, from: values, row: row)
        }
        store.copyPage(from: PageIndex(1), to: PageIndex(2), rowCount: 4)
        let rounded = Tensor((0..<4).map { values.row($0) })
        rounded.roundToBFloat16()
        for row in 0..<4 {
            let found = store.row(layer: 1, page: PageIndex(2), row: row)
            #expect(found[..<codedWidth] == Self.quantized(values.row(row)[..<codedWidth])[...])
            #expect(found[codedWidth...] == rounded.row(row)[codedWidth...])
            #expect(found.allSatisfy { $0.bitPattern & 0xFFFF == 0 }, "a number beyond BF16")
        }
        #expect(store.row(layer: 0, page: PageIndex(2), row: 3).allSatisfy { $0 == 0 })
    }

    /// What cannot be a number stays none, and troubles nobody else than its tile.
    @Test(arguments: [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, 0, -0x1p-140])
    func everyNumberCanBeWritten(number: Float) throws {
        let store = try LatentStore(
            layerCount: 1, pageCount: 1, pageRowCount: 1, rowWidth: 260, codedWidth: 256)
        let values = Tensor(rows: 1, columns: 260)
        for column in 0..<260 { values[0, column] = column == 5 ? number : 1 }
        if number == 0 { for column in 0..<128 { values[0, column] = 0 } }
        store.write(layer: 0, page: PageIndex(0), row: 0, from: values, row: 0)
        let found = store.row(layer: 0, page: PageIndex(0), row: 0)
        let expected = Self.quantized(values.row(0)[..<256])
        for (code, wanted) in zip(found, expected) {
            #expect(wanted.isNaN ? code.isNaN : code == wanted)
        }
        #expect(found[5].isNaN == !number.isFinite)
        #expect(found[128...].allSatisfy { $0 == 1 })
    }

    /// Tile by tile, as activations of FP8 products are.
    private static func quantized(_ numbers: ArraySlice<Float>) -> [Float] {
        stride(from: 0, to: numbers.count, by: 128).flatMap { first in
            let (codes, scale) = Float8.quantize(
                Array(numbers[first..<min(first + 128, numbers.count)]), scale: .powerOfTwo)
            return codes.map { Float8.decode($0) * scale }
        }
    }

    @Test func sizesThatCannotBeCountedAreRefused() {
        #expect(throws: Refusal.self) {
            try LatentStore(
                layerCount: 1 << 20, pageCount: 1 << 40, pageRowCount: 64, rowWidth: 576)
        }
    }

    @Test func untouchedPagesCostNothing() throws {
        let before = MachineMemory.now().residentBytes
        let store = try LatentStore(layerCount: 61, pageCount: 10_000, rowWidth: 576)
        #expect(store.byteCount > 40 << 30)
        #expect(MachineMemory.now().residentBytes - before < 1 << 30)
    }
}
