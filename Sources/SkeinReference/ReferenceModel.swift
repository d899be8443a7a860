public import SkeinCore
internal import SkeinModel
internal import SkeinTensor
public import SkeinWeights

/// The model in float32, written for clarity: the yardstick for every faster form.
///
/// Weights are widened one at a time, whatever form they are stored in, and all prompts pass a
/// layer before the next is read, so that memory is that of the widest weight and of the rows.
/// Products are OpenBLAS's: their order of sums is no part of any promise. Keys and values are
/// written out, nothing is cached, nothing is rounded to fewer bits.
public struct ReferenceModel: Sendable {
    /// Which positions rows of a model with an indexer attend to.
    public enum AttentionForm: Sendable {
        /// Those that the indexer selects, where the model has one.
        case asConfigured
        /// All before them.
        case dense
    }

    let weights: ReferenceWeights
    let attentionForm: AttentionForm

    private var model: ModelConfiguration { weights.checkpoint.configuration }

    /// Takes a checkpoint, of which nothing is read yet.
    ///
    /// - Parameters:
    ///   - attention: which positions rows attend to.
    ///   - roundsWeights: whether matrices are rounded to BF16.
    public init(
        _ checkpoint: Checkpoint, attention: AttentionForm = .asConfigured,
        roundsWeights: Bool = false
    ) {
        weights = ReferenceWeights(checkpoint: checkpoint, rounds: roundsWeights)
        attentionForm = attention
    }

    /// Runs prompts from their beginnings.
    ///
    /// - Parameters:
    ///   - prompts: tokens, at least one each.
    ///   - onLayer: is told how many layers are done, and of how many.
    ///   - onLogits: is given each prompt's number and the logits after each of its tokens, in
    ///     order of the prompts.
    /// - Throws: a `Refusal` that names the tensor, or what `onLogits` throws.
    public func run(
        _ prompts: [[TokenID]], onLayer: (_ done: Int, _ total: Int) -> Void = { _, _ in },
        onLogits: (_ prompt: Int, _ logits: [[Float]]) throws -> Void
    ) throws {
        let parts = PromptParts(prompts.map(\.count))
        let rows = try embedded(prompts.flatMap(\.self))
        var selections = [RowSelection?](repeating: nil, count: prompts.count)
        let rotary = YarnRotary(configuration: model)
        for layer in 0..<model.layerCount {
            let names = WeightName.layer(layer)
            let normed = normalized(
                rows, try weights.vector(names.inputNorm, count: model.hiddenSize))
            if attentionForm == .asConfigured, model.hasOwnIndexer(layer) {
                selections = try ReferenceIndexer(weights, layer: layer, rotary: rotary)
                    .selections(normed, parts: parts)
            }
            let attention = ReferenceAttention(weights, layer: layer, rotary: rotary)
            rows.add(try attention.output(normed, parts: parts, selections: selections))
            let inner = normalized(
                rows, try weights.vector(names.postAttentionNorm, count: model.hiddenSize))
            rows.add(try ReferenceExperts(weights, layer: layer).output(inner))
            onLayer(layer + 1, model.layerCount)
        }
        let final = normalized(
            rows, try weights.vector(WeightName.finalNorm, count: model.hiddenSize))
        let head = try weights.matrix(
            model.tiesWordEmbeddings ? WeightName.embedding : WeightName.head,
            rows: model.vocabularySize, columns: model.hiddenSize)
        for (prompt, range) in parts.ranges.enumerated() {
            let logits = final.rows(range).times(head)
            try onLogits(prompt, (0..<range.count).map { logits.row($0) })
        }
    }

    private func normalized(_ rows: Tensor, _ weight: [Float]) -> Tensor {
        rows.normalized(weight, epsilon: model.normEpsilon)
    }

    private func embedded(_ tokens: [TokenID]) throws(Refusal) -> Tensor {
        let embedding = try weights.checkpoint.matrix(
            WeightName.embedding, rows: model.vocabularySize, columns: model.hiddenSize)
        let rows = Tensor(rows: tokens.count, columns: model.hiddenSize)
        for (row, token) in tokens.enumerated() {
            guard (0..<model.vocabularySize).contains(Int(token.rawValue)) else {
                throw Refusal(
                    "prompt", "has token \(token), the vocabulary has \(model.vocabularySize)")
            }
            rows.setRow(row, to: embedding.decodedRow(Int(token.rawValue)))
        }
        return rows
    }
}

/// Where each prompt's rows lie among those of all.
struct PromptParts {
    /// One range for each prompt, one after the other.
    let ranges: [Range<Int>]

    init(_ counts: [Int]) {
        var end = 0
        ranges = counts.map { count in
            defer { end += count }
            return end..<end + count
        }
    }

    /// The position of every row.
    var positions: [Int] { ranges.flatMap { Array(0..<$0.count) } }
}

/// The positions that each row of one prompt attends to, ascending.
struct RowSelection {
    var positions: [[Int]]
}
