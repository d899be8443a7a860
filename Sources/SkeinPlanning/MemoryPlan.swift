import SkeinCore
import SkeinWeights

/// What hosts hold in memory; the same sum by which a node refuses to load what does not fit.
struct MemoryPlan: Sendable {
    let arithmetic: ModelArithmetic
    let pageCount: Int
    let rowCount: Int

    /// What a host of a ring will hold.
    func prediction(ofHost host: Int, in ring: PlannedRing) -> MemoryPrediction {
        let model = arithmetic.configuration
        let held = ring.heldExpertCount(
            ofHost: host, layerIsMixture: model.layerIsMixture, expertCount: expertCount)
        let slices = ring.slices(ofHost: host)
        let mixtureCount = Set(slices.flatMap(\.layers)).count { model.layerIsMixture[$0] }
        let remote = mixtureCount * expertCount - held
        return arithmetic.memory(
            of: slices, pageCount: pageCount,
            weightBytes: arithmetic.weights(of: slices).totalBytes - remote * expertBytes,
            activationRowCount: rowCount)
    }

    /// What a host of experts alone will hold.
    func expertHost(heldCount: Int) -> MemoryPrediction {
        arithmetic.memory(
            of: [], pageCount: 0, weightBytes: heldCount * expertBytes,
            activationRowCount: rowCount)
    }

    /// How many experts a host of experts alone has room for.
    func expertRoom(in memoryBytes: Int) -> Int {
        guard expertBytes > 0 else { return 0 }
        return max(0, memoryBytes - expertHost(heldCount: 0).totalBytes) / expertBytes
    }

    /// Bytes of one routed expert of one layer.
    var expertBytes: Int { arithmetic.routedExpert.totalBytes }

    private var expertCount: Int { arithmetic.configuration.routing?.expertCount ?? 0 }

    /// The parts of a stage's sum, for a search that tries many slices.
    ///
    /// - Parameter localExpertCount: routed experts of each MoE layer that stay on its stage.
    func table(localExpertCount: Int) -> Table {
        let latentBytes =
            pageCount * Limits.pageRowCount * arithmetic.cacheBytesPerTokenOfLayer
        let awayBytes = (expertCount - localExpertCount) * expertBytes
        return Table(
            denseBytes: arithmetic.denseLayer.totalBytes + latentBytes,
            mixtureBytes: arithmetic.mixtureLayer.totalBytes - awayBytes + latentBytes,
            embeddingBytes: arithmetic.embedding.totalBytes,
            headBytes: arithmetic.headAndPrediction.totalBytes
                + pageCount * Limits.pageRowCount * arithmetic.predictionCacheBytesPerToken,
            isTied: arithmetic.headNeedsEmbedding,
            fixedBytes: MemoryPrediction.fixedBytesDefault
                + arithmetic.activationBytes(rowCount: rowCount))
    }

    /// See ``table(localExpertCount:)``.
    struct Table: Sendable {
        let denseBytes: Int
        let mixtureBytes: Int
        let embeddingBytes: Int
        let headBytes: Int
        let isTied: Bool
        let fixedBytes: Int

        func totalBytes(
            denseCount: Int, mixtureCount: Int, holdsEmbedding: Bool, holdsHead: Bool
        ) -> Int {
            let needsEmbedding = holdsEmbedding || (holdsHead && isTied)
            return fixedBytes + denseCount * denseBytes + mixtureCount * mixtureBytes
                + (needsEmbedding ? embeddingBytes : 0) + (holdsHead ? headBytes : 0)
        }
    }
}
