import SkeinTensor
import Testing

@Suite struct RotaryTests {
    private static let pool = ComputePool(threadCount: 2)

    struct Vectors: Decodable {
        struct Rotation: Decodable {
            let position: Int
            let frequencies: [Double]
            let x: [Float]
            let interleaved: [Double]
        }
        let rotation: Rotation
    }

    @Test func interleavedPairsTurnByPositionTimesFrequency() throws {
        let rotation = try Fixture.vectors("yarn.json", as: Vectors.self).rotation
        // Two heads of 2 + 8 columns: the first two of each are not rotated.
        let row = [9, 8] + rotation.x + [7, 6] + rotation.x
        let tensor = Tensor([row, row])
        Rotary.rotate(
            tensor, layout: .interleaved, firstColumn: 2, headCount: 2, headStride: 10,
            by: RotaryTable(frequencies: rotation.frequencies)
                .angles(of: [rotation.position, 0], on: Self.pool), on: Self.pool)
        for head in 0..<2 {
            for (index, expected) in rotation.interleaved.enumerated() {
                // Three roundings of numbers below 2.
                let found = tensor[0, head * 10 + 2 + index]
                #expect(abs(Double(found) - expected) < 4e-7)
            }
        }
        #expect(tensor[0, 0] == 9 && tensor[0, 1] == 8 && tensor[0, 10] == 7)
        #expect(tensor.row(1) == row, "position 0 turns nothing")
    }

    @Test func pairsHalfAHeadApartTurnAsTheSamePairsSideBySide() throws {
        let rotation = try Fixture.vectors("yarn.json", as: Vectors.self).rotation
        let pairCount = rotation.frequencies.count
        func apart(_ row: [Float]) -> [Float] {
            (0..<2 * pairCount).map { row[2 * ($0 % pairCount) + $0 / pairCount] }
        }
        let angles = RotaryTable(frequencies: rotation.frequencies)
            .angles(of: [rotation.position], on: Self.pool)
        // The rotated numbers come first, others follow.
        let split = Tensor([apart(rotation.x) + [7, 6] + apart(rotation.x) + [5, 4]])
        Rotary.rotate(
            split, layout: .halfSplit, firstColumn: 0, headCount: 2,
            headStride: 2 * pairCount + 2, by: angles, on: Self.pool)
        let pairs = Tensor([rotation.x])
        Rotary.rotate(
            pairs, layout: .interleaved, firstColumn: 0, headCount: 1, headStride: 2 * pairCount,
            by: angles, on: Self.pool)
        let turned = apart(pairs.row(0))
        #expect(split.row(0) == turned + [7, 6] + turned + [5, 4])
    }

    @Test func theMagnitudeMultipliesBothParts() {
        let (cosines, sines) = RotaryTable(frequencies: [0.5], magnitude: 2).row(position: 1)
        #expect(abs(cosines[0] - 1.755_165) < 1e-6)
        #expect(abs(sines[0] - 0.958_851) < 1e-6)
    }
}
