internal import CSkeinKernels
public import SkeinCore

/// Rows of one sequence among the rows of a call: consecutive positions of one page table.
public struct AttentionSpan: Sendable, Equatable {
    /// Rows of the queries.
    public var rows: Range<Int>
    /// The position of the first row.
    public var firstPosition: Int
    /// The pages of all positions up to the last row's, in order.
    public var pageTable: [PageIndex]

    /// Describes the rows of one sequence.
    public init(rows: Range<Int>, firstPosition: Int, pageTable: [PageIndex]) {
        self.rows = rows
        self.firstPosition = firstPosition
        self.pageTable = pageTable
    }
}

/// Where the cached rows of the rows of a step lie, listed once for all of its layers.
public struct PagedRows: Sendable {
    /// Page tables, one after the other.
    private(set) var pages: [Int32] = []
    /// Where each row's page table begins.
    private(set) var pageStarts: [Int] = []
    /// Of each row.
    private(set) var positions: [Int] = []

    /// Pages that any of the tables names, counted from the pool's first.
    private var pageCount = 0

    /// Lists the rows of spans which cover rows in order.
    ///
    /// - Parameter pageRowCount: rows of a page.
    public init(_ spans: [AttentionSpan], pageRowCount: Int = Limits.pageRowCount) {
        for span in spans {
            precondition(span.rows.lowerBound == positions.count, "spans cover rows in order")
            let lastPosition = span.firstPosition + span.rows.count - 1
            precondition(
                span.firstPosition >= 0
                    && span.pageTable.count * pageRowCount > lastPosition,
                "\(span.pageTable.count) pages for position \(lastPosition)")
            for index in 0..<span.rows.count {
                pageStarts.append(pages.count)
                positions.append(span.firstPosition + index)
            }
            for page in span.pageTable {
                precondition(page.rawValue >= 0, "page beyond the pool: \(page.rawValue)")
                pageCount = max(pageCount, Int(page.rawValue) + 1)
                pages.append(page.rawValue)
            }
        }
    }

    /// Holds the rows against a call's and the pages against a store's.
    func check(rowCount: Int, in store: LatentStore) {
        precondition(positions.count == rowCount, "spans for \(positions.count) rows")
        precondition(pageCount <= store.pageCount, "page beyond the pool: \(pageCount - 1)")
    }
}

/// Absorbed attention over latent rows in pages.
///
/// Each row attends to positions 0 up to its own, or to those selected of them. Pages, or as many
/// selected rows as a page has, are taken in order, each as one block of an online softmax in F32,
/// so that a row's result depends on its own position and sequence only: not on chunks, on other
/// rows, or on threads.
public enum PagedAttention {
    /// Attends each query to the latent rows of its own sequence.
    ///
    /// - Parameters:
    ///   - queries: `[m, headCount * store.rowWidth]`, absorbed: latent part, then rope part.
    ///   - layer: counted from the slice's first.
    ///   - paged: where the rows of each query's sequence lie.
    ///   - selection: what rows with many positions attend to; nothing: to all of them.
    ///   - output: resized to `[m, headCount * latentWidth]`: the weighted sum of latents.
    public static func attend(
        _ queries: Tensor, to store: LatentStore, layer: Int, paged: PagedRows,
        selection: PositionSelection? = nil, headCount: Int, latentWidth: Int, scale: Float,
        into output: Tensor, on pool: ComputePool
    ) {
        precondition(
            queries.columnCount == headCount * store.rowWidth && latentWidth <= store.rowWidth
                && output.columnCount == headCount * latentWidth,
            "\(queries.columnCount) and \(output.columnCount) columns for \(headCount) heads")
        output.resize(rows: queries.rowCount)
        paged.check(rowCount: queries.rowCount, in: store)
        var rows = store.rows(of: layer, latentWidth: latentWidth)
        selection?.check(paged)
        skein_attend_latent(
            pool.pool, &rows, paged.pages, paged.pageStarts, paged.positions,
            selection?.places, selection?.keptCount ?? 0, headCount, scale, queries.base,
            output.base, queries.rowCount)
    }

    /// The same for spans that are used once; together they cover rows `0 ..< m`, in order.
    public static func attend(
        _ queries: Tensor, to store: LatentStore, layer: Int, spans: [AttentionSpan],
        selection: PositionSelection? = nil, headCount: Int, latentWidth: Int, scale: Float,
        into output: Tensor, on pool: ComputePool
    ) {
        attend(
            queries, to: store, layer: layer,
            paged: PagedRows(spans, pageRowCount: store.pageRowCount), selection: selection,
            headCount: headCount, latentWidth: latentWidth, scale: scale, into: output, on: pool)
    }
}
