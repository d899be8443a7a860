import SkeinTensor

/// Numbers for tests: the same on every machine and in every run.
enum Fixture {
    /// A small generator: a seed gives one sequence.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        /// Between -1 and 1, with some spread of exponents.
        mutating func number() -> Float {
            let small = Float(Int64(bitPattern: next()) >> 40) / Float(1 << 23)
            return next() & 7 == 0 ? small * small * small : small
        }
    }

    static func numbers(_ count: Int, seed: UInt64) -> [Float] {
        var generator = Generator(seed: seed)
        return (0..<count).map { _ in generator.number() }
    }

    static func tensor(rows: Int, columns: Int, seed: UInt64) -> Tensor {
        let tensor = Tensor(rows: rows, columns: columns)
        let numbers = numbers(rows * columns, seed: seed)
        for row in 0..<rows {
            tensor.setRow(row, to: Array(numbers[row * columns..<(row + 1) * columns]))
        }
        return tensor
    }

    static func float32(rows: Int, columns: Int, seed: UInt64 = 1) -> WeightMatrix {
        let bytes = numbers(rows * columns, seed: seed).flatMap { bytesOf($0.bitPattern) }
        return WeightMatrix(float32: MappedBytes(owning: bytes), rows: rows, columns: columns)
    }

    static func bfloat16(rows: Int, columns: Int, seed: UInt64 = 1) -> WeightMatrix {
        let bytes = numbers(rows * columns, seed: seed).flatMap {
            bytesOf(UInt16($0.bitPattern >> 16))
        }
        return WeightMatrix(bfloat16: MappedBytes(owning: bytes), rows: rows, columns: columns)
    }

    static func float8(
        rows: Int, columns: Int, block: Int = 128, blockColumns: Int? = nil, seed: UInt64 = 1
    ) -> WeightMatrix {
        let blockColumns = blockColumns ?? block
        var generator = Generator(seed: seed)
        let codes = (0..<rows * columns).map { _ in
            let code = UInt8(truncatingIfNeeded: generator.next() >> 20)
            return code & 0x7F == 0x7F ? code & 0x80 : code
        }
        let scaleCount =
            ((rows + block - 1) / block) * ((columns + blockColumns - 1) / blockColumns)
        let scales = numbers(scaleCount, seed: seed + 100).map { abs($0) * 0.01 + 0.001 }
        return WeightMatrix(
            float8: MappedBytes(owning: codes), scales: scales, rows: rows, columns: columns,
            blockRows: block, blockColumns: blockColumns)
    }

    /// E4M3 codes of all kinds, a third of them subnormal, with one scale among others; every
    /// twentieth row has a NaN.
    static func anyFloat8(rows: Int, columns: Int, scale: Float) -> WeightMatrix {
        var generator = Generator(seed: 9)
        var codes = (0..<rows * columns).map { _ in
            let code = UInt8(truncatingIfNeeded: generator.next() >> 20)
            if generator.next() % 3 == 0 { return code & 0x87 }
            return code & 0x7F == 0x7F ? code & 0xF0 : code
        }
        for row in stride(from: 15, to: rows, by: 20) { codes[row * columns + columns / 3] = 0xFF }
        let blocks = (columns + 127) / 128
        let scales = (0..<(rows + 127) / 128 * blocks).map { $0 % 3 == 0 ? scale : 0.02 }
        return WeightMatrix(
            float8: MappedBytes(owning: codes), scales: scales, rows: rows, columns: columns,
            blockRows: 128, blockColumns: 128)
    }

    /// INT4 codes of all kinds, with the scales of groups of 32 columns.
    static func int4(rows: Int, columns: Int, seed: UInt64 = 1) -> WeightMatrix {
        var generator = Generator(seed: seed)
        let bytes = (0..<rows * columns / 2).map { _ in
            UInt8(truncatingIfNeeded: generator.next() >> 20)
        }
        let scales = numbers(rows * ((columns + 31) / 32), seed: seed + 100).map {
            Float(bitPattern: (abs($0) * 0.01 + 0.001).bitPattern & 0xFFFF_0000)
        }
        return WeightMatrix(
            int4: MappedBytes(owning: bytes), scales: scales, rows: rows, columns: columns)
    }

    /// A weight as products take it, packed by the scalar kernels where nothing else is said.
    static func packed(
        _ weight: WeightMatrix, as form: PackedForm = .asStored,
        on pool: ComputePool = ComputePool(threadCount: 1, instructionSet: .scalar)
    ) -> [PackedWeight] {
        do {
            let arena = try WeightArena(
                byteCount: form.byteCount(
                    rows: weight.rowCount, columns: weight.columnCount, format: weight.format))
            return arena.pack(weight, as: form, on: pool)
        } catch { preconditionFailure("\(error)") }
    }

    static func int8(
        of weight: WeightMatrix,
        on pool: ComputePool = ComputePool(threadCount: 1, instructionSet: .scalar)
    ) -> PackedWeight {
        packed(weight, as: .int8, on: pool)[0]
    }

    static func gated(
        gate: WeightMatrix, up: WeightMatrix, down: WeightMatrix, as form: PackedForm = .asStored
    ) -> GatedWeights {
        GatedWeights(
            gate: packed(gate, as: form)[0], up: packed(up, as: form)[0],
            down: packed(down, as: form)[0])
    }

    static func weights(rows: Int, columns: Int) -> [WeightMatrix] {
        [
            float32(rows: rows, columns: columns), bfloat16(rows: rows, columns: columns),
            float8(rows: rows, columns: columns),
            float8(rows: rows, columns: columns, block: 16, blockColumns: 48),
            float8(rows: rows, columns: columns, block: 40, blockColumns: 300),
            int4(rows: rows, columns: (columns + 7) / 8 * 8),
        ].filter { $0.columnCount == columns }
    }

    static func bytesOf(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// A sum in double precision, and how far a sum in F32 may be from it: chains of sixteen terms,
    /// then as many sums as there are groups of 32, every one with half a unit in the last place of
    /// the running sum.
    static func dot(_ left: [Float], _ right: [Float]) -> (sum: Double, bound: Double) {
        var sum = 0.0
        var size = 0.0
        for (x, y) in zip(left, right) {
            sum += Double(x) * Double(y)
            size += abs(Double(x) * Double(y))
        }
        return (sum, size * Double(left.count / 32 + 20) * 0x1p-23 + 1e-30)
    }
}

extension MatrixProduct {
    /// Packs a weight for one product.
    static func multiply(
        _ input: Tensor, by weight: WeightMatrix, in arithmetic: Arithmetic = .serving,
        into output: Tensor, on pool: ComputePool
    ) {
        multiply(
            input, by: Fixture.packed(weight, on: pool)[0], in: arithmetic, into: output, on: pool)
    }
}
