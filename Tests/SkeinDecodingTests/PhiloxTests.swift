import SkeinDecoding
import Testing

@Suite struct PhiloxTests {
    struct Vector: Sendable {
        var counter: SIMD4<UInt32>
        var key: [UInt32]
        var expected: SIMD4<UInt32>
    }

    /// The known answers that the authors publish with their code (Random123, `kat_vectors`).
    static let vectors = [
        Vector(
            counter: SIMD4(repeating: 0), key: [0, 0],
            expected: SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
        Vector(
            counter: SIMD4(repeating: .max), key: [.max, .max],
            expected: SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
        Vector(
            counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
            key: [0xa409_3822, 0x299f_31d0],
            expected: SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)),
    ]

    @Test(arguments: vectors)
    func aBlockEqualsTheAuthorsAnswer(_ vector: Vector) {
        let block = Philox.block(counter: vector.counter, key: (vector.key[0], vector.key[1]))
        #expect(block == vector.expected)
    }

    @Test func aUniformNumberDependsOnSeedPositionAndStreamAlone() {
        let number = Philox.uniform(seed: 0, position: 0)
        // The first 53 bits of the first known answer.
        #expect(number == Double(0x6627_e8d5_e169_c58d as UInt64 >> 11) * 0x1p-53)
        #expect(number == Philox.uniform(seed: 0, position: 0))
        #expect(number != Philox.uniform(seed: 1, position: 0))
        #expect(number != Philox.uniform(seed: 1 << 40, position: 0))
        #expect(number != Philox.uniform(seed: 0, position: 1))
        #expect(number != Philox.uniform(seed: 0, position: 0, stream: 1))
    }

    @Test func uniformNumbersFillTheirRangeEvenly() {
        var counts = [Int](repeating: 0, count: 10)
        for position in 0..<10_000 {
            let number = Philox.uniform(seed: 42, position: position)
            #expect((0..<1).contains(number))
            counts[Int(number * 10)] += 1
        }
        // Five deviations of a binomial with p = 0.1.
        #expect(counts.allSatisfy { abs($0 - 1_000) < 150 })
    }
}
