public import SkeinCore
public import SkeinTensor

/// How many rows the widest tensors of a step may have.
///
/// Attention and experts widen a row many times: attention of DeepSeek-V3 needs 0.8 MB for each.
/// They take a large step in parts; as no row's numbers depend on its neighbours, this changes no
/// bit.
public struct PartLimits: Equatable, Sendable {
    /// Rows that attention takes at once.
    public let attentionRowsMax: Int

    /// Expert outputs that are kept at once, unless a single expert has more.
    public let expertRowsMax: Int

    /// Bytes of one of the widest tensors: small beside a node's 100 MB for everything that is
    /// neither weights nor cache.
    private static let bytesMax = 16 << 20

    /// From so many rows on a product computes more than it reads.
    private static let amortizingRowCount = 64

    /// The limits for a model.
    public init(_ model: ModelConfiguration) {
        func rowsMax(_ tensor: StepTensor) -> Int {
            max(
                Self.bytesMax / max(1, tensor.rowByteCount(of: model)), Self.amortizingRowCount)
        }
        attentionRowsMax = rowsMax(.absorbed)
        expertRowsMax = rowsMax(.expertOutputs)
    }

    /// Chosen limits, to test that none changes a bit.
    public init(attentionRowsMax: Int, expertRowsMax: Int) {
        precondition(attentionRowsMax > 0 && expertRowsMax > 0, "parts have rows")
        self.attentionRowsMax = attentionRowsMax
        self.expertRowsMax = expertRowsMax
    }
}

/// A tensor that a slice keeps from step to step: what is allocated and what ``ModelArithmetic``
/// adds up have their shapes from here.
public enum StepTensor: CaseIterable, Sendable {
    /// The rows as the slice before gave them, `[row, hidden]`.
    case incoming
    /// `[row, hidden]`.
    case residual
    /// A norm's output, `[row, hidden]`.
    case normed
    /// What attention or the experts add to the residual, `[row, hidden]`.
    case branch
    /// The rows as routed experts receive them, `[row, hidden]`, where that is not BF16.
    case rounded
    /// `[row, expert]`.
    case scores
    /// A part's norm output, `[row, hidden]`, where attention takes a step in parts.
    case partNormed
    /// What attention gives for a part, `[row, hidden]`.
    case partBranch
    /// `[row, queryLoraRank]`, or empty.
    case queryLatent
    /// `[row, head * (nope + rope)]`.
    case queries
    /// `[row, latent + rope key]`.
    case latentRows
    /// `[row, head * (latent + rope key)]`.
    case absorbed
    /// `[row, head * latent]`.
    case mixedLatents
    /// `[row, head * value]`.
    case mixedValues
    /// The indexer's queries, `[row, head * key]`, or empty.
    case indexQueries
    /// Its heads' weights, `[row, head]`, or empty.
    case indexWeights
    /// `[row, key]`, or empty.
    case indexKeys
    /// The positions that the indexer keeps, `[row, kept]`, as 32-bit integers; or empty.
    case selection
    /// `[assigned row, hidden]`.
    case expertOutputs

    /// Numbers of a row.
    public func columnCount(of model: ModelConfiguration) -> Int {
        switch self {
        case .incoming, .residual, .normed, .branch, .rounded, .partNormed, .partBranch,
            .expertOutputs:
            model.hiddenSize
        case .scores: model.routing?.expertCount ?? 0
        case .queryLatent: model.queryLoraRank ?? 0
        case .queries: model.headCount * (model.qkNopeHeadSize + model.qkRopeHeadSize)
        case .latentRows: model.latentRowWidth
        case .absorbed: model.headCount * model.latentRowWidth
        case .mixedLatents: model.headCount * model.kvLoraRank
        case .mixedValues: model.headCount * model.valueHeadSize
        case .indexQueries: model.indexer.map { $0.headCount * $0.headSize } ?? 0
        case .indexWeights: model.indexer?.headCount ?? 0
        case .indexKeys: model.indexer?.headSize ?? 0
        case .selection: model.indexer?.topK ?? 0
        }
    }

    /// Rows at most in a step of `stepRowCount` rows.
    func rowCount(of model: ModelConfiguration, limits: PartLimits, stepRowCount: Int) -> Int {
        switch self {
        case .incoming, .residual, .normed, .branch, .scores: stepRowCount
        case .rounded: model.routing == nil ? 0 : stepRowCount
        case .partNormed, .partBranch:
            stepRowCount > limits.attentionRowsMax ? limits.attentionRowsMax : 0
        case .queryLatent, .queries, .latentRows, .absorbed, .mixedLatents, .mixedValues,
            .indexQueries, .indexWeights, .indexKeys:
            min(stepRowCount, limits.attentionRowsMax)
        // Layers that share a choice find that of all parts.
        case .selection:
            model.indexer?.sharedLayers.isEmpty ?? true
                ? min(stepRowCount, limits.attentionRowsMax) : stepRowCount
        case .expertOutputs:
            min(
                stepRowCount * (model.routing?.expertsPerTokenCount ?? 0), limits.expertRowsMax)
        }
    }

    fileprivate func rowByteCount(of model: ModelConfiguration) -> Int {
        columnCount(of: model) * ElementType.f32.byteCount
    }

    /// Bytes at most in a step of `stepRowCount` rows.
    func byteCount(of model: ModelConfiguration, limits: PartLimits, stepRowCount: Int) -> Int {
        rowCount(of: model, limits: limits, stepRowCount: stepRowCount) * rowByteCount(of: model)
    }
}

extension Tensor {
    /// Makes an empty tensor of a step; it grows with the first steps.
    public convenience init(_ kind: StepTensor, of model: ModelConfiguration) {
        self.init(rows: 0, columns: kind.columnCount(of: model))
    }
}
