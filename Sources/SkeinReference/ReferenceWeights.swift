internal import SkeinCore
internal import SkeinTensor
internal import SkeinWeights

/// The weights of a checkpoint, widened one at a time.
struct ReferenceWeights: Sendable {
    let checkpoint: Checkpoint
    /// Whether matrices are rounded to BF16.
    let rounds: Bool

    /// A matrix in float32, its codes times their scales.
    func matrix(_ name: String, rows: Int, columns: Int) throws(Refusal) -> Tensor {
        let stored = try checkpoint.matrix(name, rows: rows, columns: columns)
        let wide = Tensor(rows: rows, columns: columns)
        for row in 0..<rows {
            let numbers = stored.decodedRow(row)
            wide.setRow(row, to: rounds ? numbers.map(Self.rounded) : numbers)
        }
        stored.forgetPages()
        return wide
    }

    /// To the nearest BF16, to the even one of two.
    private static func rounded(_ number: Float) -> Float {
        guard number.isFinite else { return number }
        let bits = number.bitPattern
        return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }

    func vector(_ name: String, count: Int) throws(Refusal) -> [Float] {
        try checkpoint.vector(name, count: count)
    }
}

extension Tensor {
    /// Every row times a matrix `[output, input]`.
    func times(_ matrix: Tensor) -> Tensor {
        let product = Tensor(rows: rowCount, columns: matrix.rowCount)
        BLAS.multiply(self, by: matrix, into: product)
        return product
    }

    /// Some rows, copied.
    func rows(_ range: some Collection<Int>) -> Tensor {
        let part = Tensor(rows: range.count, columns: columnCount)
        for (place, row) in range.enumerated() { part.copyRow(place, from: self, row: row) }
        return part
    }

    /// Some columns, copied.
    func columns(_ range: Range<Int>) -> Tensor {
        let part = Tensor(rows: rowCount, columns: range.count)
        for row in 0..<rowCount { part.copyRow(row, from: self, row: row, columns: range) }
        return part
    }

    /// Rows as columns.
    func turned() -> Tensor {
        let turned = Tensor(rows: columnCount, columns: rowCount)
        for row in 0..<rowCount {
            for (column, number) in self.row(row).enumerated() { turned[column, row] = number }
        }
        return turned
    }

    func add(_ other: Tensor) {
        for row in 0..<rowCount {
            setRow(row, to: zip(self.row(row), other.row(row)).map { $0 + $1 })
        }
    }

    /// Every row divided by the root of its mean square, times a weight.
    func normalized(_ weight: [Float], epsilon: Float) -> Tensor {
        let normed = Tensor(rows: rowCount, columns: columnCount)
        for row in 0..<rowCount {
            let numbers = self.row(row)
            let squares = numbers.reduce(0.0) { $0 + Double($1) * Double($1) }
            let factor = Float(1 / (squares / Double(columnCount) + Double(epsilon)).squareRoot())
            normed.setRow(row, to: zip(numbers, weight).map { $0 * factor * $1 })
        }
        return normed
    }
}
