import SkeinTensor
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct SoftmaxTests {
    @Test func theExponentialIsRightToAFewUnitsInTheLastPlace() {
        var worst = 0.0
        let inputs = stride(from: Float(-87), to: 88.5, by: 0.003_7).map { $0 }
        let tensor = Tensor([inputs])
        Elementwise.exp(tensor)
        for (x, y) in zip(inputs, tensor.row(0)) {
            let expected = exp(Double(x))
            worst = max(worst, abs(Double(y) - expected) / expected)
        }
        #expect(worst < 3 * 0x1p-24)
    }

    @Test func theExponentialHasItsLimits() {
        let tensor = Tensor([[0, -.infinity, .infinity, .nan, -200, 200, -0.0]])
        Elementwise.exp(tensor)
        #expect(Array(tensor.row(0)[0..<3]) == [1, 0, .infinity])
        #expect(tensor[0, 3].isNaN)
        #expect(Array(tensor.row(0)[4...]) == [0, .infinity, 1])
    }

    @Test func aSoftmaxSumsToOneAndKeepsItsOrder() {
        var values = Fixture.numbers(1000, seed: 3).map { $0 * 20 }
        let original = values
        Softmax.apply(&values)
        #expect(abs(values.reduce(0.0) { $0 + Double($1) } - 1) < 1e-6)
        let best = original.indices.max { original[$0] < original[$1] }
        #expect(TopK.places(in: values, kept: 1).first == best)
        let tensor = Tensor([original])
        let logSum = Softmax.logSumExp(tensor, row: 0)
        let expected = log(original.reduce(0.0) { $0 + exp(Double($1)) })
        #expect(abs(Double(logSum) - expected) < 1e-5)
    }

    @Test func theSigmoidIsOneHalfAtZeroAndSaturates() {
        let tensor = Tensor([[0, 100, -100, 2]])
        Elementwise.sigmoid(tensor)
        #expect(Array(tensor.row(0)[0..<3]) == [0.5, 1, 0])
        #expect(abs(tensor[0, 3] - 0.880_797) < 1e-6)
    }

    @Test func amongEqualsTheLowerPlaceComesFirst() {
        #expect(TopK.places(in: [1, 3, 2, 3, 3], kept: 3) == [1, 3, 4])
        #expect(TopK.places(in: [-.infinity, -.infinity, 0], kept: 3) == [2, 0, 1])
        #expect(TopK.places(in: [], kept: 0).isEmpty)
        #expect(TopK.places(in: [.nan, 1, .nan, 2, -.infinity], kept: 4) == [3, 1, 4, 0])
    }

    @Test func aNormalisedRowHasTheMeanSquareOfItsWeights() {
        let input = Fixture.tensor(rows: 3, columns: 70, seed: 1)
        let weight = Fixture.numbers(60, seed: 2)
        let output = Tensor(rows: 0, columns: 64)
        RootMeanSquare.normalize(
            input, columns: 5..<65, weight: weight, epsilon: 1e-6, into: output,
            on: ComputePool(threadCount: 1))
        for row in 0..<3 {
            let slice = Array(input.row(row)[5..<65])
            let mean = Fixture.dot(slice, slice).sum / 60
            for c in 0..<60 {
                let expected = Double(weight[c]) * Double(slice[c]) / (mean + 1e-6).squareRoot()
                #expect(abs(Double(output[row, c]) - expected) < 1e-6)
            }
        }
    }
}
