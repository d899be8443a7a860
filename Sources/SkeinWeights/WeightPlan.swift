public import SkeinCore

/// One tensor that a plan needs.
public struct WeightRequirement: Hashable, Sendable {
    /// How published checkpoints store it.
    public enum Storage: Hashable, Sendable {
        /// FP8 with block scales where the configuration has them, else BF16; F32 is accepted.
        case quantizable
        /// As `quantizable`; a routed expert, which INT4 checkpoints store as INT4.
        case expert
        /// BF16; all that `quantizable` is stored as is accepted.
        case keptQuantizable
        /// BF16; F32 is accepted.
        case plain
        /// F32; BF16 is accepted.
        case precise
    }

    /// The tensor's name.
    public let name: String

    /// `[rows, columns]`, or `[count]`.
    public let shape: [Int]

    /// How published checkpoints store it.
    public let storage: Storage

    /// Whether it repeats another tensor (embedding and head of a multi-token-prediction layer).
    public let isCopy: Bool

    init(_ name: String, _ shape: [Int], _ storage: Storage = .plain, isCopy: Bool = false) {
        self.name = name
        self.shape = shape
        self.storage = storage
        self.isCopy = isCopy
    }

    /// Numbers in the tensor.
    public var elementCount: Int { shape.reduce(1, *) }

    /// Whether it may be stored in fewer than 16 bits.
    var isQuantizable: Bool {
        switch storage {
        case .quantizable, .expert, .keptQuantizable: true
        case .plain, .precise: false
        }
    }

    /// The shape of its block scales.
    ///
    /// The division rounds up: the last block of a row or column may be partial.
    public func scaleShape(_ blocks: ModelConfiguration.Float8Blocks) -> [Int] {
        Self.scaleShape(rows: shape[0], columns: shape[1], blocks)
    }

    static func scaleShape(
        rows: Int, columns: Int, _ blocks: ModelConfiguration.Float8Blocks
    ) -> [Int] {
        [
            (rows + blocks.rowCount - 1) / blocks.rowCount,
            (columns + blocks.columnCount - 1) / blocks.columnCount,
        ]
    }
}

/// The exact tensors that some slices need: names, shapes and kinds.
///
/// A plan is made from the configuration alone; ``Checkpoint/verify(_:)`` holds it against files.
public struct WeightPlan: Sendable {
    /// The tensors in the order in which a token meets them, each once.
    public let requirements: [WeightRequirement]

    /// The configuration that the plan was made for.
    public let configuration: ModelConfiguration

    /// Whether one of the slices has the head.
    let holdsHead: Bool

    /// Whether tokens are looked up in the embedding.
    let holdsEmbedding: Bool

    /// Plans the tensors of one slice.
    public init(configuration: ModelConfiguration, slice: Slice) {
        self.init(configuration: configuration, slices: [slice])
    }

    /// Plans the tensors of a node.
    ///
    /// - Parameters:
    ///   - configuration: the model.
    ///   - slices: what the node holds; a tensor of two slices is listed once.
    ///   - held: the routed experts where they are not all those of the slices.
    ///   - includesNextTokenLayers: whether the multi-token-prediction layers belong to it; they
    ///     share embedding and head with the main model, whose copies are never read.
    /// - Precondition: the slices lie within the model's layers.
    public init(
        configuration: ModelConfiguration, slices: [Slice], held: HeldExperts = HeldExperts(),
        includesNextTokenLayers: Bool = false
    ) {
        var requirements: [WeightRequirement] = []
        if slices.contains(where: \.holdsEmbedding) || includesNextTokenLayers {
            requirements.append(Self.embedding(configuration))
        }
        let own = Set(slices.flatMap(\.layers))
        for layer in own.union(held.ranges.keys).sorted() {
            precondition(
                layer >= 0 && layer < configuration.layerCount, "no such layer: \(layer)")
            let experts = held.ranges[layer]
            requirements +=
                own.contains(layer)
                ? Self.layer(layer, of: configuration, experts: experts)
                : Self.experts(experts ?? [], of: layer, configuration)
        }
        if slices.contains(where: \.holdsHead) { requirements += Self.head(configuration) }
        if includesNextTokenLayers {
            for index in 0..<configuration.nextTokenLayerCount {
                requirements += Self.nextTokenLayer(index, of: configuration).filter { !$0.isCopy }
            }
        }
        holdsHead = slices.contains(where: \.holdsHead)
        holdsEmbedding = slices.contains(where: \.holdsEmbedding) || includesNextTokenLayers
        var names: Set<String> = []
        self.requirements = requirements.filter { names.insert($0.name).inserted }
        self.configuration = configuration
    }

    /// Plans the main model whole.
    public static func whole(_ configuration: ModelConfiguration) -> WeightPlan {
        WeightPlan(
            configuration: configuration,
            slice: Slice(
                layers: 0..<configuration.layerCount, holdsEmbedding: true, holdsHead: true))
    }
}

extension WeightPlan {
    static func embedding(_ model: ModelConfiguration) -> WeightRequirement {
        WeightRequirement(WeightName.embedding, [model.vocabularySize, model.hiddenSize])
    }

    /// The final norm and the head; a tied head is the embedding.
    static func head(_ model: ModelConfiguration) -> [WeightRequirement] {
        let name = model.tiesWordEmbeddings ? WeightName.embedding : WeightName.head
        return [
            WeightRequirement(WeightName.finalNorm, [model.hiddenSize]),
            WeightRequirement(name, [model.vocabularySize, model.hiddenSize]),
        ]
    }

    /// A main layer, with some of its routed experts where it is said which.
    static func layer(
        _ layer: Int, of model: ModelConfiguration, experts: [Range<Int>]? = nil
    ) -> [WeightRequirement] {
        if let routing = model.routing, model.layerIsMixture[layer] {
            return attention(layer, of: model)
                + mixture(layer, of: model, routing, experts: experts)
        }
        let dense = unit(
            WeightName.layer(layer).dense, hidden: model.hiddenSize, inner: model.intermediateSize)
        return attention(layer, of: model) + dense
    }

    /// A multi-token-prediction layer, with its copies of embedding and head.
    static func nextTokenLayer(
        _ index: Int, of model: ModelConfiguration
    ) -> [WeightRequirement] {
        let layer = model.layerCount + index
        let names = WeightName.layer(layer)
        let (hidden, vocabulary) = (model.hiddenSize, model.vocabularySize)
        let copies =
            model.family.repeatsEmbedding
            ? [names.predictionEmbeddingCopy, names.predictionHeadCopy].map {
                WeightRequirement($0, [vocabulary, hidden], isCopy: true)
            } : []
        var requirements = Array(copies.prefix(1))
        requirements += [
            WeightRequirement(names.predictionEmbeddingNorm, [hidden]),
            WeightRequirement(names.predictionHiddenNorm, [hidden]),
            WeightRequirement(names.predictionProjection, [hidden, 2 * hidden]),
        ]
        requirements += attention(layer, of: model)
        if let routing = model.routing {
            requirements += mixture(layer, of: model, routing)
        } else {
            requirements += unit(names.dense, hidden: hidden, inner: model.intermediateSize)
        }
        requirements.append(WeightRequirement(names.predictionFinalNorm, [hidden]))
        return requirements + copies.suffix(1)
    }

    private static func attention(
        _ layer: Int, of model: ModelConfiguration
    ) -> [WeightRequirement] {
        let names = WeightName.layer(layer)
        let hidden = model.hiddenSize
        let queryRows = model.headCount * (model.qkNopeHeadSize + model.qkRopeHeadSize)
        let downStorage: WeightRequirement.Storage =
            model.family.keepsLatentDown ? .keptQuantizable : .quantizable
        var requirements = [WeightRequirement(names.inputNorm, [hidden])]
        if let queryRank = model.queryLoraRank {
            requirements += [
                WeightRequirement(names.queryDown, [queryRank, hidden], downStorage),
                WeightRequirement(names.queryNorm, [queryRank]),
                WeightRequirement(names.queryUp, [queryRows, queryRank], .quantizable),
            ]
        } else {
            requirements.append(
                WeightRequirement(names.query, [queryRows, hidden], .quantizable))
        }
        let latentRows = model.headCount * (model.qkNopeHeadSize + model.valueHeadSize)
        requirements += [
            WeightRequirement(names.latentDown, [model.latentRowWidth, hidden], downStorage),
            WeightRequirement(names.latentNorm, [model.kvLoraRank]),
            WeightRequirement(names.latentUp, [latentRows, model.kvLoraRank], .quantizable),
            WeightRequirement(
                names.attentionOutput, [hidden, model.headCount * model.valueHeadSize],
                .quantizable),
        ]
        if let indexer = model.indexer, model.hasOwnIndexer(layer),
            let queryRank = model.queryLoraRank
        {
            requirements += [
                WeightRequirement(
                    names.indexerQuery, [indexer.headCount * indexer.headSize, queryRank],
                    .quantizable),
                WeightRequirement(names.indexerKey, [indexer.headSize, hidden], .quantizable),
                WeightRequirement(names.indexerKeyNorm, [indexer.headSize], .precise),
                WeightRequirement(names.indexerKeyNormBias, [indexer.headSize], .precise),
                WeightRequirement(names.indexerHeadWeights, [indexer.headCount, hidden]),
            ]
        }
        requirements.append(WeightRequirement(names.postAttentionNorm, [hidden]))
        return requirements
    }

    private static func mixture(
        _ layer: Int, of model: ModelConfiguration, _ routing: ModelConfiguration.Routing,
        experts: [Range<Int>]? = nil
    ) -> [WeightRequirement] {
        let names = WeightName.layer(layer)
        let (hidden, inner) = (model.hiddenSize, routing.expertIntermediateSize)
        var requirements = [WeightRequirement(names.gate, [routing.expertCount, hidden])]
        if routing.method == .noAuxiliaryLoss {
            requirements.append(
                WeightRequirement(names.gateBias, [routing.expertCount], .precise))
        }
        requirements += Self.experts(experts ?? [0..<routing.expertCount], of: layer, model)
        if routing.sharedExpertCount > 0 {
            requirements += unit(
                names.shared, hidden: hidden, inner: inner * routing.sharedExpertCount)
        }
        return requirements
    }

    /// Routed experts of a MoE layer, and nothing else of it.
    private static func experts(
        _ ranges: [Range<Int>], of layer: Int, _ model: ModelConfiguration
    ) -> [WeightRequirement] {
        guard let routing = model.routing else { preconditionFailure("a dense model's experts") }
        let names = WeightName.layer(layer)
        return ranges.joined().flatMap {
            unit(
                names.expert($0), hidden: model.hiddenSize, inner: routing.expertIntermediateSize,
                .expert)
        }
    }

    private static func unit(
        _ names: GatedUnitNames, hidden: Int, inner: Int,
        _ storage: WeightRequirement.Storage = .quantizable
    ) -> [WeightRequirement] {
        [
            WeightRequirement(names.gate, [inner, hidden], storage),
            WeightRequirement(names.up, [inner, hidden], storage),
            WeightRequirement(names.down, [hidden, inner], storage),
        ]
    }
}
