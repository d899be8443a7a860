import SkeinCore
import SkeinTensor

/// One row that attends to the latent rows of one layer, as often as it is measured.
struct AttentionTrial {
    /// The latent rows; the caller gives them numbers or memory.
    let store: LatentStore

    /// The row, at the last of the positions.
    let span: AttentionSpan

    private let headCount: Int
    private let latentWidth: Int
    private let queries: Tensor
    private let output: Tensor

    /// Makes room for so many positions.
    init(
        positionCount: Int, headCount: Int, rowWidth: Int, latentWidth: Int, codedWidth: Int = 0
    ) throws(Refusal) {
        let pageCount = PageIndex.count(ofRows: positionCount)
        store = try LatentStore(
            layerCount: 1, pageCount: pageCount, rowWidth: rowWidth, codedWidth: codedWidth)
        span = AttentionSpan(
            rows: 0..<1, firstPosition: positionCount - 1,
            pageTable: (0..<pageCount).map { PageIndex($0) })
        queries = KernelTiming.input(rows: 1, columns: headCount * rowWidth)
        output = Tensor(rows: 1, columns: headCount * latentWidth)
        self.headCount = headCount
        self.latentWidth = latentWidth
    }

    /// Attends once, to all positions or to those selected.
    func run(selection: PositionSelection? = nil, on pool: ComputePool) {
        PagedAttention.attend(
            queries, to: store, layer: 0, spans: [span], selection: selection,
            headCount: headCount, latentWidth: latentWidth, scale: 0.1, into: output, on: pool)
    }
}
