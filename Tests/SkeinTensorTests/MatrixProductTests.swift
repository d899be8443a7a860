import Testing

@testable import SkeinTensor

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct MatrixProductTests {
    static let pool = ComputePool(threadCount: 2)

    @Test(arguments: [1, 31, 32, 33, 127, 128, 129, 300])
    func aProductIsCloseToTheSumInDoublePrecision(columns: Int) {
        for weight in Fixture.weights(rows: 37, columns: columns) {
            let input = Fixture.tensor(rows: 5, columns: columns, seed: 3)
            let output = Tensor(rows: 0, columns: 37)
            MatrixProduct.multiply(input, by: weight, in: .float32, into: output, on: Self.pool)
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

    /// 127 steps of a group's largest number: a code is at most half a step off.
    @Test(arguments: [1, 16, 128, 129, 300]) func anINT8WeightIsHalfAStepOffAtMost(columns: Int) {
        let weight = Fixture.float32(rows: 37, columns: columns)
        let made = Fixture.int8(of: weight)
        #expect(made.byteCount <= 48 * ((columns + 31) & ~31) + 4 * 48 * ((columns + 127) / 128))
        for row in 0..<37 {
            let (numbers, found) = (weight.decodedRow(row), made.decodedRow(row))
            for begin in stride(from: 0, to: columns, by: 128) {
                let scaleGroup = begin..<min(begin + 128, columns)
                let step = (numbers[scaleGroup].map(abs).max() ?? 0) / 127
                for column in scaleGroup {
                    #expect(abs(found[column] - numbers[column]) <= 0.5001 * step)
                }
            }
        }
    }

    @Test(arguments: [1, 16, 128, 129, 700]) func anINT8ProductIsCloseToItsSum(columns: Int) {
        let weight = Fixture.int8(of: Fixture.float32(rows: 37, columns: columns))
        let input = Fixture.tensor(rows: 5, columns: columns, seed: 3)
        let output = Tensor(rows: 0, columns: 37)
        MatrixProduct.multiply(input, by: weight, into: output, on: Self.pool)
        for m in 0..<5 {
            let row = input.row(m)
            let step = (row.map(abs).max() ?? 0) / 127
            for n in 0..<37 {
                let decoded = weight.decodedRow(n)
                let naive = Fixture.dot(row, decoded)
                // Half a step of every input, times its weight.
                let lost = decoded.reduce(0) { $0 + Double(abs($1)) } * Double(step) * 0.5001
                #expect(abs(Double(output[m, n]) - naive.sum) <= naive.bound + lost)
            }
        }
    }

    @Test func aRowAloneHasTheBitsOfTheRowInACrowd() {
        let int8 = Fixture.int8(of: Fixture.bfloat16(rows: 99, columns: 336))
        for weight in Fixture.weights(rows: 99, columns: 336).map({ Fixture.packed($0)[0] }) + [
            int8
        ] {
            let input = Fixture.tensor(rows: 61, columns: 336, seed: 9)
            let crowd = Tensor(rows: 0, columns: 99)
            MatrixProduct.multiply(input, by: weight, into: crowd, on: Self.pool)
            let alone = Tensor(rows: 0, columns: 99)
            for row in 0..<61 {
                MatrixProduct.multiply(
                    Tensor([input.row(row)]), by: weight, into: alone, on: Self.pool)
                #expect(alone.row(0) == crowd.row(row))
            }
        }
    }

    @Test(arguments: [0..<1, 5..<99, 64..<65, 127..<131, 120..<200])
    func aViewOfRowsKeepsTheScalesOfTheWhole(range: Range<Int>) {
        for weight in [
            Fixture.float8(rows: 200, columns: 150), Fixture.bfloat16(rows: 200, columns: 150),
        ] {
            let input = Fixture.tensor(rows: 3, columns: 150, seed: 9)
            let whole = Tensor(rows: 0, columns: 200)
            MatrixProduct.multiply(input, by: weight, into: whole, on: Self.pool)
            let part = Tensor(rows: 0, columns: range.count)
            MatrixProduct.multiply(input, by: weight.rows(range), into: part, on: Self.pool)
            for row in 0..<3 { #expect(part.row(row) == Array(whole.row(row)[range])) }
            let inner = weight.rows(range).rows(0..<1)
            #expect(inner.decodedRow(0) == weight.decodedRow(range.lowerBound))
        }
    }

    /// Reading a byte beside the weight would end the process: the test passes by surviving.
    ///
    /// The last tensor of a checkpoint may end with the file, and the file with a page.
    @Test(arguments: Kernels.supported, GuardedBytes.Place.allCases)
    func nothingIsReadBesideTheWeight(isa: InstructionSet, place: GuardedBytes.Place) throws {
        let pool = ComputePool(threadCount: 1, instructionSet: isa)
        for (rows, columns) in [
            (1, 1), (3, 33), (5, 65), (6, 100), (7, 129), (2, 190), (9, 31), (1, 128), (5, 160),
        ] {
            for width in [1, 2, 4] {
                let byteCount = rows * columns * width
                let guarded = try GuardedBytes(byteCount: byteCount, place)
                let weight: WeightMatrix =
                    switch width {
                    case 1:
                        WeightMatrix(
                            float8: guarded.bytes,
                            scales: [Float](repeating: 1, count: (columns + 127) / 128),
                            rows: rows, columns: columns, blockRows: 128, blockColumns: 128)
                    case 2: WeightMatrix(bfloat16: guarded.bytes, rows: rows, columns: columns)
                    default: WeightMatrix(float32: guarded.bytes, rows: rows, columns: columns)
                    }
                for form in [PackedForm.asStored, .int8] {
                    let packed = Fixture.packed(weight, as: form, on: pool)[0]
                    for count in [1, 2, 5, 7, 13] {
                        let input = Fixture.tensor(rows: count, columns: columns, seed: 1)
                        let output = Tensor(rows: 0, columns: rows)
                        MatrixProduct.multiply(input, by: packed, into: output, on: pool)
                        #expect(output.values().allSatisfy { $0 == 0 })
                    }
                }
            }
        }
    }

    @Test func headProductsAreCloseToTheirSums() {
        for weight in Fixture.weights(rows: 4 * 20, columns: 70) {
            let heads = HeadRows(headCount: 4, rowsPerHead: 20, used: 3..<20)
            let rows = (0..<80).map { weight.decodedRow($0) }
            let queries = Fixture.tensor(rows: 3, columns: 4 * 17, seed: 1)
            let latents = Fixture.tensor(rows: 3, columns: 4 * 70, seed: 2)
            let absorbed = Tensor(rows: 0, columns: 4 * 72)
            MatrixProduct.multiplyPerHead(
                queries, inputHeadStride: 17,
                by: HeadWeights(Fixture.packed(weight, as: .headsTransposed(heads))),
                into: absorbed, outputHeadStride: 72, on: Self.pool)
            let values = Tensor(rows: 0, columns: 4 * 17)
            MatrixProduct.multiplyPerHead(
                latents, inputHeadStride: 70,
                by: HeadWeights(Fixture.packed(weight, as: .heads(heads))), into: values,
                outputHeadStride: 17, on: Self.pool)
            for m in 0..<3 {
                for h in 0..<4 {
                    let query = Array(queries.row(m)[h * 17..<(h + 1) * 17])
                    for c in 0..<70 {
                        let column = (3..<20).map { rows[h * 20 + $0][c] }
                        let naive = Fixture.dot(query, column)
                        #expect(abs(Double(absorbed[m, h * 72 + c]) - naive.sum) <= naive.bound)
                    }
                    let latent = Array(latents.row(m)[h * 70..<(h + 1) * 70])
                    for r in 0..<17 {
                        let naive = Fixture.dot(latent, rows[h * 20 + 3 + r])
                        #expect(abs(Double(values[m, h * 17 + r]) - naive.sum) <= naive.bound)
                    }
                }
            }
        }
    }

    @Test func openBLASAgreesWithinTheErrorOfTheSum() {
        let input = Fixture.tensor(rows: 7, columns: 200, seed: 1)
        let weight = Fixture.tensor(rows: 33, columns: 200, seed: 2)
        let output = Tensor(rows: 0, columns: 33)
        BLAS.multiply(input, by: weight, into: output)
        for m in 0..<7 {
            for n in 0..<33 {
                let naive = Fixture.dot(input.row(m), weight.row(n))
                #expect(abs(Double(output[m, n]) - naive.sum) <= naive.bound * 16)
            }
        }
    }
}

/// Zeros that begin or end where a page does, beside a page that may not be touched.
final class GuardedBytes {
    enum Place: CaseIterable, Sendable {
        case atTheBeginning, atTheEnd
    }

    let bytes: MappedBytes

    private final class Mapping {
        let base: UnsafeMutableRawPointer
        let byteCount: Int
        init(byteCount: Int) throws {
            let mapped = mmap(
                nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            base = try #require(mapped)
            self.byteCount = byteCount
        }
        deinit { munmap(base, byteCount) }
    }

    init(byteCount: Int, _ place: Place) throws {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let usable = (byteCount + page - 1) / page * page
        let mapping = try Mapping(byteCount: usable + 2 * page)
        try #require(mprotect(mapping.base, page, PROT_NONE) == 0)
        try #require(mprotect(mapping.base + page + usable, page, PROT_NONE) == 0)
        let begin = place == .atTheBeginning ? page : page + usable - byteCount
        bytes = MappedBytes(
            owner: mapping, base: UnsafeRawPointer(mapping.base + begin), count: byteCount)
    }
}
