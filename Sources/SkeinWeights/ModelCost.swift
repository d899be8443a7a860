public import SkeinCore

/// What a step of the main model reads and computes, tensor by tensor of a checkpoint.
///
/// A step reads each weight once, however many rows it has, and of the routed experts only those
/// that its rows have chosen. The embedding is looked up and costs nothing here.
public struct ModelCost: Sendable {
    /// Bytes of everything but the routed experts and the head.
    public let sharedBytes: Int

    /// Bytes of the head and its norm, read where a token is demanded.
    public let headBytes: Int

    /// Bytes of one routed expert; 0 for a dense model.
    public let expertBytes: Int

    /// Operations of one row in everything but the routed experts and the head; a multiply-add is
    /// two.
    public let sharedFlops: Int

    /// Operations of one row in the head.
    public let headFlops: Int

    /// Operations of one row in the experts that it has chosen, over all layers.
    public let chosenFlops: Int

    /// What attention costs over all layers, in absorbed form.
    public let attention: AttentionCost

    /// Layers with routed experts.
    public let mixtureLayerCount: Int

    /// Experts that one row chooses in each of them.
    public let expertsPerRow: Int

    /// Adds up a checkpoint's tensors and latent rows in the forms in which they are kept.
    public init(
        _ checkpoint: Checkpoint, as form: WeightForm, latents latentForm: LatentForm = .bf16
    ) throws(Refusal) {
        let model = checkpoint.configuration
        let plan = WeightPlan.whole(model)
        let headNames = Set(WeightPlan.head(model).map(\.name))
        var (shared, head, experts) = (
            (bytes: 0, flops: 0), (bytes: 0, flops: 0), (bytes: 0, flops: 0)
        )
        var expertCount = 0
        for requirement in plan.requirements {
            let isHead = headNames.contains(requirement.name)
            if requirement.name == WeightName.embedding && !isHead { continue }
            let bytes = try checkpoint.readBytes(of: requirement, in: plan, as: form)
            let flops = requirement.shape.count == 2 ? 2 * requirement.elementCount : 0
            if isHead {
                head = (head.bytes + bytes, head.flops + flops)
            } else if let expert = FusedExpertName(requirement.name) {
                experts = (experts.bytes + bytes, experts.flops + flops)
                if expert.part == .down { expertCount += 1 }
            } else {
                shared = (shared.bytes + bytes, shared.flops + flops)
            }
        }
        let arithmetic = ModelArithmetic(model, latents: latentForm)
        mixtureLayerCount = model.routing == nil ? 0 : model.layerIsMixture.count { $0 }
        expertsPerRow = model.routing?.expertsPerTokenCount ?? 0
        sharedBytes = shared.bytes
        sharedFlops = shared.flops
        headBytes = head.bytes
        headFlops = head.flops
        expertBytes = expertCount == 0 ? 0 : experts.bytes / expertCount
        chosenFlops =
            expertCount == 0
            ? 0 : experts.flops / expertCount * expertsPerRow * mixtureLayerCount
        attention = AttentionCost(arithmetic)
    }

    /// Bytes that a step of decode reads.
    ///
    /// - Parameters:
    ///   - touchedExpertCount: different experts that its rows have chosen, summed over layers.
    ///   - positionCount: positions that its rows see, summed over sequences.
    public func decodeBytes(
        rowCount: Int, touchedExpertCount: Double, positionCount: Double
    ) -> Double {
        Double(sharedBytes + headBytes) + touchedExpertCount * Double(expertBytes)
            + attention.bytes(rowCount: Double(rowCount), positionSum: positionCount)
    }

    /// Operations of a step of decode.
    public func decodeFlops(rowCount: Int, positionCount: Double) -> Double {
        Double(rowCount * (sharedFlops + headFlops + chosenFlops))
            + attention.flops(rowCount: Double(rowCount), positionSum: positionCount)
    }

    /// Operations of a prompt: each row sees all before it, and the last one has logits.
    public func prefillFlops(rowCount: Int) -> Double {
        Double(rowCount * (sharedFlops + chosenFlops) + headFlops)
            + attention.promptFlops(rowCount: rowCount)
    }
}
