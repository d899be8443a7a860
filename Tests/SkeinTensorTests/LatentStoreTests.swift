import SkeinCore
import SkeinTensor
import Testing

@Suite struct LatentStoreTests {
    @Test func rowsComeBackRoundedToBFloat16() throws {
        let store = try LatentStore(layerCount: 2, pageCount: 3, pageRowCount: 4, rowWidth: 5)
        #expect(store.byteCount == 2 * 3 * 4 * 5 * 2)
        #expect(store.bytesPerPage == 2 * 4 * 5 * 2)
        let values = Tensor([[1, 2, 3, 4.001, 5, 6]])
        store.write(
            layer: 1, page: PageIndex(2), row: 3, from: values, row: 0, columns: 1..<4,
            firstColumn: 2)
        #expect(store.row(layer: 1, page: PageIndex(2), row: 3) == [0, 0, 2, 3, 4])
        store.copyPage(from: PageIndex(2), to: PageIndex(0), rowCount: 4)
        #expect(store.row(layer: 1, page: PageIndex(0), row: 3) == [0, 0, 2, 3, 4])
        #expect(store.row(layer: 0, page: PageIndex(0), row: 3) == [0, 0, 0, 0, 0])
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
