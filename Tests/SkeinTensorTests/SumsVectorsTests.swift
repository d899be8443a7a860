import SkeinTensor
import Testing

/// The one order of sums, held against the instructions that it was made for.
@Suite struct SumsVectorsTests {
    /// A NaN is a NaN, whatever its payload.
    private static func isSame(_ found: Float, _ expected: UInt32) -> Bool {
        found.bitPattern == expected || found.isNaN && Float(bitPattern: expected).isNaN
    }

    @Test(arguments: Kernels.supported)
    func everyProductHasTheBitsOfTheTiles(instructionSet: InstructionSet) throws {
        let pool = ComputePool(threadCount: 1, instructionSet: instructionSet)
        for product in try SumsVectors().cases() {
            let (input, weight) = (product.input, Fixture.packed(product.weight, on: pool)[0])
            let output = Tensor(rows: 0, columns: weight.rowCount)
            // All rows together, and the first few alone: they take other kernels.
            for count in Set([1, 3, input.rowCount]) where count <= input.rowCount {
                let rows = Tensor((0..<count).map { input.row($0) })
                MatrixProduct.multiply(rows, by: weight, into: output, on: pool)
                let found = output.values()
                let wrong = found.indices.filter {
                    !Self.isSame(found[$0], product.expected[$0])
                }
                #expect(wrong.isEmpty, "\(product), \(count) rows: \(wrong.count) differ")
            }
        }
    }

    @Test(arguments: Kernels.supported)
    func resultsAtTheBorderOfTheSmallestNumberAreFlushedAlike(
        instructionSet: InstructionSet
    ) throws {
        let pool = ComputePool(threadCount: 1, instructionSet: instructionSet)
        let border = try SumsVectors().border()
        let output = Tensor(rows: 0, columns: 1)
        for (row, x) in border.input.enumerated() {
            let bytes = border.weight[row].flatMap {
                Fixture.bytesOf(UInt16($0.bitPattern >> 16))
            }
            let weight = WeightMatrix(
                bfloat16: MappedBytes(owning: bytes), rows: 1, columns: x.count)
            MatrixProduct.multiply(Tensor([x]), by: weight, into: output, on: pool)
            #expect(Self.isSame(output[0, 0], border.expected[row]), "row \(row)")
        }
    }
}
