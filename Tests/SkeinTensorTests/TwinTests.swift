import SkeinTensor
import Testing

/// Every instruction set gives the bits of the scalar kernels; so do threads, splits and company.
///
/// The twins, by their files: product_bf16, product_f8e4m3_block, product_i8_group,
/// attend_latent_bf16 and rows_f32. peak_f32 measures the processor and gives no result to compare.
@Suite struct TwinTests {
    static let lengths = [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 160, 576, 700]
    static let reference = ComputePool(threadCount: 1, instructionSet: .scalar)
    static let pools = Kernels.supported.flatMap {
        [
            ComputePool(threadCount: 1, instructionSet: $0),
            ComputePool(threadCount: 2, instructionSet: $0),
        ]
    }

    /// Runs `body` on the scalar kernels and on all others and compares every bit.
    static func compare(
        columns: Int, _ about: String, _ body: (ComputePool, Tensor) -> Void
    ) {
        let expected = Tensor(rows: 0, columns: columns)
        body(reference, expected)
        for pool in pools {
            let output = Tensor(rows: 0, columns: columns)
            body(pool, output)
            let same = output.packedFloat32() == expected.packedFloat32()
            #expect(same, "\(pool.instructionSet) on \(pool.threadCount): \(about)")
        }
    }

    @Test(arguments: lengths) func productsAreEqualBitForBit(columns: Int) {
        for weight in Fixture.weights(rows: 71, columns: columns) {
            for count in [1, 2, 3, 4, 5, 6, 7, 13] {
                let input = Fixture.tensor(rows: count, columns: columns, seed: UInt64(count))
                Self.compare(columns: 71, "\(weight.format) \(count) x \(columns)") {
                    MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
                }
                Self.compare(columns: 71, "f32 \(weight.format) \(count) x \(columns)") {
                    MatrixProduct.multiplyInFloat32(input, by: weight, into: $1, on: $0)
                }
            }
        }
    }

    @Test func manyRowsAndManyColumnsAreEqualBitForBit() {
        let int8 = Fixture.int8(of: Fixture.bfloat16(rows: 150, columns: 520))
        for weight in Fixture.weights(rows: 150, columns: 520) + [int8] {
            let input = Fixture.tensor(rows: 101, columns: 520, seed: 8)
            Self.compare(columns: 150, "\(weight.format)") {
                MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
            }
        }
    }

    @Test(arguments: lengths) func productsOfINT8AreEqualBitForBit(columns: Int) {
        for rows in [1, 16, 71, 150] {
            let weight = Fixture.int8(of: Fixture.bfloat16(rows: rows, columns: columns))
            for count in [1, 2, 3, 4, 5, 6, 7, 13] {
                let input = Fixture.tensor(rows: count, columns: columns, seed: UInt64(count))
                Self.compare(columns: rows, "\(count) x \(rows) x \(columns)") {
                    MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
                }
            }
        }
    }

    /// Groups of zeros, of numbers too small for a scale, of an infinity and of NaN among others.
    @Test func anyInputIsQuantizedAlike() {
        let weight = Fixture.int8(of: Fixture.bfloat16(rows: 33, columns: 300))
        for number in [0, 0x1p-101, 0x1p-99, -0x1p127, .infinity, -.infinity, .nan] as [Float] {
            let input = Fixture.tensor(rows: 6, columns: 300, seed: 2)
            for row in 0..<6 {
                for column in 128..<(row % 2 == 0 ? 256 : 129) { input[row, column] = number }
            }
            Self.compare(columns: 33, "\(number)") {
                MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
            }
        }
    }

    @Test func aWeightTakesTheSameINT8FormEverywhere() {
        for weight in Fixture.weights(rows: 75, columns: 331) {
            let expected = Fixture.int8(of: weight)
            for pool in Self.pools {
                let made = Fixture.int8(of: weight, on: pool)
                for row in 0..<75 {
                    #expect(
                        made.decodedRow(row) == expected.decodedRow(row),
                        "\(pool.instructionSet), \(weight.format), row \(row)")
                }
            }
        }
    }

    @Test func numbersFarApartSubnormalsAndInfinitiesAreEqualBitForBit() {
        // BF16 weights of every exponent, so that products flush, overflow and cancel.
        var generator = Fixture.Generator(seed: 77)
        for _ in 0..<20 {
            let columns = 200
            let bytes = (0..<40 * columns).flatMap { _ in
                let bits = UInt16(truncatingIfNeeded: generator.next() >> 13)
                return Fixture.bytesOf(bits & 0x7F80 == 0x7F80 ? bits & 0xBFFF : bits)
            }
            let weight = WeightMatrix(
                bfloat16: MappedBytes(owning: bytes), rows: 40, columns: columns)
            let input = Tensor(rows: 3, columns: columns)
            for row in 0..<3 {
                for column in 0..<columns {
                    let exponent = 1 + UInt32(generator.next() % 130)
                    let bits = UInt32(truncatingIfNeeded: generator.next()) & 0x807F_FFFF
                    input[row, column] = Float(bitPattern: bits | exponent << 23)
                }
            }
            Self.compare(columns: 40, "wild numbers") {
                MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
            }
        }
    }

    @Test func productsAtTheEdgeOfTheSubnormalsAreEqualBitForBit() {
        var generator = Fixture.Generator(seed: 78)
        /// Numbers between 2^low and 2^(low + 12), BF16 bits.
        func number(_ low: Int) -> UInt16 {
            let exponent = UInt16(127 + low + Int(generator.next() % 12))
            return UInt16(truncatingIfNeeded: generator.next()) & 0x807F | exponent << 7
        }
        for _ in 0..<20 {
            let bytes = (0..<30 * 64).flatMap { _ in Fixture.bytesOf(number(-70)) }
            let weight = WeightMatrix(bfloat16: MappedBytes(owning: bytes), rows: 30, columns: 64)
            let input = Tensor(
                (0..<2).map { _ in
                    (0..<64).map { _ in Float(bitPattern: UInt32(number(-66)) << 16) }
                })
            Self.compare(columns: 30, "near 2^-126") {
                MatrixProduct.multiply(input, by: weight, into: $1, on: $0)
            }
        }
    }

    /// Widths of 1 and 64 take the scalar and the permuting decoder, 1 and 5 rows the direct and
    /// the tiled product.
    @Test(arguments: [1, 64], [1, 5])
    func everyCodeIsMultipliedAlikeAndNaNStaysNaN(columns: Int, count: Int) {
        let codes = (0..<256).flatMap { [UInt8($0)] + [UInt8](repeating: 0, count: columns - 1) }
        let weight = WeightMatrix(
            float8: MappedBytes(owning: codes), scales: [1, 1], rows: 256, columns: columns,
            blockRows: 128, blockColumns: 128)
        let input = Tensor(rows: count, columns: columns)
        input.fill(-2)
        for pool in Self.pools + [Self.reference] {
            for arithmetic in [MatrixProduct.Arithmetic.serving, .float32] {
                let output = Tensor(rows: 0, columns: 256)
                MatrixProduct.multiply(
                    input, by: weight, in: arithmetic, into: output, on: pool)
                for code in 0..<256 {
                    let expected = -2 * Float8.decode(UInt8(code))
                    let found = output[count - 1, code]
                    #expect(expected.isNaN ? found.isNaN : found == expected, "code \(code)")
                }
            }
        }
    }

    @Test(arguments: [1, 3, 40, 64, 128, 130, 200, 256]) func headProductsAreEqualBitForBit(
        columns: Int
    ) {
        for weight in Fixture.weights(rows: 5 * 44, columns: columns) {
            let heads = HeadRows(headCount: 5, rowsPerHead: 44, used: 7..<40)
            for count in [1, 4, 9] {
                let down = Fixture.tensor(rows: count, columns: 5 * 33 + 4, seed: 5)
                Self.compare(columns: 5 * (columns + 3), "\(weight.format) \(count)") {
                    $1.resize(rows: count)
                    $1.fill(0)
                    MatrixProduct.multiplyTransposedPerHead(
                        down, inputHeadStride: 33, by: weight, heads: heads, into: $1,
                        outputHeadStride: columns + 3, on: $0)
                }
                let up = Fixture.tensor(rows: count, columns: 5 * (columns + 1), seed: 6)
                Self.compare(columns: 5 * 33, "\(weight.format) \(count)") {
                    MatrixProduct.multiplyPerHead(
                        up, inputHeadStride: columns + 1, by: weight, heads: heads, into: $1,
                        outputHeadStride: 33, on: $0)
                }
            }
        }
    }

    @Test(arguments: [1, 15, 16, 17, 100, 1000]) func rowArithmeticIsEqualBitForBit(count: Int) {
        let input = Fixture.tensor(rows: 3, columns: count, seed: 4)
        let weight = Fixture.numbers(count, seed: 5)
        for (index, factor) in [Float(1), 30, 200].enumerated() {
            for column in 0..<count { input[index, column] *= factor }
        }
        Self.compare(columns: count, "norm") {
            RootMeanSquare.normalize(input, weight: weight, epsilon: 1e-6, into: $1, on: $0)
        }
        for name in ["softmax", "sigmoid", "exp", "silu"] {
            Self.compare(columns: count, name) { pool, output in
                output.copy(from: input)
                let isa = pool.instructionSet
                switch name {
                case "softmax": Softmax.apply(output, instructionSet: isa)
                case "sigmoid": Elementwise.sigmoid(output, instructionSet: isa)
                case "exp": Elementwise.exp(output, instructionSet: isa)
                default: Elementwise.siluProduct(gate: output, up: input, instructionSet: isa)
                }
            }
        }
        let sums = Kernels.supported.map { Softmax.logSumExp(input, row: 2, instructionSet: $0) }
        #expect(Set(sums.map(\.bitPattern)).count == 1)
    }

    @Test func gatedUnitsAreEqualBitForBit() {
        let units = GatedUnitTests.units(inner: 72, columns: 150)
        let wide = GatedUnitTests.units(inner: 300, columns: 150)
        for weights in units + [
            GatedUnitTests.int8(of: units[0]), GatedUnitTests.int8(of: wide[1]),
        ] {
            for count in [1, 3, 20] {
                let input = Fixture.tensor(rows: count, columns: 150, seed: 3)
                Self.compare(columns: 150, "\(weights.gate.format) \(count)") {
                    GatedUnit.apply(weights, to: input, into: $1, on: $0)
                }
            }
        }
    }

    @Test(arguments: [(24, 16, 3), (40, 33, 8), (576, 512, 11), (18, 18, 1)])
    func attentionIsEqualBitForBit(width: Int, latent: Int, heads: Int) throws {
        let (store, spans) = try PagedAttentionTests.store(
            width: width, pageRows: 16, spans: [(0, 1), (13, 9), (40, 2)])
        let queries = Fixture.tensor(rows: 12, columns: heads * width, seed: 2)
        Self.compare(columns: heads * latent, "\(width) \(latent) \(heads)") {
            PagedAttention.attend(
                queries, to: store, layer: 1, spans: spans, headCount: heads,
                latentWidth: latent, scale: 0.3, into: $1, on: $0)
        }
    }
}
