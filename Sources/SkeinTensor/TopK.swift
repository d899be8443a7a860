internal import CSkeinKernels

/// The largest numbers; the lower place comes first among equals.
public enum TopK {
    /// The places of the `kept` largest numbers, largest first; a NaN comes after every number.
    public static func places(in values: [Float], kept: Int) -> [Int] {
        precondition(kept >= 0 && kept <= values.count, "\(kept) of \(values.count)")
        return values.withUnsafeBufferPointer { places($0, kept: kept) }
    }

    /// The places of the `kept` largest numbers of a row, largest first.
    public static func places(in tensor: Tensor, row: Int, kept: Int) -> [Int] {
        precondition(kept >= 0 && kept <= tensor.columnCount, "\(kept) of \(tensor.columnCount)")
        return places(
            UnsafeBufferPointer(start: tensor.rowBase(row), count: tensor.columnCount), kept: kept)
    }

    private static func places(_ values: UnsafeBufferPointer<Float>, kept: Int) -> [Int] {
        let places = [Int32](unsafeUninitializedCapacity: kept) { out, used in
            skein_top(values.baseAddress, values.count, kept, out.baseAddress)
            used = kept
        }
        return places.map(Int.init)
    }
}
