internal import CSkeinKernels
public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One stretch of memory for weights that are made while loading.
///
/// One stretch, not many: the system can back it with huge pages, so that a step which reads all
/// of it seldom waits for an address. Its parts are given away once and live as long as any of
/// them is in use. An arena belongs to the loader.
public final class WeightArena {
    private let region: MappedRegion
    private var takenBytes = 0

    /// Asks the system for room; pages come when they are written.
    public init(byteCount: Int) throws(Refusal) {
        region = try MappedRegion(byteCount: byteCount)
    }

    /// Packs a weight, on all threads.
    ///
    /// - Precondition: the arena has ``PackedForm/byteCount(rows:columns:format:)`` left.
    /// - Returns: one part, or one for each head.
    public func pack(
        _ weight: WeightMatrix, as form: PackedForm = .asStored, on pool: ComputePool
    ) -> [PackedWeight] {
        let parts = form.shapes(
            rows: weight.rowCount, columns: weight.columnCount, format: weight.format)
        return parts.map { part in
            let codes = take(part.codeBytes).assumingMemoryBound(to: UInt8.self)
            let scales = take(part.scaleBytes).assumingMemoryBound(to: UInt8.self)
            let packed = weight.rows(part.rows).withKernelWeight {
                skein_pack(
                    pool.pool, $0, part.format.kernelFormat, part.isTransposed, codes, scales)
            }
            return PackedWeight(packed, format: part.format, owner: region)
        }
    }

    /// What has been packed so far.
    public var packedBytes: MappedBytes {
        MappedBytes(owner: region, base: UnsafeRawPointer(region.base), count: takenBytes)
    }

    private func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(
            byteCount <= region.byteCount - takenBytes,
            "\(byteCount) bytes of an arena with \(region.byteCount - takenBytes) left")
        defer { takenBytes += byteCount }
        return region.base + takenBytes
    }
}

/// Memory from the system that is given back when nobody uses it any more.
///
/// `@unchecked Sendable` is safe because its parts are written before anybody else sees them.
final class MappedRegion: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(byteCount: Int) throws(Refusal) {
        precondition(byteCount >= 0, "a region of \(byteCount) bytes")
        let length = max(byteCount, 64)
        let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw Refusal("memory", "no room for \(length) bytes of weights: \(lastError())")
        }
        #if os(Linux)
        // Only advice: where the host has no huge pages, small ones do.
        _ = madvise(mapped, length, MADV_HUGEPAGE)
        #endif
        base = mapped
        self.byteCount = length
    }

    deinit { munmap(base, byteCount) }
}
