internal import CSkeinKernels

// How a tensor travels: BF16 or F32, little endian, row after row, nothing between.
extension Tensor {
    /// Rounds every number to BF16, to nearest even, in place.
    public func roundToBFloat16() { skein_round_bf16(base, count) }

    /// The same on all threads.
    public func roundToBFloat16(on pool: ComputePool) {
        pool.forEachRow(rowCount) { skein_round_bf16(rowBase($0), columnCount) }
    }

    /// The numbers rounded to BF16, two bytes each.
    public func packedBFloat16() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count * 2) { bytes, used in
            if let out = bytes.baseAddress {
                out.withMemoryRebound(to: UInt16.self, capacity: count) {
                    skein_pack_bf16($0, base, count)
                }
            }
            used = count * 2
        }
    }

    /// The numbers as they are, four bytes each.
    public func packedFloat32() -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: base, count: count * 4))
    }

    /// Overwrites all numbers from BF16 bytes; there are two for each number.
    public func load(bfloat16 bytes: RawSpan) {
        precondition(bytes.byteCount == count * 2, "\(bytes.byteCount) bytes for \(count) BF16")
        bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            skein_unpack_bf16(base, from.assumingMemoryBound(to: UInt8.self), count)
        }
    }

    /// Overwrites all numbers from F32 bytes; there are four for each number.
    public func load(float32 bytes: RawSpan) {
        precondition(bytes.byteCount == count * 4, "\(bytes.byteCount) bytes for \(count) F32")
        bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            UnsafeMutableRawPointer(base).copyMemory(from: from, byteCount: source.count)
        }
    }

    /// Overwrites one row by a row of a weight, decoded: the embedding of a token.
    public func copyRow(_ row: Int, from weight: WeightMatrix, row source: Int) {
        precondition(weight.columnCount == columnCount, "\(weight.columnCount) for \(columnCount)")
        precondition(source >= 0 && source < weight.rowCount, "row \(source) of \(weight.rowCount)")
        weight.withKernelWeight { skein_decode_row($0, source, rowBase(row)) }
    }
}
