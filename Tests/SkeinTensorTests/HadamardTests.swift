import SkeinTensor
import Testing

@Suite struct HadamardTests {
    private static let pool = ComputePool(threadCount: 2)

    /// `H[i][j]` is -1 where i and j have an odd number of bits in common.
    @Test(arguments: [1, 2, 16, 128])
    func everyHeadIsMultipliedByTheMatrix(width: Int) {
        let tensor = Fixture.tensor(rows: 3, columns: 2 * width, seed: 1)
        let original = tensor.values().map(Double.init)
        Hadamard.transform(tensor, width: width, on: Self.pool)
        for (place, found) in tensor.values().enumerated() {
            let (first, row) = (place / width * width, place % width)
            let expected =
                (0..<width).reduce(0.0) { sum, column in
                    let isOdd = (row & column).nonzeroBitCount % 2 == 1
                    return sum + (isOdd ? -1 : 1) * original[first + column]
                } / Double(width).squareRoot()
            // Sums of at most 128 numbers below one, over the root of 128.
            #expect(abs(Double(found) - expected) < 2e-6)
        }
    }

    @Test func productsOfHeadsStayAsTheyAre() {
        let tensor = Fixture.tensor(rows: 2, columns: 128, seed: 2)
        let before = Fixture.dot(tensor.row(0), tensor.row(1)).sum
        Hadamard.transform(tensor, width: 128, on: Self.pool)
        #expect(abs(Fixture.dot(tensor.row(0), tensor.row(1)).sum - before) < 1e-5)
    }
}

@Suite struct LayerNormalizationTests {
    @Test(arguments: [1, 15, 32, 128, 130])
    func aRowIsNormedByItsMeanAndVariance(columns: Int) {
        let tensor = Fixture.tensor(rows: 2, columns: columns, seed: 3)
        let original = tensor.row(1).map(Double.init)
        let weight = Fixture.numbers(columns, seed: 4)
        let bias = Fixture.numbers(columns, seed: 5)
        LayerNormalization.normalize(
            tensor, weight: weight, bias: bias, epsilon: 1e-3, on: ComputePool(threadCount: 2))
        let mean = original.reduce(0, +) / Double(columns)
        let variance =
            original.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
        for column in 0..<columns {
            let normed = (original[column] - mean) / (variance + 1e-3).squareRoot()
            let expected = normed * Double(weight[column]) + Double(bias[column])
            #expect(abs(Double(tensor[1, column]) - expected) < 4e-6)
        }
    }
}
