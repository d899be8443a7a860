import SkeinCore
import SkeinTensor

/// How many rows the widest tensors of a step may have.
///
/// Attention and experts widen a row many times: attention of DeepSeek-V3 needs 0.8 MB for each.
/// They take a large step in parts; as no row's numbers depend on its neighbours, this changes no
/// bit.
struct PartLimits {
    /// Rows that attention takes at once.
    let attentionRowsMax: Int

    /// Expert outputs that are kept at once, unless a single expert has more.
    let expertRowsMax: Int

    /// Bytes of one of the widest tensors: small beside a node's 100 MB for everything that is
    /// neither weights nor cache.
    private static let bytesMax = 16 << 20

    /// From so many rows on a product computes more than it reads.
    private static let amortisingRowCount = 64

    init(_ model: ModelConfiguration) {
        let attentionBytes = model.headCount * model.latentRowWidth * ElementType.f32.byteCount
        let expertBytes = model.hiddenSize * ElementType.f32.byteCount
        attentionRowsMax = max(Self.bytesMax / attentionBytes, Self.amortisingRowCount)
        expertRowsMax = max(Self.bytesMax / expertBytes, Self.amortisingRowCount)
    }

    /// Chosen limits, to test that none changes a bit.
    init(attentionRowsMax: Int, expertRowsMax: Int) {
        precondition(attentionRowsMax > 0 && expertRowsMax > 0, "parts have rows")
        self.attentionRowsMax = attentionRowsMax
        self.expertRowsMax = expertRowsMax
    }
}

/// Tensors that the layers of a slice use one after the other; they keep their memory, so a step
/// that has run once at its largest size allocates nothing more.
final class StepScratch {
    /// What is taken in parts.
    let limits: PartLimits

    /// A part's norm output, `[row, hidden]`, where attention takes a step in parts.
    let partNormed: Tensor
    /// What attention gives for a part, `[row, hidden]`.
    let partBranch: Tensor
    /// A norm's output, `[row, hidden]`.
    let normed: Tensor
    /// What attention or the experts add to the residual, `[row, hidden]`.
    let branch: Tensor
    /// `[row, queryLoraRank]`, or empty.
    let queryLatent: Tensor
    /// `[row, head * (nope + rope)]`.
    let queries: Tensor
    /// `[row, latent + rope key]`.
    let latentRows: Tensor
    /// `[row, head * (latent + rope key)]`.
    let absorbed: Tensor
    /// `[row, head * latent]`.
    let mixedLatents: Tensor
    /// `[row, head * value]`.
    let mixedValues: Tensor
    /// The indexer's queries, `[row, head * key]`, or empty.
    let indexQueries: Tensor
    /// Its heads' weights, `[row, head]`, or empty.
    let indexWeights: Tensor
    /// `[row, key]`, or empty.
    let indexKeys: Tensor
    /// What the rows attend to that do not attend to all.
    var selection: PositionSelection?
    /// `[row, expert]`.
    let scores: Tensor
    /// `[assigned row, hidden]`.
    let expertOutputs: Tensor
    /// The rows as routed experts receive them, `[row, hidden]`, where that is not BF16.
    let rounded: Tensor

    /// Scratch for another step that is begun while one waits: its own where a step leaves
    /// something for later, common where nothing outlives a moment.
    init(beside other: StepScratch, _ model: ModelConfiguration) {
        func rows() -> Tensor { Tensor(rows: 0, columns: model.hiddenSize) }
        limits = other.limits
        partNormed = other.partNormed
        partBranch = other.partBranch
        normed = rows()
        branch = rows()
        queryLatent = other.queryLatent
        queries = other.queries
        latentRows = other.latentRows
        absorbed = other.absorbed
        mixedLatents = other.mixedLatents
        mixedValues = other.mixedValues
        indexQueries = other.indexQueries
        indexWeights = other.indexWeights
        indexKeys = other.indexKeys
        scores = other.scores
        expertOutputs = other.expertOutputs
        rounded = rows()
    }

    init(_ model: ModelConfiguration, limits: PartLimits? = nil) {
        func rows(of columnCount: Int) -> Tensor { Tensor(rows: 0, columns: columnCount) }
        self.limits = limits ?? PartLimits(model)
        partNormed = rows(of: model.hiddenSize)
        partBranch = rows(of: model.hiddenSize)
        normed = rows(of: model.hiddenSize)
        branch = rows(of: model.hiddenSize)
        queryLatent = rows(of: model.queryLoraRank ?? 0)
        queries = rows(of: model.headCount * (model.qkNopeHeadSize + model.qkRopeHeadSize))
        latentRows = rows(of: model.latentRowWidth)
        absorbed = rows(of: model.headCount * model.latentRowWidth)
        mixedLatents = rows(of: model.headCount * model.kvLoraRank)
        mixedValues = rows(of: model.headCount * model.valueHeadSize)
        let (indexHeads, keySize) = (model.indexer?.headCount ?? 0, model.indexer?.headSize ?? 0)
        indexQueries = rows(of: indexHeads * keySize)
        indexWeights = rows(of: indexHeads)
        indexKeys = rows(of: keySize)
        scores = rows(of: model.routing?.expertCount ?? 0)
        expertOutputs = rows(of: model.hiddenSize)
        rounded = rows(of: model.hiddenSize)
    }
}
