import SkeinCore
import SkeinTensor
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct PagedAttentionTests {
    static let pool = ComputePool(threadCount: 2)

    /// A store with rows for spans of (first position, rows), on pages that are not in order.
    static func store(
        width: Int, coded: Int = 0, pageRows: Int, spans: [(first: Int, count: Int)]
    ) throws -> (LatentStore, [AttentionSpan]) {
        let pagesPerSpan = 24
        let store = try LatentStore(
            layerCount: 2, pageCount: spans.count * pagesPerSpan, pageRowCount: pageRows,
            rowWidth: width, codedWidth: coded)
        var row = 0
        var result: [AttentionSpan] = []
        for (index, span) in spans.enumerated() {
            let needed = (span.first + span.count + pageRows - 1) / pageRows
            let pages = (0..<needed).map {
                PageIndex((($0 * 5 + 3) % pagesPerSpan) * spans.count + index)
            }
            let rows = Fixture.tensor(
                rows: span.first + span.count, columns: width, seed: UInt64(index + 40))
            for position in 0..<rows.rowCount {
                store.write(
                    layer: 1, page: pages[position / pageRows], row: position % pageRows,
                    from: rows, row: position)
            }
            result.append(
                AttentionSpan(
                    rows: row..<row + span.count, firstPosition: span.first, pageTable: pages))
            row += span.count
        }
        return (store, result)
    }

    @Test(arguments: [(1, 24, 16), (3, 40, 33), (9, 80, 64)])
    func attentionIsCloseToItsDefinition(heads: Int, width: Int, latent: Int) throws {
        let (store, spans) = try Self.store(
            width: width, pageRows: 16,
            spans: [(0, 5), (30, 4), (15, 1), (47, 2), (127, 2), (300, 1)])
        let queries = Fixture.tensor(rows: 15, columns: heads * width, seed: 1)
        queries.roundToBFloat16()
        let output = Tensor(rows: 0, columns: heads * latent)
        PagedAttention.attend(
            queries, to: store, layer: 1, spans: spans, headCount: heads, latentWidth: latent,
            scale: 0.5, into: output, on: Self.pool)
        for span in spans {
            for row in span.rows {
                let position = span.firstPosition + row - span.rows.lowerBound
                let keys = (0...position).map {
                    store.row(layer: 1, page: span.pageTable[$0 / 16], row: $0 % 16)
                }
                for head in 0..<heads {
                    let query = Array(queries.row(row)[head * width..<(head + 1) * width])
                    let weights = keys.map { exp(0.5 * Fixture.dot(query, $0).sum) }
                    let sum = weights.reduce(0, +)
                    for c in 0..<latent {
                        let expected =
                            zip(weights, keys).reduce(0.0) { $0 + $1.0 * Double($1.1[c]) } / sum
                        // Weights are rounded to BF16, off by 2^-9 of themselves at most, as is
                        // their sum; numbers are below one.
                        let found = Double(output[row, head * latent + c])
                        #expect(abs(found - expected) < 0x1p-8)
                    }
                }
            }
        }
    }

    /// What FP8 costs is the rounding of a row as it is written; nothing is lost after that.
    @Test(arguments: [(40, 33), (200, 192), (576, 512)], Kernels.supported)
    func rowsInFP8GiveTheBitsOfTheSameNumbersInBFloat16(
        widths: (row: Int, latent: Int), instructionSet: InstructionSet
    ) throws {
        let (width, latent) = widths
        let (coded, spans) = try Self.store(
            width: width, coded: latent, pageRows: 16, spans: [(0, 5), (47, 2)])
        let plain = try LatentStore(
            layerCount: 2, pageCount: coded.pageCount, pageRowCount: 16, rowWidth: width)
        for page in 0..<coded.pageCount {
            for row in 0..<16 {
                let numbers = Tensor([coded.row(layer: 1, page: PageIndex(page), row: row)])
                plain.write(layer: 1, page: PageIndex(page), row: row, from: numbers, row: 0)
            }
        }
        let pool = ComputePool(threadCount: 1, instructionSet: instructionSet)
        let queries = Fixture.tensor(rows: 7, columns: 9 * width, seed: 1)
        let outputs = [coded, plain].map { store in
            let output = Tensor(rows: 0, columns: 9 * latent)
            PagedAttention.attend(
                queries, to: store, layer: 1, spans: spans, headCount: 9, latentWidth: latent,
                scale: 0.3, into: output, on: pool)
            return output.packedFloat32()
        }
        #expect(outputs[0] == outputs[1])
    }

    @Test func aQueryAloneHasTheBitsOfTheQueryInAChunk() throws {
        let (store, spans) = try Self.store(width: 72, pageRows: 16, spans: [(20, 30)])
        let queries = Fixture.tensor(rows: 30, columns: 5 * 72, seed: 1)
        let chunk = Tensor(rows: 0, columns: 5 * 64)
        PagedAttention.attend(
            queries, to: store, layer: 1, spans: spans, headCount: 5, latentWidth: 64,
            scale: 0.2, into: chunk, on: Self.pool)
        let alone = Tensor(rows: 0, columns: 5 * 64)
        for row in 0..<30 {
            PagedAttention.attend(
                Tensor([queries.row(row)]), to: store, layer: 1,
                spans: [
                    AttentionSpan(
                        rows: 0..<1, firstPosition: 20 + row, pageTable: spans[0].pageTable)
                ], headCount: 5, latentWidth: 64, scale: 0.2, into: alone, on: Self.pool)
            #expect(alone.row(0) == chunk.row(row))
        }
    }

    @Test func scoresFarApartLeaveNoNaN() throws {
        let store = try LatentStore(layerCount: 1, pageCount: 2, pageRowCount: 4, rowWidth: 4)
        let rows = Tensor([
            [1000, 0, 0, 1], [-1000, 0, 0, 2], [0, 0, 0, 3], [1000, 0, 0, 4], [2000, 0, 0, 5],
        ])
        for position in 0..<5 {
            store.write(
                layer: 0, page: PageIndex(position / 4), row: position % 4, from: rows,
                row: position)
        }
        let output = Tensor(rows: 0, columns: 4)
        PagedAttention.attend(
            Tensor([[1, 0, 0, 0]]), to: store, layer: 0,
            spans: [
                AttentionSpan(
                    rows: 0..<1, firstPosition: 4, pageTable: [PageIndex(0), PageIndex(1)])
            ],
            headCount: 1, latentWidth: 4, scale: 1, into: output, on: Self.pool)
        #expect(output.row(0) == [2000, 0, 0, 5])
    }
}
