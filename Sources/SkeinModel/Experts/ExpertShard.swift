public import SkeinCore
public import SkeinTensor
public import SkeinWeights

/// Some routed experts of one layer, wherever they run.
///
/// Every output row is rounded to BF16, since that is what travels from an expert host: a combine
/// then gives the same bytes whether an expert was near or far.
public struct ExpertShard: Sendable {
    /// The experts, as the checkpoint numbers them.
    public let experts: Range<Int>

    private let weights: [GatedWeights]

    /// Finds experts of a layer in a checkpoint.
    public init(checkpoint: Checkpoint, layer: Int, experts: Range<Int>) throws(Refusal) {
        guard let routing = checkpoint.configuration.routing else {
            preconditionFailure("a dense model has no experts")
        }
        precondition(
            !experts.isEmpty && experts.lowerBound >= 0
                && experts.upperBound <= routing.expertCount,
            "experts \(experts) of \(routing.expertCount)")
        let names = WeightName.layer(layer)
        var weights: [GatedWeights] = []
        for expert in experts {
            let unit = try GatedWeights(
                checkpoint: checkpoint, names: names.expert(expert),
                innerSize: routing.expertIntermediateSize)
            if let first = weights.first,
                first.gate.format != unit.gate.format || first.down.format != unit.down.format
            {
                throw Refusal(
                    "\(checkpoint.folder): \(names.expert(expert).gate)",
                    "expert \(expert) is stored as \(unit.gate.format) and \(unit.down.format), "
                        + "but expert \(experts.lowerBound) as \(first.gate.format) and "
                        + "\(first.down.format)")
            }
            weights.append(unit)
        }
        self.experts = experts
        self.weights = weights
    }

    /// Applies to each row its experts; each expert's weights are read once.
    ///
    /// - Parameters:
    ///   - rows: `[row, hidden]`, already rounded to BF16.
    ///   - part: which of `experts` the assignments count.
    ///   - outputs: resized to `[assignments.outputRowCount, hidden]`; BF16 values.
    public func apply(
        _ rows: Tensor, part: Range<Int>, assignments: ExpertAssignments, into outputs: Tensor,
        on pool: ComputePool
    ) {
        precondition(
            part.lowerBound >= experts.lowerBound && part.upperBound <= experts.upperBound,
            "experts \(part) of \(experts)")
        let first = part.lowerBound - experts.lowerBound
        let units = part == experts ? weights : Array(weights[first..<first + part.count])
        GatedUnit.applyExperts(
            units, assignments: assignments, to: rows, into: outputs, on: pool)
        outputs.roundToBFloat16()
    }
}
