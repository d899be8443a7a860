import SkeinTensor
import Testing

@Suite struct GatedUnitTests {
    static let pool = ComputePool(threadCount: 2)

    /// Units of every stored format, or made INT8.
    static func units(
        inner: Int, columns: Int, seed: UInt64 = 0, as form: PackedForm = .asStored
    ) -> [GatedWeights] {
        let blocks = [(0, 0), (128, 128), (24, 40)]
        var units = blocks.map { rows, blockColumns in
            func weight(_ rowCount: Int, _ columnCount: Int, _ number: UInt64) -> WeightMatrix {
                rows == 0
                    ? Fixture.bfloat16(rows: rowCount, columns: columnCount, seed: seed + number)
                    : Fixture.float8(
                        rows: rowCount, columns: columnCount, block: rows,
                        blockColumns: blockColumns, seed: seed + number)
            }
            return Fixture.gated(
                gate: weight(inner, columns, 1), up: weight(inner, columns, 2),
                down: weight(columns, inner, 3), as: form)
        }
        units.append(
            Fixture.gated(
                gate: Fixture.float32(rows: inner, columns: columns, seed: seed + 1),
                up: Fixture.float32(rows: inner, columns: columns, seed: seed + 2),
                down: Fixture.float32(rows: columns, columns: inner, seed: seed + 3), as: form))
        if inner % 8 == 0 && columns % 8 == 0 {
            units.append(
                Fixture.gated(
                    gate: Fixture.int4(rows: inner, columns: columns, seed: seed + 1),
                    up: Fixture.int4(rows: inner, columns: columns, seed: seed + 2),
                    down: Fixture.int4(rows: columns, columns: inner, seed: seed + 3), as: form))
        }
        return units
    }

    @Test(arguments: [76, 300]) func aUnitIsItsThreeProducts(inner: Int) {
        let made = Self.units(inner: inner, columns: 140, as: .int8)
        for weights in Self.units(inner: inner, columns: 140) + [made[0]] {
            let input = Fixture.tensor(rows: 9, columns: 140, seed: 8)
            let output = Tensor(rows: 0, columns: 140)
            GatedUnit.apply(weights, to: input, into: output, on: Self.pool)
            let gate = Tensor(rows: 0, columns: inner)
            let up = Tensor(rows: 0, columns: inner)
            let steps = Tensor(rows: 0, columns: 140)
            MatrixProduct.multiply(input, by: weights.gate, into: gate, on: Self.pool)
            MatrixProduct.multiply(input, by: weights.up, into: up, on: Self.pool)
            Elementwise.siluProduct(gate: gate, up: up)
            MatrixProduct.multiply(gate, by: weights.down, into: steps, on: Self.pool)
            #expect(output.packedFloat32() == steps.packedFloat32(), "\(weights.gate.format)")
        }
    }

    @Test func expertsGiveEachRowWhatItWouldGetAlone() {
        for kind in 0..<6 {
            let experts = (0..<5).map { expert in
                Self.units(
                    inner: 40, columns: 96, seed: UInt64(expert) * 10,
                    as: kind < 5 ? .asStored : .int8)[kind % 5]
            }
            let input = Fixture.tensor(rows: 11, columns: 96, seed: 8)
            // Expert 3 is never chosen, expert 4 by every row; 7 and 8 live elsewhere.
            let chosen = (0..<11).flatMap { [$0 % 3, 4, 7 + $0 % 2] }
            let assignments = ExpertAssignments(chosen: chosen, slotCount: 3, localExperts: 0..<5)
            #expect(assignments.rowCount(of: 3) == 0)
            #expect(assignments.inputRows(of: 4) == Array(0..<11))
            let output = Tensor(rows: 0, columns: 96)
            GatedUnit.applyExperts(
                experts, assignments: assignments, to: input, into: output, on: Self.pool)
            #expect(output.rowCount == 33)
            let alone = Tensor(rows: 0, columns: 96)
            for row in 0..<11 {
                for slot in 0..<2 {
                    GatedUnit.apply(
                        experts[chosen[row * 3 + slot]], to: Tensor([input.row(row)]),
                        into: alone, on: Self.pool)
                    #expect(alone.row(0) == output.row(row * 3 + slot))
                }
            }
        }
    }

    @Test func noAssignmentsAreNoWork() {
        let experts = [Self.units(inner: 8, columns: 8)[0]]
        let assignments = ExpertAssignments(chosen: [3, 4], slotCount: 2, localExperts: 0..<1)
        let output = Tensor(rows: 0, columns: 8)
        GatedUnit.applyExperts(
            experts, assignments: assignments, to: Tensor(rows: 1, columns: 8), into: output,
            on: Self.pool)
        #expect(output.rowCount == 2)
    }

    @Test func combiningAddsSlotsInOrder() {
        let shared = Tensor([[1, 2], [3, 4]])
        let outputs = Tensor([[1, 0], [0, 1], [10, 20], [30, 40]])
        let weights = Tensor([[0.5, 2], [1, 0.25]])
        let output = Tensor(rows: 0, columns: 2)
        Elementwise.combine(
            shared: shared, expertOutputs: outputs, weights: weights, into: output)
        #expect(output.values() == [1.5, 4, 20.5, 34])
        Elementwise.combine(shared: nil, expertOutputs: outputs, weights: weights, into: output)
        #expect(output.values() == [0.5, 2, 17.5, 30])
    }
}
