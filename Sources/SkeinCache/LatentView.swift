public import SkeinCore
public import SkeinTensor

/// One layer of a latent pool, addressed by a sequence's page table and a position.
public struct LatentView {
    let store: LatentStore

    let indexKeys: LatentStore?

    /// Counted from the pool's first layer.
    let storedLayer: Int

    /// Counted from the pool's first layer with index keys.
    let storedIndexLayer: Int

    /// Numbers of a latent row.
    public var rowWidth: Int { store.rowWidth }

    /// Writes the latent rows of new tokens, rounded to the form in which the pool keeps them.
    ///
    /// - Parameters:
    ///   - rows: `[row, rowWidth]`: the normed latent, then the rotated rope key.
    ///   - spans: together they cover all rows, in order.
    public func write(_ rows: Tensor, spans: [AttentionSpan], on pool: ComputePool) {
        write(rows, spans: spans, to: store, layer: storedLayer, on: pool)
    }

    /// Whether index keys are kept as FP8 codes.
    public var indexKeysAreCoded: Bool { existingIndexKeys.codedWidth > 0 }

    /// Writes the index keys of new tokens, rounded to the form in which the pool keeps them.
    ///
    /// - Parameters:
    ///   - rows: `[row, key]`, normed and rotated.
    ///   - spans: together they cover all rows, in order.
    public func writeIndexKeys(_ rows: Tensor, spans: [AttentionSpan], on pool: ComputePool) {
        write(rows, spans: spans, to: existingIndexKeys, layer: storedIndexLayer, on: pool)
    }

    private func write(
        _ rows: Tensor, spans: [AttentionSpan], to store: LatentStore, layer: Int,
        on pool: ComputePool
    ) {
        for span in spans {
            pool.forEachRow(span.rows.count) { offset in
                let place = Self.place(of: span.firstPosition + offset, in: span.pageTable)
                store.write(
                    layer: layer, page: place.page, row: place.row, from: rows,
                    row: span.rows.lowerBound + offset)
            }
        }
    }

    private var existingIndexKeys: LatentStore {
        guard let indexKeys else { preconditionFailure("the pool has no index keys") }
        return indexKeys
    }

    /// Scores the positions of the rows' sequences, and keeps the best of each row.
    ///
    /// - Parameters: as of `PositionSelection`.
    public func select(
        _ queries: Tensor, weights: Tensor, paged: PagedRows, keptCount: Int,
        on pool: ComputePool
    ) -> PositionSelection? {
        PositionSelection(
            queries, weights: weights, keys: existingIndexKeys, layer: storedIndexLayer,
            paged: paged, keptCount: keptCount, on: pool)
    }

    /// A copy of the row of one position.
    public func row(position: Int, pageTable: [PageIndex]) -> [Float] {
        let place = Self.place(of: position, in: pageTable)
        return store.row(layer: storedLayer, page: place.page, row: place.row)
    }

    /// Attends each absorbed query to the rows of its own sequence, up to its own position.
    ///
    /// - Parameters:
    ///   - queries: `[row, headCount * rowWidth]`.
    ///   - paged: where the rows of each query's sequence lie.
    ///   - selection: what rows with many positions attend to; nothing: to all of them.
    ///   - latentWidth: numbers of a row before the rope key.
    ///   - output: resized to `[row, headCount * latentWidth]`.
    public func attend(
        _ queries: Tensor, paged: PagedRows, selection: PositionSelection? = nil,
        headCount: Int, latentWidth: Int, scale: Float, into output: Tensor, on pool: ComputePool
    ) {
        PagedAttention.attend(
            queries, to: store, layer: storedLayer, paged: paged, selection: selection,
            headCount: headCount, latentWidth: latentWidth, scale: scale, into: output, on: pool)
    }

    private static func place(
        of position: Int, in pageTable: [PageIndex]
    ) -> (page: PageIndex, row: Int) {
        let ordinal = position / Limits.pageRowCount
        precondition(
            position >= 0 && ordinal < pageTable.count,
            "\(pageTable.count) pages for position \(position)")
        return (pageTable[ordinal], position % Limits.pageRowCount)
    }
}
