import SkeinTensor
import Testing

@Suite struct MatrixProductTests {
    static let pool = ComputePool(threadCount: 2)

    @Test func aProductIsCloseToTheSumInDoublePrecision() {
        for columns in [1, 31, 32, 33, 127, 128, 129, 300] {
            for weight in Fixture.weights(rows: 37, columns: columns) {
                let input = Fixture.tensor(rows: 5, columns: columns, seed: 3)
                let output = Tensor(rows: 0, columns: 37)
                MatrixProduct.multiplyInFloat32(input, by: weight, into: output, on: Self.pool)
                let rounded = Tensor(rows: 0, columns: columns)
                rounded.copy(from: input)
                if weight.format != .f32 { rounded.roundToBFloat16() }
                let served = Tensor(rows: 0, columns: 37)
                MatrixProduct.multiply(input, by: weight, into: served, on: Self.pool)
                for m in 0..<5 {
                    for n in 0..<37 {
                        let row = weight.decodedRow(n)
                        let naive = Fixture.dot(input.row(m), row)
                        #expect(abs(Double(output[m, n]) - naive.sum) <= naive.bound)
                        let naiveServed = Fixture.dot(rounded.row(m), row)
                        #expect(abs(Double(served[m, n]) - naiveServed.sum) <= naiveServed.bound)
                    }
                }
            }
        }
    }
}
