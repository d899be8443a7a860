import SkeinCore

/// What absorbed attention reads and computes for rows that see some positions.
///
/// Without an indexer a row reads the latent rows of all of its positions. With one, a row that has
/// more than `keptCount` reads their index keys, and the latent rows of `keptCount` of them
/// (specification section 6).
public struct AttentionCost: Sendable {
    /// Bytes of one latent row, over the layers.
    public let latentBytes: Int

    /// Operations of one row for each latent row that it attends to.
    public let latentFlops: Int

    /// Bytes of one index key, over the layers; 0 without an indexer.
    public let indexKeyBytes: Int

    /// Operations of one row for each index key that it scores.
    public let indexKeyFlops: Int

    /// Positions that a row attends to at most; all where there is no indexer.
    public let keptCount: Int

    /// Adds up all layers of a model; those that share another's choice score nothing.
    public init(_ arithmetic: ModelArithmetic) {
        self.init(
            arithmetic, layerCount: arithmetic.configuration.layerCount,
            indexKeyBytes: arithmetic.indexKeyBytesPerToken())
    }

    /// One layer: where some share another's choice, the mean of all.
    public init(layerOf arithmetic: ModelArithmetic) {
        let count = max(1, arithmetic.configuration.layerCount)
        self.init(
            arithmetic, layerCount: 1, indexKeyBytes: arithmetic.indexKeyBytesPerToken() / count)
    }

    private init(_ arithmetic: ModelArithmetic, layerCount: Int, indexKeyBytes: Int) {
        let model = arithmetic.configuration
        let flops = arithmetic.absorbedAttentionFlopsPerPosition / max(1, model.layerCount)
        latentBytes = arithmetic.latentBytesPerToken(layerCount: layerCount)
        latentFlops = layerCount * flops
        self.indexKeyBytes = indexKeyBytes
        let indexedCount = model.indexedLayerCount(in: 0..<model.layerCount)
        indexKeyFlops =
            layerCount * indexedCount
            * (model.indexer.map { 2 * $0.headCount * $0.headSize } ?? 0)
            / max(1, model.layerCount)
        keptCount = model.indexer?.topK ?? .max
    }

    /// Bytes of rows that see about equally many positions.
    ///
    /// - Parameter positionSum: positions that rows see, summed over rows.
    public func bytes(rowCount: Double, positionSum: Double) -> Double {
        let (attended, scored) = positions(rowCount: rowCount, positionSum: positionSum)
        return attended * Double(latentBytes) + scored * Double(indexKeyBytes)
    }

    /// Operations of such rows.
    public func flops(rowCount: Double, positionSum: Double) -> Double {
        let (attended, scored) = positions(rowCount: rowCount, positionSum: positionSum)
        return attended * Double(latentFlops) + scored * Double(indexKeyFlops)
    }

    /// Operations of a prompt of which each row sees all before it.
    public func promptFlops(rowCount: Int) -> Double {
        func sum(_ rowCount: Int) -> Double { Double(rowCount) * Double(rowCount + 1) / 2 }
        let dense = min(rowCount, keptCount)
        return sum(dense) * Double(latentFlops)
            + flops(rowCount: Double(rowCount - dense), positionSum: sum(rowCount) - sum(dense))
    }

    /// Positions whose latent rows are read, and those whose keys are.
    private func positions(
        rowCount: Double, positionSum: Double
    ) -> (attended: Double, scored: Double) {
        let kept = rowCount * Double(keptCount)
        return positionSum > kept ? (kept, positionSum) : (positionSum, 0)
    }
}
