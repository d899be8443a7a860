public import SkeinCore

/// What a model is and needs, computed from its configuration alone (specification section 9).
///
/// Everything is a sum over the tensors that ``WeightPlan`` names, so the figures and the loader
/// cannot drift apart. Layers of one kind are alike; each kind is counted once.
public struct ModelArithmetic: Sendable {
    /// The model.
    public let configuration: ModelConfiguration

    /// The form in which the latent cache keeps its rows.
    public let latentForm: LatentForm

    /// The embedding.
    public let embedding: WeightTally

    /// The final norm and the head; of a tied head only the norm.
    public let head: WeightTally

    /// One dense layer, with its indexer where the model has them.
    public let denseLayer: WeightTally

    /// One MoE layer with all of its experts, and its indexer; nothing for a dense model.
    public let mixtureLayer: WeightTally

    /// The indexer of one layer, which layers that share another's choice do not have.
    public let indexerOfLayer: WeightTally

    /// One routed expert; nothing for a dense model.
    public let routedExpert: WeightTally

    /// The multi-token-prediction layers without their copies of embedding and head.
    public let nextTokenLayers: WeightTally

    /// The copies of embedding and head that multi-token-prediction layers carry in files.
    public let nextTokenCopies: WeightTally

    /// Whether the first of them stands beside the head and guesses ahead.
    public let speculates: Bool

    /// Computes the figures of a model that is served in some way.
    public init(_ configuration: ModelConfiguration, serving: ServingSettings) {
        self.init(
            configuration, latents: serving.latentForm, speculates: serving.speculation != .off)
    }

    /// Computes the figures of a model, with latent rows in some form.
    ///
    /// - Parameters:
    ///   - configuration: the model.
    ///   - latentForm: the form of latent rows.
    ///   - speculates: whether its prediction layer, if it has one, guesses ahead.
    public init(
        _ configuration: ModelConfiguration, latents latentForm: LatentForm = .bf16,
        speculates: Bool = false
    ) {
        func tally(_ requirements: [WeightRequirement]) -> WeightTally {
            WeightTally(of: requirements, quantization: configuration.quantization)
        }
        self.configuration = configuration
        self.latentForm = latentForm
        self.speculates = speculates && configuration.nextTokenLayerCount > 0
        embedding = tally([WeightPlan.embedding(configuration)])
        let headParts = WeightPlan.head(configuration)
        head = tally(headParts.filter { $0.name != WeightName.embedding })

        var dense = configuration
        dense.layerIsMixture = [false]
        denseLayer = tally(WeightPlan.layer(0, of: dense))
        // Layer 0 has an indexer where there are any, and a second one shares its choice.
        indexerOfLayer = tally(
            WeightPlan.layer(0, of: dense).filter { WeightName.isOfIndexer($0.name) })
        var mixture = configuration
        mixture.layerIsMixture = [true]
        mixtureLayer =
            configuration.routing == nil ? WeightTally() : tally(WeightPlan.layer(0, of: mixture))
        let expertNames = WeightName.layer(0).expert(0)
        routedExpert = tally(
            WeightPlan.layer(0, of: mixture).filter {
                [expertNames.gate, expertNames.up, expertNames.down].contains($0.name)
            })

        let predicting = (0..<configuration.nextTokenLayerCount).prefix(1).flatMap {
            WeightPlan.nextTokenLayer($0, of: configuration)
        }
        let count = configuration.nextTokenLayerCount
        nextTokenLayers = count * tally(predicting.filter { !$0.isCopy })
        nextTokenCopies = count * tally(predicting.filter(\.isCopy))
    }

    /// The weights of one slice.
    public func weights(of slice: Slice) -> WeightTally { weights(of: [slice]) }

    /// The weights of a node's slices; the tied head of a node that has the embedding is no more.
    ///
    /// Where tokens are guessed ahead, the prediction layers come with the head, and with them the
    /// embedding.
    public func weights(of slices: [Slice]) -> WeightTally {
        var sum = layers(of: slices)
        let hasHead = slices.contains(where: \.holdsHead)
        if hasHead { sum += headAndPrediction }
        if slices.contains(where: \.holdsEmbedding) || (hasHead && headNeedsEmbedding) {
            sum += embedding
        }
        return sum
    }

    /// The head, and the prediction layers where tokens are guessed ahead.
    public var headAndPrediction: WeightTally { speculates ? head + nextTokenLayers : head }

    /// Whether the node of the head has the embedding, too.
    public var headNeedsEmbedding: Bool { configuration.tiesWordEmbeddings || speculates }

    private func layers(of slices: [Slice]) -> WeightTally {
        var sum = WeightTally()
        for layer in Set(slices.flatMap(\.layers)) {
            sum += configuration.layerIsMixture[layer] ? mixtureLayer : denseLayer
            if configuration.indexer != nil, !configuration.hasOwnIndexer(layer) {
                sum -= indexerOfLayer
            }
        }
        return sum
    }

    /// The main model: everything but the multi-token-prediction layers.
    public var main: WeightTally {
        let whole = Slice(
            layers: 0..<configuration.layerCount, holdsEmbedding: true, holdsHead: true)
        return layers(of: [whole]) + head + embedding
    }

    /// What a published checkpoint folder holds, copies included.
    public var published: WeightTally { main + nextTokenLayers + nextTokenCopies }

    /// Parameters that one token meets: the chosen experts only.
    public var activeParameterCount: Int {
        guard let routing = configuration.routing else { return main.parameterCount }
        let idleCount = routing.expertCount - routing.expertsPerTokenCount
        let mixtureCount = configuration.layerIsMixture.count { $0 }
        return main.parameterCount - mixtureCount * idleCount * routedExpert.parameterCount
    }

    /// Parameters that one token multiplies with: the look-up in the embedding is none.
    public var multipliedParameterCount: Int {
        configuration.tiesWordEmbeddings
            ? activeParameterCount : activeParameterCount - embedding.parameterCount
    }

    /// Floating-point operations of one token outside of attention; a multiply-add is two.
    public var flopsPerToken: Int { 2 * multipliedParameterCount }

    /// Operations of one token for each position that it sees, in absorbed form.
    public var absorbedAttentionFlopsPerPosition: Int {
        let widths = 2 * configuration.kvLoraRank + configuration.qkRopeHeadSize
        return 2 * configuration.layerCount * configuration.headCount * widths
    }
}

extension ModelArithmetic {
    /// Bytes of one token's latent rows, over some layers; all of them by default.
    public func latentBytesPerToken(layerCount: Int? = nil) -> Int {
        (layerCount ?? configuration.layerCount) * latentForm.rowByteCount(of: configuration)
    }

    /// Bytes that a token would take in BF16 if keys and values of all heads were stored.
    public var expandedBytesPerToken: Int {
        let headSizes =
            configuration.qkNopeHeadSize + configuration.qkRopeHeadSize
            + configuration.valueHeadSize
        return 2 * configuration.layerCount * configuration.headCount * headSizes
    }

    /// Bytes of one token's index keys, over the layers that have an indexer of their own; 0 for a
    /// model without.
    public func indexKeyBytesPerToken(layers: Range<Int>? = nil) -> Int {
        configuration.indexedLayerCount(in: layers ?? 0..<configuration.layerCount)
            * latentForm.indexKeyByteCount(of: configuration)
    }

    /// Bytes of all that the cache keeps of one token, over some layers; all of them by default.
    public func cacheBytesPerToken(layers: Range<Int>? = nil) -> Int {
        latentBytesPerToken(layerCount: layers?.count) + indexKeyBytesPerToken(layers: layers)
    }

    /// Bytes of all that the cache keeps of one token in a layer that has an indexer, if any has.
    public var cacheBytesPerTokenOfLayer: Int { latentForm.positionByteCount(of: configuration) }

    /// Bytes of what the prediction layer's own cache keeps of one token; 0 where nothing is
    /// guessed ahead.
    public var predictionCacheBytesPerToken: Int { speculates ? cacheBytesPerTokenOfLayer : 0 }

    /// Bytes of all that a node's cache keeps of one token.
    public func cacheBytesPerToken(of slices: [Slice]) -> Int {
        RangeSet(slices.map(\.layers)).ranges.reduce(
            slices.contains(where: \.holdsHead) ? predictionCacheBytesPerToken : 0
        ) { $0 + cacheBytesPerToken(layers: $1) }
    }

    /// What a node will hold in memory.
    ///
    /// - Parameters:
    ///   - slices: what the node holds of the layers; nothing for a host of experts alone.
    ///   - pageCount: pages of the latent cache, the same number for every layer.
    ///   - weightBytes: the slices' bytes in the real files, where a checkpoint is at hand.
    ///   - activationRowCount: rows of the largest micro-batch, whose tensors a node keeps.
    ///   - fixedBytes: code, tokenizer and buffers of a process.
    public func memory(
        of slices: [Slice], pageCount: Int, weightBytes: Int? = nil,
        activationRowCount: Int = 0, fixedBytes: Int = MemoryPrediction.fixedBytesDefault
    ) -> MemoryPrediction {
        MemoryPrediction(
            weightBytes: weightBytes ?? weights(of: slices).totalBytes,
            latentBytes: pageCount * Limits.pageRowCount * cacheBytesPerToken(of: slices),
            activationBytes: slices.isEmpty
                ? dispatchBytes(rowCount: activationRowCount)
                : activationBytes(rowCount: activationRowCount),
            fixedBytes: fixedBytes)
    }

    /// Bytes of what a host of experts keeps of a dispatch: the rows that came in, the outputs that
    /// are unpacked at once, and both as they travel, in BF16.
    private func dispatchBytes(rowCount: Int) -> Int {
        let choiceCount = rowCount * (configuration.routing?.expertsPerTokenCount ?? 0)
        return bytes(of: [.incoming, .expertOutputs], rowCount: rowCount)
            + 2 * configuration.hiddenSize * (rowCount + choiceCount)
    }

    /// Bytes of what a node keeps for a micro-batch of so many rows: every ``StepTensor``, and the
    /// rows as they came and as they leave, in BF16.
    public func activationBytes(rowCount: Int) -> Int {
        bytes(of: StepTensor.allCases, rowCount: rowCount)
            + 2 * configuration.hiddenSize * (rowCount + rowCount)
    }

    private func bytes(of tensors: [StepTensor], rowCount: Int) -> Int {
        let limits = PartLimits(configuration)
        return tensors.reduce(0) {
            $0 + $1.byteCount(of: configuration, limits: limits, stepRowCount: rowCount)
        }
    }
}

/// The memory that a node will hold once everything has been touched.
public struct MemoryPrediction: Equatable, Sendable {
    /// A process before any weight and page.
    ///
    /// 46 MB were measured on x86-64 Linux, nearly all of it code of this program and its
    /// libraries. Callers that measured pass their own.
    public static let fixedBytesDefault = 44 << 20

    /// Mapped weights of the node's slices.
    public var weightBytes: Int

    /// Pages of the latent cache.
    public var latentBytes: Int

    /// Tensors of the largest micro-batch.
    public var activationBytes: Int

    /// Everything else.
    public var fixedBytes: Int

    /// States the parts of a sum.
    public init(weightBytes: Int, latentBytes: Int, activationBytes: Int, fixedBytes: Int) {
        self.weightBytes = weightBytes
        self.latentBytes = latentBytes
        self.activationBytes = activationBytes
        self.fixedBytes = fixedBytes
    }

    /// The sum.
    public var totalBytes: Int {
        weightBytes + latentBytes + activationBytes + fixedBytes
    }
}
