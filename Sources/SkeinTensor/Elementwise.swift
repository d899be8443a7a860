internal import CSkeinKernels

/// Arithmetic number by number, in F32.
public enum Elementwise {
    /// target += addend.
    public static func add(_ addend: Tensor, to target: Tensor, on pool: ComputePool) {
        check(addend, target)
        pool.forEachRow(target.rowCount) { row in
            skein_add(target.rowBase(row), addend.rowBase(row), target.columnCount)
        }
    }

    /// target = bf16(target + addend): what leaves a layer.
    public static func addRounding(_ addend: Tensor, to target: Tensor, on pool: ComputePool) {
        check(addend, target)
        pool.forEachRow(target.rowCount) { row in
            skein_add(target.rowBase(row), addend.rowBase(row), target.columnCount)
            skein_round_bf16(target.rowBase(row), target.columnCount)
        }
    }

    private static func check(_ addend: Tensor, _ target: Tensor) {
        precondition(
            addend.rowCount == target.rowCount && addend.columnCount == target.columnCount,
            "sums need equal shapes")
    }

    /// rows[m] *= factors[m]; one rounding.
    public static func scale(_ rows: Tensor, by factors: [Float], on pool: ComputePool) {
        precondition(factors.count == rows.rowCount, "\(factors.count) for \(rows.rowCount) rows")
        pool.forEachRow(rows.rowCount) { row in
            let (numbers, factor) = (rows.rowBase(row), factors[row])
            for column in 0..<rows.columnCount { numbers[column] *= factor }
        }
    }

    /// target[row] += weight * addend[addendRow]; two roundings.
    public static func addScaled(
        _ addend: Tensor, row addendRow: Int, weight: Float, to target: Tensor, row: Int
    ) {
        precondition(addend.columnCount == target.columnCount, "sums need equal widths")
        skein_add_scaled(
            target.rowBase(row), addend.rowBase(addendRow), weight, target.columnCount)
    }

    /// output[m] = shared[m] + Σ_slot weights[m, slot] * expertOutputs[m * slotCount + slot].
    ///
    /// Slots are added one after the other in ascending order, so a row's sum is the same wherever
    /// its experts ran; the caller keeps slots in ascending order of expert.
    ///
    /// - Parameters:
    ///   - shared: `[m, width]`, or nil for zeros.
    ///   - weights: `[m, slotCount]`.
    ///   - output: resized to `[m, width]`; may be `shared`.
    public static func combine(
        shared: Tensor?, expertOutputs: Tensor, weights: Tensor, into output: Tensor
    ) {
        let slotCount = weights.columnCount
        precondition(
            expertOutputs.rowCount == weights.rowCount * slotCount
                && expertOutputs.columnCount == output.columnCount,
            "\(expertOutputs.rowCount) outputs for \(weights.rowCount) x \(slotCount)")
        if let shared {
            precondition(shared.rowCount == weights.rowCount, "\(shared.rowCount) shared rows")
            if shared !== output { output.copy(from: shared) }
        } else {
            output.resize(rows: weights.rowCount)
            output.fill(0)
        }
        for row in 0..<weights.rowCount {
            for slot in 0..<slotCount {
                addScaled(
                    expertOutputs, row: row * slotCount + slot, weight: weights[row, slot],
                    to: output, row: row)
            }
        }
    }

    /// values = 1 / (1 + exp(-values)).
    public static func sigmoid(
        _ tensor: Tensor, instructionSet: InstructionSet = Kernels.chosen
    ) {
        skein_sigmoid(instructionSet.rawValue, tensor.base, tensor.count)
    }

    /// values = exp(values).
    public static func exp(_ tensor: Tensor, instructionSet: InstructionSet = Kernels.chosen) {
        skein_exp(instructionSet.rawValue, tensor.base, tensor.count)
    }

    /// gate = gate / (1 + exp(-gate)) * up.
    public static func siluProduct(
        gate: Tensor, up: Tensor, instructionSet: InstructionSet = Kernels.chosen
    ) {
        precondition(gate.count == up.count, "products need equal shapes")
        skein_silu_product(instructionSet.rawValue, gate.base, up.base, gate.count)
    }
}
