internal import CSkeinKernels

/// The weights of a dense unit or of one expert: gate and up `[inner, in]`, down `[out, inner]`.
public struct GatedWeights: Sendable {
    /// Its product goes through SiLU.
    public let gate: PackedWeight
    /// Its product is multiplied by the gate's.
    public let up: PackedWeight
    /// Brings the inner numbers back to the residual's width.
    public let down: PackedWeight

    /// Joins three weights whose shapes fit.
    public init(gate: PackedWeight, up: PackedWeight, down: PackedWeight) {
        precondition(
            gate.rowCount == up.rowCount && gate.columnCount == up.columnCount
                && down.columnCount == gate.rowCount,
            "gate [\(gate.rowCount), \(gate.columnCount)], up [\(up.rowCount), "
                + "\(up.columnCount)], down [\(down.rowCount), \(down.columnCount)]")
        precondition(gate.format == up.format, "gate is \(gate.format), up is \(up.format)")
        self.gate = gate
        self.up = up
        self.down = down
    }

    /// Bytes that one use of the unit reads.
    public var byteCount: Int { gate.byteCount + up.byteCount + down.byteCount }

    var kernelWeight: skein_gated_weight {
        skein_gated_weight(
            gate: gate.kernelWeight, up: up.kernelWeight, down: down.kernelWeight)
    }

    /// Units may share a call where their rows are packed alike.
    func isLike(_ other: GatedWeights) -> Bool {
        gate.format == other.gate.format && down.format == other.down.format
            && gate.columnCount == other.gate.columnCount && down.rowCount == other.down.rowCount
            && down.columnCount == other.down.columnCount
    }
}

/// `down(silu(gate x) * (up x))`, for all rows or expert by expert.
///
/// Sums are F32; in serving arithmetic x and the inner product are rounded before they are
/// multiplied, as the weight that they meet asks for. A row's result does not depend on the rows
/// beside it.
public enum GatedUnit {
    /// Applies one unit to all rows.
    ///
    /// - Parameter output: resized to `[m, down.rowCount]`.
    public static func apply(
        _ weights: GatedWeights, to input: Tensor,
        in arithmetic: MatrixProduct.Arithmetic = .serving,
        into output: Tensor, on pool: ComputePool
    ) {
        check(weights, input, output)
        output.resize(rows: input.rowCount)
        var kernelWeight = weights.kernelWeight
        withExtendedLifetime(weights) {
            withUnsafePointer(to: &kernelWeight) { pointer in
                var unit = skein_gated_rows(
                    weight: pointer, input_rows: nil, output_rows: nil, count: input.rowCount)
                skein_apply_gated(
                    pool.pool, &unit, 1, arithmetic.kernelArithmetic, input.base,
                    input.columnCount, input.rowCount, output.base, output.columnCount)
            }
        }
    }

    /// Applies to every assigned row its experts; each expert's weights are read once.
    ///
    /// - Parameters:
    ///   - experts: the experts that `assignments` counts, in its order.
    ///   - output: resized to `[assignments.outputRowCount, down.rowCount]`; rows that no local
    ///     expert serves are unspecified.
    public static func applyExperts(
        _ experts: [GatedWeights], assignments: ExpertAssignments, to input: Tensor,
        in arithmetic: MatrixProduct.Arithmetic = .serving, into output: Tensor,
        on pool: ComputePool
    ) {
        precondition(
            experts.count == assignments.expertCount,
            "\(experts.count) experts, assignments for \(assignments.expertCount)")
        precondition(assignments.inputRowCount <= input.rowCount, "assignments beyond the input")
        output.resize(rows: assignments.outputRowCount)
        let active = (0..<experts.count).filter { !assignments.range(of: $0).isEmpty }
        guard let first = active.first else { return }
        check(experts[first], input, output)
        for expert in active {
            precondition(experts[expert].isLike(experts[first]), "experts of different layouts")
        }
        let kernelWeights = active.map { experts[$0].kernelWeight }
        withExtendedLifetime(experts) {
            kernelWeights.withUnsafeBufferPointer { weights in
                assignments.withRows { inputRows, outputRows in
                    let units = active.indices.map { index in
                        let range = assignments.range(of: active[index])
                        return skein_gated_rows(
                            weight: weights.baseAddress.map { $0 + index },
                            input_rows: inputRows.map { $0 + range.lowerBound },
                            output_rows: outputRows.map { $0 + range.lowerBound },
                            count: range.count)
                    }
                    skein_apply_gated(
                        pool.pool, units, units.count, arithmetic.kernelArithmetic, input.base,
                        input.columnCount, input.rowCount, output.base, output.columnCount)
                }
            }
        }
    }

    private static func check(_ weights: GatedWeights, _ input: Tensor, _ output: Tensor) {
        precondition(input !== output, "a product cannot overwrite its input")
        precondition(
            input.columnCount == weights.gate.columnCount
                && output.columnCount == weights.down.rowCount,
            "[\(input.columnCount)] through [\(weights.gate.columnCount)] to "
                + "[\(weights.down.rowCount)] into [\(output.columnCount)]")
    }
}
