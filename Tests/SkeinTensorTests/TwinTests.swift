import SkeinCore
import SkeinTensor
import Testing

/// Every instruction set gives the bits of the scalar kernels; so do threads, splits and company.
///
/// The twins, by their files: product and product_i8, attend and score_index, and all others of
/// kernels.
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

    /// A NaN is a NaN, whatever its payload.
    static func forgetPayloads(_ tensor: Tensor) {
        for row in 0..<tensor.rowCount {
            tensor.setRow(row, to: tensor.row(row).map { $0.isNaN ? .nan : $0 })
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
                    MatrixProduct.multiply(
                        input, by: weight, in: .float32, into: $1, on: $0)
                }
            }
        }
    }

    @Test func manyRowsAndManyColumnsAreEqualBitForBit() {
        let int8 = Fixture.int8(of: Fixture.bfloat16(rows: 150, columns: 520))
        for weight in Fixture.weights(rows: 150, columns: 520).map({ Fixture.packed($0)[0] }) + [
            int8
        ] {
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

    /// What decides whether E4M3 codes are multiplied as tiny numbers: magnitudes of the input and
    /// of the scales, widths, and codes that are subnormal or no number.
    @Test(arguments: [32, 128, 160, 1504, 4256])
    func anyE4M3ProductIsEqualBitForBit(columns: Int) {
        let inputs: [(largest: Float, least: Float)] = [
            (1, 1), (127, 0x1p-126), (256, 0), (0x1p50, 0x1p-66), (0x1p50, 0x1p-67),
            (0x1p100, 1), (0x1p101, 1), (.greatestFiniteMagnitude, 1), (1, 0x1p-130),
            (.infinity, 1), (.nan, 1),
        ]
        let scales: [Float] = [1, 0, -0.01, 0x1p-126, 0x1p-127, 0x1p83, 0x1p84, 0x1p126, .nan]
        for (place, some) in inputs.enumerated() {
            let input = Fixture.tensor(rows: 13, columns: columns, seed: UInt64(place))
            for row in 0..<13 where row % 4 != 3 {
                input[row, 5] = some.largest
                input[row, 17] = -some.least
            }
            for scale in some.largest < 300 ? scales : [1, 0x1p-126, 0x1p30] {
                let weight = Fixture.anyFloat8(rows: 35, columns: columns, scale: scale)
                for count in [1, 2, 3, 4, 9, 13] {
                    Self.compare(columns: 35, "\(some) * \(scale), \(count) x \(columns)") {
                        let rows = Tensor((0..<count).map { input.row($0) })
                        MatrixProduct.multiply(rows, by: weight, into: $1, on: $0)
                        Self.forgetPayloads($1)
                    }
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
    /// 13 the tiled product.
    @Test(arguments: [1, 64], [1, 5, 13])
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
            for count in [1, 4, 9, 70] {
                if weight.format != .i4Group(columns: 32) {
                    let down = Fixture.tensor(rows: count, columns: 5 * 33 + 4, seed: 5)
                    let keys = HeadWeights(Fixture.packed(weight, as: .headsTransposed(heads)))
                    Self.compare(columns: 5 * (columns + 3), "\(weight.format) \(count)") {
                        $1.resize(rows: count)
                        $1.fill(0)
                        MatrixProduct.multiplyPerHead(
                            down, inputHeadStride: 33, by: keys, into: $1,
                            outputHeadStride: columns + 3, on: $0)
                    }
                }
                let up = Fixture.tensor(rows: count, columns: 5 * (columns + 1), seed: 6)
                let values = HeadWeights(Fixture.packed(weight, as: .heads(heads)))
                Self.compare(columns: 5 * 33, "\(weight.format) \(count)") {
                    MatrixProduct.multiplyPerHead(
                        up, inputHeadStride: columns + 1, by: values, into: $1,
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
        let made = [72, 300].map { GatedUnitTests.units(inner: $0, columns: 152, as: .int8) }
        for weights in GatedUnitTests.units(inner: 72, columns: 152) + [made[0][0], made[1][1]] {
            for count in [1, 3, 20] {
                let input = Fixture.tensor(rows: count, columns: 152, seed: 3)
                Self.compare(columns: 152, "\(weights.gate.format) \(count)") {
                    GatedUnit.apply(weights, to: input, into: $1, on: $0)
                }
            }
        }
    }

    @Test(
        arguments: [
            (24, 16, 3), (40, 33, 8), (150, 129, 2), (224, 192, 9), (576, 512, 11), (18, 18, 1),
        ], [false, true])
    func attentionIsEqualBitForBit(
        sizes: (width: Int, latent: Int, heads: Int), isCoded: Bool
    ) throws {
        let (width, latent, heads) = sizes
        let (store, spans) = try PagedAttentionTests.store(
            width: width, coded: isCoded ? latent : 0, pageRows: 16,
            spans: [(0, 1), (13, 9), (40, 2), (300, 1)])
        let queries = Fixture.tensor(rows: 13, columns: heads * width, seed: 2)
        Self.compare(columns: heads * latent, "\(width) \(latent) \(heads)") {
            PagedAttention.attend(
                queries, to: store, layer: 1, spans: spans, headCount: heads,
                latentWidth: latent, scale: 0.3, into: $1, on: $0)
        }
        // One long row is divided among threads.
        let last = AttentionSpan(rows: 0..<1, firstPosition: 300, pageTable: spans[3].pageTable)
        Self.compare(columns: heads * latent, "alone, \(width) \(latent) \(heads)") {
            PagedAttention.attend(
                Tensor([queries.row(12)]), to: store, layer: 1, spans: [last], headCount: heads,
                latentWidth: latent, scale: 0.3, into: $1, on: $0)
        }
    }

    @Test(
        arguments: [(24, 3), (33, 1), (128, 64), (16, 9), (150, 5)], [16, 64])
    func indexScoresAreEqualBitForBit(sizes: (width: Int, heads: Int), pageRows: Int) throws {
        let (width, heads) = sizes
        for coded in [0, width] {
            let (keys, spans) = try PagedAttentionTests.store(
                width: width, coded: coded, pageRows: pageRows, spans: [(7 * pageRows + 3, 1)])
            let queries = Fixture.tensor(rows: 1, columns: heads * width, seed: 2)
            let weights = Fixture.tensor(rows: 1, columns: heads, seed: 3)
            Self.compare(columns: 7 * pageRows + 4, "\(width) \(heads) \(coded)") {
                $1.resize(rows: 1)
                $1.setRow(
                    0,
                    to: PositionSelection.scores(
                        queries, weights: weights, keys: keys, layer: 1, span: spans[0], on: $0))
            }
        }
    }

    /// Rows of several sequences, some that attend to all of their positions and some that do not.
    @Test func selectedAttentionIsEqualBitForBit() throws {
        let spans: [(first: Int, count: Int)] = [(0, 30), (60, 5), (100, 1)]
        let (store, rows) = try PagedAttentionTests.store(width: 40, pageRows: 16, spans: spans)
        let (keys, _) = try PagedAttentionTests.store(width: 32, pageRows: 16, spans: spans)
        let index = Fixture.tensor(rows: 36, columns: 4 * 32, seed: 1)
        let weights = Fixture.tensor(rows: 36, columns: 4, seed: 2)
        let queries = Fixture.tensor(rows: 36, columns: 9 * 40, seed: 3)
        Self.compare(columns: 9 * 33, "selected") {
            let selection = PositionSelection(
                index, weights: weights, keys: keys, layer: 1, spans: rows, keptCount: 20, on: $0)
            #expect(selection != nil)
            PagedAttention.attend(
                queries, to: store, layer: 1, spans: rows, selection: selection, headCount: 9,
                latentWidth: 33, scale: 0.3, into: $1, on: $0)
        }
    }

    /// A row that holds every finite code, seen alone by queries of zero: its weight is 1.
    @Test(arguments: [252, 254, 512]) func everyCodeOfALatentRowIsReadAlike(latent: Int) throws {
        let finite = (UInt8.min...UInt8.max).filter { $0 & 0x7F != 0x7F }
        let numbers = (0..<latent).map { place in
            // Every tile has a 448, so that its scale is 1.
            place % 128 == 0 ? Float8.largest : Float8.decode(finite[place % finite.count])
        }
        let store = try LatentStore(
            layerCount: 1, pageCount: 1, pageRowCount: 1, rowWidth: latent + 3,
            codedWidth: latent)
        let row = Tensor([numbers + [7, 8, 9]])
        store.write(layer: 0, page: PageIndex(0), row: 0, from: row, row: 0)
        let span = AttentionSpan(rows: 0..<1, firstPosition: 0, pageTable: [PageIndex(0)])
        let query = Tensor(rows: 1, columns: latent + 3)
        query.fill(0)
        for pool in Self.pools + [Self.reference] {
            let output = Tensor(rows: 0, columns: latent)
            PagedAttention.attend(
                query, to: store, layer: 0, spans: [span], headCount: 1, latentWidth: latent,
                scale: 1, into: output, on: pool)
            #expect(output.row(0) == numbers, "\(pool.instructionSet)")
        }
    }

    @Test(arguments: Kernels.supported)
    func aNaNInALatentRowStaysNaN(instructionSet: InstructionSet) throws {
        let row = Fixture.tensor(rows: 1, columns: 140, seed: 1)
        row[0, 70] = .nan
        let store = try LatentStore(
            layerCount: 1, pageCount: 1, pageRowCount: 1, rowWidth: 140, codedWidth: 130)
        store.write(layer: 0, page: PageIndex(0), row: 0, from: row, row: 0)
        let output = Tensor(rows: 0, columns: 130)
        PagedAttention.attend(
            Fixture.tensor(rows: 1, columns: 140, seed: 2), to: store, layer: 0,
            spans: [AttentionSpan(rows: 0..<1, firstPosition: 0, pageTable: [PageIndex(0)])],
            headCount: 1, latentWidth: 130, scale: 1, into: output,
            on: ComputePool(threadCount: 1, instructionSet: instructionSet))
        let allAreNaN = output.row(0).allSatisfy { $0.isNaN }
        #expect(allAreNaN)
    }

    /// Tiles of every length, of zeros, of numbers far apart, and of what is no number.
    @Test(arguments: lengths + [256, 512]) func latentRowsAreQuantizedAlike(width: Int) throws {
        let store = try LatentStore(
            layerCount: 1, pageCount: 1, pageRowCount: 1, rowWidth: width, codedWidth: width)
        let largest =
            [0, 0x1p-140, 0x1p-40, 1e-4, 1, 448, 449, 0x1p100, .infinity, .nan] as [Float]
        for (index, number) in largest.enumerated() {
            let row = Fixture.tensor(rows: 1, columns: width, seed: UInt64(index))
            for column in 0..<width where number < 1e30 { row[0, column] *= number }
            row[0, width / 2] = number
            func bits(_ instructionSet: InstructionSet) -> [UInt32] {
                store.write(
                    layer: 0, page: PageIndex(0), row: 0, from: row, row: 0,
                    instructionSet: instructionSet)
                return store.row(layer: 0, page: PageIndex(0), row: 0).map {
                    // A NaN is a NaN, whatever its payload.
                    $0.isNaN ? .max : $0.bitPattern
                }
            }
            let expected = bits(.scalar)
            for instructionSet in Kernels.supported {
                #expect(bits(instructionSet) == expected, "\(instructionSet), \(number)")
            }
        }
    }
}
