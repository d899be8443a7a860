internal import CSkeinKernels

/// Cosines and sines of every position, `[position, pair]`.
///
/// Built from frequencies that the architecture gives; angles are taken in double precision and
/// rounded once, so that a position far away is as exact as a near one.
public struct RotaryTable: Sendable {
    /// Rotated pairs of one head.
    public let pairCount: Int

    private let frequencies: [Double]
    private let magnitude: Double

    /// Keeps the inverse frequencies of the pairs.
    ///
    /// - Parameter magnitude: multiplies every cosine and sine.
    public init(frequencies: [Double], magnitude: Double = 1) {
        pairCount = frequencies.count
        self.frequencies = frequencies
        self.magnitude = magnitude
    }

    /// The cosines and sines of some positions, worked out on all threads.
    public func angles(of positions: [Int], on pool: ComputePool) -> RotaryAngles {
        let cosines = Tensor(rows: positions.count, columns: pairCount)
        let sines = Tensor(rows: positions.count, columns: pairCount)
        pool.forEachRow(positions.count) { row in
            let angles = self.row(position: positions[row])
            cosines.setRow(row, to: angles.cosines)
            sines.setRow(row, to: angles.sines)
        }
        return RotaryAngles(positions: positions, cosines: cosines, sines: sines)
    }

    /// The cosines and sines of one position, `[pair]` each.
    public func row(position: Int) -> (cosines: [Float], sines: [Float]) {
        var cosines = [Float](repeating: 0, count: pairCount)
        var sines = cosines
        for pair in 0..<pairCount {
            let angle = Double(position) * frequencies[pair]
            cosines[pair] = Float(Trigonometry.cosine(angle) * magnitude)
            sines[pair] = Float(Trigonometry.sine(angle) * magnitude)
        }
        return (cosines, sines)
    }
}

/// Cosines and sines of the rows of a step, which all of its layers rotate by.
public struct RotaryAngles {
    /// One for each row.
    public let positions: [Int]

    /// `[row, pair]`.
    let cosines: Tensor
    let sines: Tensor

    /// Those of some consecutive rows.
    public func part(_ rows: Range<Int>) -> RotaryAngles {
        func part(_ tensor: Tensor) -> Tensor {
            let some = Tensor(rows: rows.count, columns: tensor.columnCount)
            for (place, row) in rows.enumerated() { some.copyRow(place, from: tensor, row: row) }
            return some
        }
        return RotaryAngles(
            positions: Array(positions[rows]), cosines: part(cosines), sines: part(sines))
    }
}

/// Rotation of pairs by position.
public enum Rotary {
    /// Which of the rotated numbers are a pair.
    public enum Layout: Sendable {
        /// `(2i, 2i + 1)`: multi-head latent attention.
        case interleaved
        /// `(i, i + pairs)`: the lightning indexer.
        case halfSplit
    }

    /// Rotates the pairs of columns `firstColumn ..< firstColumn + 2 * pairs` of every head, in
    /// place.
    ///
    /// - Parameters:
    ///   - tensor: `[m, at least headCount * headStride]`.
    ///   - angles: of the rows' positions.
    public static func rotate(
        _ tensor: Tensor, layout: Layout, firstColumn: Int, headCount: Int, headStride: Int,
        by angles: RotaryAngles, on pool: ComputePool
    ) {
        let pairCount = angles.cosines.columnCount
        precondition(
            angles.positions.count == tensor.rowCount, "\(angles.positions.count) positions")
        precondition(
            firstColumn >= 0 && firstColumn + 2 * pairCount <= headStride
                && headCount * headStride <= tensor.columnCount,
            "columns \(firstColumn) + \(2 * pairCount) of \(headCount) heads of "
                + "\(headStride) in \(tensor.columnCount)")
        pool.forEachRow(tensor.rowCount) { row in
            let base = tensor.rowBase(row) + firstColumn
            let (cosines, sines) = (angles.cosines.rowBase(row), angles.sines.rowBase(row))
            switch layout {
            case .interleaved:
                skein_rotate_interleaved(base, headCount, headStride, cosines, sines, pairCount)
            case .halfSplit:
                skein_rotate_half_split(base, headCount, headStride, cosines, sines, pairCount)
            }
        }
    }
}
