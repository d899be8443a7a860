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
    ///   - positions: one for each row.
    public static func rotate(
        _ tensor: Tensor, layout: Layout, firstColumn: Int, headCount: Int, headStride: Int,
        table: RotaryTable, positions: [Int]
    ) {
        precondition(positions.count == tensor.rowCount, "\(positions.count) positions")
        precondition(
            firstColumn >= 0 && firstColumn + 2 * table.pairCount <= headStride
                && headCount * headStride <= tensor.columnCount,
            "columns \(firstColumn) + \(2 * table.pairCount) of \(headCount) heads of "
                + "\(headStride) in \(tensor.columnCount)")
        var known: (position: Int, row: (cosines: [Float], sines: [Float]))?
        for (row, position) in positions.enumerated() {
            let angles =
                known.flatMap { $0.position == position ? $0.row : nil }
                ?? table.row(position: position)
            known = (position, angles)
            let base = tensor.rowBase(row) + firstColumn
            switch layout {
            case .interleaved:
                skein_rotate_interleaved(
                    base, headCount, headStride, angles.cosines, angles.sines, table.pairCount)
            case .halfSplit:
                skein_rotate_half_split(
                    base, headCount, headStride, angles.cosines, angles.sines, table.pairCount)
            }
        }
    }
}
