import SkeinCore
import SkeinTensor
import SkeinWeights

/// A dense unit: `down(silu(gate x) * (up x))` (specification section 3.7).
struct FeedForward {
    private let weights: GatedWeights

    /// Finds a unit of the given inner width in a checkpoint.
    init(checkpoint: Checkpoint, names: GatedUnitNames, innerSize: Int) throws(Refusal) {
        weights = try GatedWeights(checkpoint: checkpoint, names: names, innerSize: innerSize)
    }

    /// Applies the unit.
    ///
    /// - Parameter result: resized to `[row, hidden]`.
    func apply(_ rows: Tensor, into result: Tensor, on pool: ComputePool) {
        GatedUnit.apply(weights, to: rows, into: result, on: pool)
    }
}

extension GatedWeights {
    /// Finds a unit's three weights; gate and up are stored alike.
    init(checkpoint: Checkpoint, names: GatedUnitNames, innerSize: Int) throws(Refusal) {
        let hidden = checkpoint.configuration.hiddenSize
        let gate = try checkpoint.multiplier(names.gate, rows: innerSize, columns: hidden)
        let up = try checkpoint.multiplier(names.up, rows: innerSize, columns: hidden)
        let down = try checkpoint.multiplier(names.down, rows: hidden, columns: innerSize)
        guard gate.format == up.format else {
            throw Refusal(
                "\(checkpoint.folder): \(names.up)",
                "is stored as \(up.format), but the gate beside it as \(gate.format)")
        }
        self.init(gate: gate, up: up, down: down)
    }
}
