import SkeinCache
import SkeinCore
import SkeinTensor
import Testing

@Suite struct LatentPoolTests {
    private static let compute = ComputePool(threadCount: 2)

    @Test func rowsAreFoundWhereThePageTableSays() throws {
        let pool = try LatentPool(layers: 3..<5, pageCount: 4, rowWidth: 6)
        let rows = Tensor((0..<70).map { row in (0..<6).map { Float(row + $0) } })
        let pages = [PageIndex(2), PageIndex(0)]
        let span = AttentionSpan(rows: 0..<70, firstPosition: 0, pageTable: pages)
        pool.view(of: LayerIndex(4)).write(rows, spans: [span], on: Self.compute)
        let view = pool.view(of: LayerIndex(4))
        for position in [0, 1, 63, 64, 69] {
            #expect(view.row(position: position, pageTable: pages) == rows.row(position))
        }
        #expect(view.row(position: 5, pageTable: [PageIndex(0)]) == rows.row(69))
        let other = pool.view(of: LayerIndex(3)).row(position: 0, pageTable: pages)
        #expect(other == [Float](repeating: 0, count: 6))
    }

    @Test func writtenRowsAreRoundedToBFloat16() throws {
        let pool = try LatentPool(layers: 0..<1, pageCount: 1, rowWidth: 2)
        let rows = Tensor([[1.001, -3.1415927]])
        let span = AttentionSpan(rows: 0..<1, firstPosition: 9, pageTable: [PageIndex(0)])
        pool.view(of: LayerIndex(0)).write(rows, spans: [span], on: Self.compute)
        rows.roundToBFloat16()
        let view = pool.view(of: LayerIndex(0))
        #expect(view.row(position: 9, pageTable: [PageIndex(0)]) == rows.row(0))
    }

    @Test func aCopiedPageHoldsTheSameRowsInEveryLayer() throws {
        let pool = try LatentPool(layers: 0..<2, pageCount: 2, rowWidth: 2)
        let rows = Tensor([[1, 2], [3, 4]])
        let span = AttentionSpan(rows: 0..<2, firstPosition: 0, pageTable: [PageIndex(0)])
        for layer in 0..<2 {
            pool.view(of: LayerIndex(layer)).write(rows, spans: [span], on: Self.compute)
        }
        pool.copyPage(from: PageIndex(0), to: PageIndex(1), rowCount: 1)
        for layer in 0..<2 {
            let view = pool.view(of: LayerIndex(layer))
            #expect(view.row(position: 0, pageTable: [PageIndex(1)]) == [1, 2])
            #expect(view.row(position: 1, pageTable: [PageIndex(1)]) == [0, 0])
        }
    }

    @Test func indexKeysAreCountedAndCopiedWithTheirPage() throws {
        let pool = try LatentPool(layers: 3..<5, pageCount: 2, rowWidth: 6, indexKeyWidth: 2)
        #expect(pool.bytesPerPage == 2 * 64 * (12 + 4))
        #expect(pool.byteCount == 2 * pool.bytesPerPage)
        let compute = ComputePool(threadCount: 1)
        let latents = pool.view(of: LayerIndex(4))
        // Position 1 has the best key, then 2, then 0.
        latents.writeIndexKeys(
            Tensor([[1, 0], [3, 0], [2, 0]]),
            spans: [AttentionSpan(rows: 0..<3, firstPosition: 0, pageTable: [PageIndex(0)])],
            on: compute)
        pool.copyPage(from: PageIndex(0), to: PageIndex(1), rowCount: 3)
        let selection = latents.select(
            Tensor([[1, 0]]), weights: Tensor([[1]]),
            paged: PagedRows([
                AttentionSpan(rows: 0..<1, firstPosition: 2, pageTable: [PageIndex(1)])
            ]),
            keptCount: 2, on: compute)
        #expect(selection?.positions(row: 0, position: 2) == [1, 2])
    }

    @Test func bytesAreCountedAsTheyAreStored() throws {
        let pool = try LatentPool(layers: 0..<3, pageCount: 5, rowWidth: 576)
        #expect(pool.bytesPerPage == 3 * 64 * 1_152)
        #expect(pool.byteCount == 5 * pool.bytesPerPage)
    }

    /// Of 512 + 64 numbers: 512 codes, four scales of four bytes, 64 numbers of two.
    @Test func aRowInFP8Takes656Bytes() throws {
        let pool = try LatentPool(
            layers: 0..<3, pageCount: 5, rowWidth: 576,
            codedWidth: LatentForm.fp8.codedWidth(latentWidth: 512))
        #expect(pool.bytesPerPage == 3 * 64 * 656)
        #expect(pool.byteCount == 5 * pool.bytesPerPage)
        let plain = LatentForm.bf16.codedWidth(latentWidth: 512)
        #expect(plain == 0)
        #expect(LatentForm.rowByteCount(rowWidth: 576, codedWidth: plain) == 1_152)
    }

    @Test func rowsInFP8AreFoundWhereThePageTableSaysAndCopied() throws {
        let pool = try LatentPool(layers: 3..<5, pageCount: 3, rowWidth: 7, codedWidth: 5)
        // Powers of two have codes of their own; 1 + 2^-7 is what BF16 can just say.
        let rows = Tensor(
            (0..<70).map { row in
                let power = Float(1 << (row % 8))
                return [power, -power, 0, power / 2, power * 8, 1.0078125, Float(row)]
            })
        let pages = [PageIndex(2), PageIndex(0)]
        let span = AttentionSpan(rows: 0..<70, firstPosition: 0, pageTable: pages)
        let view = pool.view(of: LayerIndex(4))
        view.write(rows, spans: [span], on: Self.compute)
        pool.copyPage(from: PageIndex(0), to: PageIndex(1), rowCount: 5)
        for position in [0, 1, 63, 64, 69] {
            #expect(view.row(position: position, pageTable: pages) == rows.row(position))
        }
        #expect(view.row(position: 4, pageTable: [PageIndex(1)]) == rows.row(68))
        #expect(view.row(position: 5, pageTable: [PageIndex(1)]).allSatisfy { $0 == 0 })
    }

    @Test(arguments: [0, -1, Int(Int32.max) + 1])
    func anImpossibleNumberOfPagesIsRefused(pageCount: Int) {
        let error = #expect(throws: Refusal.self) {
            try LatentPool(layers: 0..<1, pageCount: pageCount, rowWidth: 2)
        }
        #expect(error?.subject == "latent cache")
    }
}
