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
/// them is in use. An arena belongs to whoever loads.
public final class WeightArena {
    private let region: MappedRegion
    private var takenBytes = 0

    /// Asks the system for room; pages come when they are written.
    public init(byteCount: Int) throws(Refusal) {
        region = try MappedRegion(byteCount: byteCount)
    }

    /// What a matrix takes as INT8.
    public static func int8ByteCount(rows: Int, columns: Int) -> Int {
        codesBytes(rows, columns) + scalesBytes(rows, columns)
    }

    private static func codesBytes(_ rows: Int, _ columns: Int) -> Int {
        wholeLines(skein_i8_byte_count(rows, columns))
    }

    private static func scalesBytes(_ rows: Int, _ columns: Int) -> Int {
        wholeLines(4 * skein_i8_scale_count(rows, columns))
    }

    private static func wholeLines(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

    /// Makes the INT8 form of a weight: 128 columns of a row share a scale, the largest magnitude
    /// among them divided by 127.
    ///
    /// - Precondition: the arena has ``int8ByteCount(rows:columns:)`` left.
    public func int8(_ weight: WeightMatrix, on pool: ComputePool) -> WeightMatrix {
        let (rows, columns) = (weight.rowCount, weight.columnCount)
        let codes = take(Self.codesBytes(rows, columns))
        let scales = take(Self.scalesBytes(rows, columns))
            .bindMemory(to: Float.self, capacity: skein_i8_scale_count(rows, columns))
        weight.withKernelWeight {
            skein_pack_i8(pool.pool, $0, codes.assumingMemoryBound(to: UInt8.self), scales)
        }
        return WeightMatrix(
            int8: MappedBytes(
                owner: region, base: codes, count: skein_i8_byte_count(rows, columns)),
            scales: ScaleTable(owner: region, base: scales), rows: rows, columns: columns)
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
