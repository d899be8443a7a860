import SkeinCore
import SkeinTensor

/// A format that a product kernel multiplies with.
enum KernelFormat: String, CaseIterable, Sendable {
    case f32
    case bf16
    case f8
    case int8

    /// Bytes of one number, scales left out.
    var byteCount: Int {
        switch self {
        case .f32: 4
        case .bf16: 2
        case .f8, .int8: 1
        }
    }
}

/// Weights of random numbers for measurements: several of one shape, so that each use reads memory
/// and not a cache.
struct KernelWeights {
    /// More than any cache that a few cores share.
    private static let totalBytes = 192 << 20
    private static let copiesMax = 256

    /// Random bytes that every weight is cut from.
    private let bytes: MappedBytes
    private let pool: ComputePool

    init(on pool: ComputePool) {
        var numbers = SeededNumbers(seed: 1)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.totalBytes)
        while bytes.count < Self.totalBytes {
            let word = numbers.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                // E4M3 from 2^-2 to 30, as BF16 from 1e-2 to 1e3: none overflows or flushes.
                bytes.append(UInt8(truncatingIfNeeded: word >> shift) & 0xBF | 0x28)
            }
        }
        self.bytes = MappedBytes(owning: bytes)
        self.pool = pool
    }

    /// How many weights of a shape make up the total.
    static func copyCount(rows: Int, columns: Int, byteCount: Int) -> Int {
        min(copiesMax, max(1, totalBytes / (rows * columns * byteCount)))
    }

    /// Weights of a shape, packed, each in a place of its own.
    ///
    /// - Returns: one for each copy, in one part or in one for each head.
    func matrices(
        rows: Int, columns: Int, format: KernelFormat, as form: PackedForm? = nil
    ) throws(Refusal) -> [[PackedWeight]] {
        let copies = Self.copyCount(rows: rows, columns: columns, byteCount: format.byteCount)
        let form = form ?? (format == .int8 ? .int8 : .asStored)
        let storedFormat = format == .int8 ? KernelFormat.f8 : format
        let first = stored(rows, columns, storedFormat, copy: 0)
        let arena = try WeightArena(
            byteCount: copies * form.byteCount(rows: rows, columns: columns, format: first.format))
        return (0..<copies).map {
            arena.pack(stored(rows, columns, storedFormat, copy: $0), as: form, on: pool)
        }
    }

    private func stored(
        _ rows: Int, _ columns: Int, _ format: KernelFormat, copy: Int
    ) -> WeightMatrix {
        let size = rows * columns * format.byteCount
        let part: MappedBytes
        if size <= bytes.count {
            let first = (copy * size) % (bytes.count - size + 1) / 64 * 64
            part = bytes.subrange(first..<first + size)
        } else {
            part = MappedBytes(owning: (0..<size).map { _ in 0x30 })
        }
        switch format {
        case .f32: return WeightMatrix(float32: part, rows: rows, columns: columns)
        case .bf16: return WeightMatrix(bfloat16: part, rows: rows, columns: columns)
        default:
            let scales = [Float](
                repeating: 0.001, count: ((rows + 127) / 128) * ((columns + 127) / 128))
            return WeightMatrix(
                float8: part, scales: scales, rows: rows, columns: columns, blockRows: 128,
                blockColumns: 128)
        }
    }
}
