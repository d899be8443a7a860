import SkeinCore
import SkeinTensor

/// Where the rows of a step stand: whose they are and at which positions.
struct Step {
    /// The sequences' rows; together they cover all rows, in order.
    let spans: [AttentionSpan]

    /// One for each row.
    let positions: [Int]

    /// Lays the spans' rows one after the other.
    init(_ spans: [SequenceSpan]) {
        var first = 0
        self.spans = spans.map { span in
            defer { first += span.tokens.count }
            return AttentionSpan(
                rows: first..<(first + span.tokens.count), firstPosition: span.firstPosition,
                pageTable: span.pageTable)
        }
        positions = spans.flatMap { span in
            span.firstPosition..<(span.firstPosition + span.tokens.count)
        }
    }

    /// Rows of the step.
    var rowCount: Int { positions.count }
}

/// Tensors that the layers of a slice use one after the other; they keep their memory, so a step
/// that has run once at its largest size allocates nothing more.
final class StepScratch {
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
    /// `[row, expert]`.
    let scores: Tensor
    /// `[row * slot, hidden]`.
    let expertOutputs: Tensor
    /// `[row, slot]`.
    let expertWeights: Tensor

    init(_ model: ModelConfiguration) {
        func rows(of columnCount: Int) -> Tensor { Tensor(rows: 0, columns: columnCount) }
        normed = rows(of: model.hiddenSize)
        branch = rows(of: model.hiddenSize)
        queryLatent = rows(of: model.queryLoraRank ?? 0)
        queries = rows(of: model.headCount * (model.qkNopeHeadSize + model.qkRopeHeadSize))
        latentRows = rows(of: model.latentRowWidth)
        absorbed = rows(of: model.headCount * model.latentRowWidth)
        mixedLatents = rows(of: model.headCount * model.kvLoraRank)
        mixedValues = rows(of: model.headCount * model.valueHeadSize)
        scores = rows(of: model.routing?.expertCount ?? 0)
        expertOutputs = rows(of: model.hiddenSize)
        expertWeights = rows(of: model.routing?.expertsPerTokenCount ?? 0)
    }
}
