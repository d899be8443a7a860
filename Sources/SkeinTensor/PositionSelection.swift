internal import CSkeinKernels

/// The positions that the rows of a call attend to: of more than `keptCount` those that an indexer
/// scores highest (specification section 6).
public struct PositionSelection: Equatable, Sendable {
    /// So many positions are kept of each row that has more; any other row attends to all.
    public let keptCount: Int

    /// `[row, keptCount]`, ascending; of rows with at most so many positions without meaning.
    let places: [Int32]

    /// Scores the positions of every row that has more than `keptCount`, and keeps the best.
    ///
    /// A score is the sum over heads of `weight * max(0, query · key)`, in F32 and in one order, so
    /// that a row's choice depends on its own position and sequence only. The lower position goes
    /// first among equals.
    ///
    /// - Parameters:
    ///   - queries: `[m, headCount * keys.rowWidth]`.
    ///   - weights: `[m, headCount]`, any factor of the scores included.
    ///   - keys: one row for each position.
    ///   - layer: counted from the slice's first.
    ///   - paged: where the keys of each row's sequence lie.
    /// - Returns: nothing where no row has more than `keptCount` positions.
    public init?(
        _ queries: Tensor, weights: Tensor, keys: LatentStore, layer: Int, paged: PagedRows,
        keptCount: Int, on pool: ComputePool
    ) {
        precondition(
            keptCount > 0 && weights.rowCount == queries.rowCount
                && queries.columnCount == weights.columnCount * keys.rowWidth,
            "\(queries.columnCount) columns for \(weights.columnCount) heads")
        paged.check(rowCount: queries.rowCount, in: keys)
        guard paged.positions.contains(where: { $0 >= keptCount }) else { return nil }
        var rows = keys.rows(of: layer, latentWidth: keys.rowWidth)
        self.keptCount = keptCount
        var places = [Int32](repeating: 0, count: queries.rowCount * keptCount)
        skein_select_positions(
            pool.pool, &rows, paged.pages, paged.pageStarts, paged.positions, weights.columnCount,
            queries.base, weights.base, keptCount, &places, queries.rowCount)
        self.places = places
    }

    /// The same for spans that are used once; together they cover rows `0 ..< m`, in order.
    public init?(
        _ queries: Tensor, weights: Tensor, keys: LatentStore, layer: Int, spans: [AttentionSpan],
        keptCount: Int, on pool: ComputePool
    ) {
        self.init(
            queries, weights: weights, keys: keys, layer: layer,
            paged: PagedRows(spans, pageRowCount: keys.pageRowCount), keptCount: keptCount,
            on: pool)
    }

    /// The scores that a selection goes by, of all positions of the only row of a call.
    public static func scores(
        _ queries: Tensor, weights: Tensor, keys: LatentStore, layer: Int, span: AttentionSpan,
        on pool: ComputePool
    ) -> [Float] {
        precondition(
            queries.rowCount == 1 && weights.rowCount == 1
                && queries.columnCount == weights.columnCount * keys.rowWidth,
            "\(queries.columnCount) columns for \(weights.columnCount) heads")
        let paged = PagedRows([span], pageRowCount: keys.pageRowCount)
        paged.check(rowCount: 1, in: keys)
        var rows = keys.rows(of: layer, latentWidth: keys.rowWidth)
        var scores = [Float](repeating: 0, count: span.firstPosition + 1)
        skein_score_positions(
            pool.pool, &rows, paged.pages, span.firstPosition, weights.columnCount, queries.base,
            weights.base, &scores)
        return scores
    }

    /// The positions that a row at some position attends to, ascending.
    public func positions(row: Int, position: Int) -> [Int] {
        guard position >= keptCount else { return Array(0...position) }
        return places[row * keptCount..<(row + 1) * keptCount].map(Int.init)
    }

    /// The places of the `kept` largest numbers, ascending; the lower place goes first among
    /// equals, and NaN comes after every number.
    public static func largest(_ values: [Float], kept: Int) -> [Int] {
        precondition(kept >= 0 && kept <= values.count, "\(kept) of \(values.count)")
        var places = [Int32](repeating: 0, count: kept)
        skein_select_largest(values, values.count, kept, &places)
        return places.map(Int.init)
    }

    /// Holds the selection against the rows that are to attend by it.
    func check(_ paged: PagedRows) {
        precondition(
            places.count == paged.positions.count * keptCount,
            "a selection of \(places.count) places for \(paged.positions.count) rows")
        for (row, position) in paged.positions.enumerated() where position >= keptCount {
            let last = places[(row + 1) * keptCount - 1]
            precondition(last <= position, "row \(row) attends to \(last) after \(position)")
        }
    }
}
