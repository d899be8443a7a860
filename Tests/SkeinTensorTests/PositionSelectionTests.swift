import SkeinCore
import SkeinTensor
import Testing

@Suite struct PositionSelectionTests {
    static let pool = ComputePool(threadCount: 2)

    /// One query row of a sequence whose keys lie on pages that are not in order.
    private struct Row {
        let queries: Tensor
        let weights: Tensor
        let span: AttentionSpan

        init(_ row: Int, of queries: Tensor, _ weights: Tensor, in span: AttentionSpan) {
            self.queries = Tensor([queries.row(row)])
            self.weights = Tensor([weights.row(row)])
            self.span = AttentionSpan(
                rows: 0..<1, firstPosition: span.firstPosition + row - span.rows.lowerBound,
                pageTable: span.pageTable)
        }

        func scores(_ keys: LatentStore, on pool: ComputePool) -> [Float] {
            PositionSelection.scores(
                queries, weights: weights, keys: keys, layer: 1, span: span, on: pool)
        }
    }

    @Test(arguments: [(1, 24), (5, 128), (64, 40)])
    func scoresAreCloseToTheirDefinition(heads: Int, width: Int) throws {
        let (keys, spans) = try PagedAttentionTests.store(
            width: width, pageRows: 16, spans: [(0, 2), (99, 1)])
        let queries = Fixture.tensor(rows: 3, columns: heads * width, seed: 1)
        queries.roundToBFloat16()
        let weights = Fixture.tensor(rows: 3, columns: heads, seed: 2)
        for span in spans {
            for row in span.rows {
                let one = Row(row, of: queries, weights, in: span)
                for (position, score) in one.scores(keys, on: Self.pool).enumerated() {
                    let key = keys.row(
                        layer: 1, page: span.pageTable[position / 16], row: position % 16)
                    let parts = (0..<heads).map { head in
                        let query = Array(queries.row(row)[head * width..<(head + 1) * width])
                        let product = max(0, Fixture.dot(query, key).sum)
                        return Double(weights[row, head]) * product
                    }
                    // Products of at most 128 numbers below one, each rounded once.
                    let bound = 1e-6 * parts.reduce(1) { $0 + abs($1) }
                    #expect(abs(Double(score) - parts.reduce(0, +)) < bound)
                }
            }
        }
    }

    @Test func theBestScoresAreKeptOfEachRowThatHasMore() throws {
        let (keys, spans) = try PagedAttentionTests.store(
            width: 32, pageRows: 16, spans: [(0, 3), (10, 20), (127, 1)])
        let queries = Fixture.tensor(rows: 24, columns: 4 * 32, seed: 3)
        let weights = Fixture.tensor(rows: 24, columns: 4, seed: 4)
        let selection = try #require(
            PositionSelection(
                queries, weights: weights, keys: keys, layer: 1, spans: spans, keptCount: 16,
                on: Self.pool))
        for span in spans {
            for row in span.rows {
                let one = Row(row, of: queries, weights, in: span)
                let position = one.span.firstPosition
                let found = selection.positions(row: row, position: position)
                let scores = one.scores(keys, on: Self.pool)
                if position < 16 {
                    #expect(found == Array(0...position))
                } else {
                    #expect(found == TopK.places(in: scores, kept: 16).sorted())
                }
            }
        }
    }

    @Test func nothingIsSelectedWhereAllIsSeen() throws {
        let (keys, spans) = try PagedAttentionTests.store(
            width: 16, pageRows: 16, spans: [(0, 3), (13, 3)])
        let queries = Fixture.tensor(rows: 6, columns: 32, seed: 3)
        let weights = Fixture.tensor(rows: 6, columns: 2, seed: 4)
        let selection = PositionSelection(
            queries, weights: weights, keys: keys, layer: 1, spans: spans, keptCount: 16,
            on: Self.pool)
        #expect(selection == nil)
    }

    /// More scores than are kept at once.
    @Test func aRowOfManySelectsAsItDoesAlone() throws {
        let (keys, spans) = try PagedAttentionTests.store(
            width: 16, pageRows: 512, spans: [(0, 3_000)])
        let queries = Fixture.tensor(rows: 3_000, columns: 16, seed: 5)
        let weights = Fixture.tensor(rows: 3_000, columns: 1, seed: 6)
        func select(_ queries: Tensor, _ weights: Tensor, _ span: AttentionSpan) throws
            -> PositionSelection
        {
            try #require(
                PositionSelection(
                    queries, weights: weights, keys: keys, layer: 1, spans: [span], keptCount: 50,
                    on: Self.pool))
        }
        let all = try select(queries, weights, spans[0])
        for row in [50, 51, 1_023, 1_024, 1_395, 1_396, 2_999] {
            let one = Row(row, of: queries, weights, in: spans[0])
            let alone = try select(one.queries, one.weights, one.span)
            #expect(
                alone.positions(row: 0, position: row) == all.positions(row: row, position: row))
        }
    }

    @Test func theLowerPlaceGoesFirstAmongEquals() {
        #expect(PositionSelection.largest([1, 3, 2, 3, 3], kept: 2) == [1, 3])
        #expect(PositionSelection.largest([0, -0.0, 0, -0.0], kept: 3) == [0, 1, 2])
        #expect(PositionSelection.largest([1, 2], kept: 0) == [])
        #expect(PositionSelection.largest([2, 1], kept: 2) == [0, 1])
    }

    @Test func whatIsNoNumberComesLast() {
        let values: [Float] = [.nan, -.infinity, -.nan, .infinity, -1, .leastNonzeroMagnitude]
        #expect(PositionSelection.largest(values, kept: 3) == [3, 4, 5])
        #expect(PositionSelection.largest(values, kept: 4) == [1, 3, 4, 5])
        #expect(PositionSelection.largest(values, kept: 5) == [0, 1, 3, 4, 5])
    }

    @Test(arguments: [1, 2, 100, 999, 1_000])
    func theLargestAreThoseThatSortingFinds(kept: Int) {
        // Many equals among them.
        let values = Fixture.tensor(rows: 1, columns: 1_000, seed: 7).row(0)
            .map { ($0 * 100).rounded() / 8 }
        #expect(
            PositionSelection.largest(values, kept: kept)
                == TopK.places(in: values, kept: kept).sorted())
    }
}

@Suite struct SelectedAttentionTests {
    /// Keys and queries of one number: a position's score is its key.
    private func selection(
        scores: [Float], keptCount: Int, pageRows: Int, on pool: ComputePool
    ) throws -> PositionSelection {
        let keys = try LatentStore(
            layerCount: 1, pageCount: 8, pageRowCount: pageRows, rowWidth: 1)
        let rows = Tensor(scores.map { [$0] })
        for position in scores.indices {
            keys.write(
                layer: 0, page: PageIndex(position / pageRows), row: position % pageRows,
                from: rows, row: position)
        }
        let span = AttentionSpan(
            rows: 0..<1, firstPosition: scores.count - 1, pageTable: (0..<8).map { PageIndex($0) })
        return try #require(
            PositionSelection(
                Tensor([[1]]), weights: Tensor([[1]]), keys: keys, layer: 0, spans: [span],
                keptCount: keptCount, on: pool))
    }

    private func attend(
        _ query: Tensor, to store: LatentStore, at position: Int, pages: [PageIndex],
        selection: PositionSelection? = nil, on pool: ComputePool
    ) -> [Float] {
        let output = Tensor(rows: 0, columns: 9 * 64)
        PagedAttention.attend(
            query, to: store, layer: 1,
            spans: [AttentionSpan(rows: 0..<1, firstPosition: position, pageTable: pages)],
            selection: selection, headCount: 9, latentWidth: 64, scale: 0.3, into: output, on: pool)
        return output.row(0)
    }

    /// So that a row has the same bits just before and just after sparse attention begins.
    @Test(arguments: Kernels.supported)
    func theFirstPositionsAloneGiveTheBitsOfAllOfThem(instructionSet: InstructionSet) throws {
        let pool = ComputePool(threadCount: 2, instructionSet: instructionSet)
        let (store, spans) = try PagedAttentionTests.store(
            width: 72, pageRows: 16, spans: [(0, 100)])
        let query = Fixture.tensor(rows: 1, columns: 9 * 72, seed: 1)
        let falling = try selection(
            scores: (0..<100).map { Float(100 - $0) }, keptCount: 37, pageRows: 16, on: pool)
        #expect(falling.positions(row: 0, position: 99) == Array(0..<37))
        let selected = attend(
            query, to: store, at: 99, pages: spans[0].pageTable, selection: falling, on: pool)
        let dense = attend(query, to: store, at: 36, pages: spans[0].pageTable, on: pool)
        #expect(selected == dense)
    }

    /// A sequence of just the selected rows is the same attention.
    @Test(arguments: [0, 64], Kernels.supported)
    func selectedRowsGiveTheBitsOfASequenceOfThem(
        coded: Int, instructionSet: InstructionSet
    ) throws {
        let pool = ComputePool(threadCount: 1, instructionSet: instructionSet)
        let (store, spans) = try PagedAttentionTests.store(
            width: 72, coded: coded, pageRows: 16, spans: [(0, 128)])
        let query = Fixture.tensor(rows: 1, columns: 9 * 72, seed: 1)
        let mixed = try selection(
            scores: (0..<128).map { Float($0 * 37 % 128) }, keptCount: 41, pageRows: 16, on: pool)
        let places = mixed.positions(row: 0, position: 127)
        #expect(places == (0..<128).filter { $0 * 37 % 128 >= 128 - 41 })
        let pages = spans[0].pageTable
        let short = try LatentStore(
            layerCount: 2, pageCount: 3, pageRowCount: 16, rowWidth: 72, codedWidth: coded)
        for (ordinal, place) in places.enumerated() {
            let row = Tensor([store.row(layer: 1, page: pages[place / 16], row: place % 16)])
            short.write(
                layer: 1, page: PageIndex(ordinal / 16), row: ordinal % 16, from: row, row: 0)
        }
        let selected = attend(query, to: store, at: 127, pages: pages, selection: mixed, on: pool)
        let alone = attend(
            query, to: short, at: 40, pages: (0..<3).map { PageIndex($0) }, on: pool)
        #expect(selected == alone)
    }
}
