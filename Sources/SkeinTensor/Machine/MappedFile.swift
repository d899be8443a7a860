internal import CSkeinKernels
public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A whole file, mapped for reading; no page is read until somebody looks at it.
///
/// The length is taken once, at opening. A file that is cut short afterwards by somebody else ends
/// the process when the lost part is read (SIGBUS), as with every mapped program; checkpoints are
/// not to be changed while they serve.
///
/// `@unchecked Sendable` is safe because the mapping is read-only and lives until `deinit`.
public final class MappedFile: @unchecked Sendable {
    /// Where the file was found.
    public let path: String

    /// Its length when it was opened.
    public let byteCount: Int

    private let base: UnsafeRawPointer

    /// Where empty files point; never read.
    private static let nothing = OwnedBytes(byteCount: 0)

    /// Maps the file at `path`.
    public init(path: String) throws(Refusal) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Refusal(path, "cannot be opened: \(lastError())") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw Refusal(path, "cannot be examined: \(lastError())")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Refusal(path, "is no regular file") }
        byteCount = Int(status.st_size)
        self.path = path
        guard byteCount > 0 else {
            base = Self.nothing.rawBase
            return
        }
        let mapped = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw Refusal(path, "cannot be mapped: \(lastError())")
        }
        base = UnsafeRawPointer(mapped)
    }

    deinit {
        if byteCount > 0 { munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
    }

    /// A part of the file; the range lies within it.
    public func bytes(_ range: Range<Int>) -> MappedBytes {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount,
            "bytes \(range) of a file of \(byteCount)")
        return MappedBytes(owner: self, base: base + range.lowerBound, count: range.count)
    }
}

/// The system's words for what failed last.
func lastError() -> String { String(cString: strerror(errno)) }

/// Part of a mapped file, or of bytes of our own; keeps what it points into alive.
///
/// `@unchecked Sendable` is safe because the bytes never change and the owner lives as long.
public struct MappedBytes: @unchecked Sendable {
    private let owner: AnyObject

    /// Who keeps the bytes alive.
    var keeper: AnyObject { owner }

    let base: UnsafeRawPointer

    /// How many bytes.
    public let count: Int

    init(owner: AnyObject, base: UnsafeRawPointer, count: Int) {
        self.owner = owner
        self.base = base
        self.count = count
    }

    /// Takes a copy of `bytes`.
    public init(owning bytes: [UInt8]) {
        let buffer = OwnedBytes(byteCount: bytes.count)
        bytes.withUnsafeBytes { source in
            buffer.base.copyMemory(
                from: source.baseAddress ?? buffer.rawBase, byteCount: bytes.count)
        }
        self.init(owner: buffer, base: buffer.rawBase, count: bytes.count)
    }

    /// A part of these bytes; the range lies within them.
    public func subrange(_ range: Range<Int>) -> MappedBytes {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count, "bytes \(range) of \(count)")
        return MappedBytes(owner: owner, base: base + range.lowerBound, count: range.count)
    }

    /// The bytes as an array of their own.
    public func copied() -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Lends the bytes to `body`.
    public func withBytes<R, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> R
    ) throws(Failure) -> R {
        let buffer = UnsafeRawBufferPointer(start: base, count: count)
        return try body(buffer.bytes)
    }

    /// Reads every page once, on all threads, so that later reads do not wait for the disk.
    public func touch(on pool: ComputePool) {
        skein_touch(pool.pool, base.assumingMemoryBound(to: UInt8.self), count)
    }

    /// Asks the system to fetch these bytes, which will soon be read; does not wait for them.
    public func readAhead() {
        skein_read_ahead(base.assumingMemoryBound(to: UInt8.self), count)
    }

    /// Lets go of the whole pages of these bytes: those of a file are read again when needed.
    ///
    /// Bytes of our own stay: they would be lost.
    func forgetPages() {
        guard owner is MappedFile else { return }
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let first = (UInt(bitPattern: base) + page - 1) / page * page
        let end = UInt(bitPattern: base + count) / page * page
        guard first < end else { return }
        _ = madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED)
    }
}

/// Bytes of our own, aligned to 64.
///
/// `@unchecked Sendable` is safe because they are filled before anybody else sees them.
final class OwnedBytes: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    var rawBase: UnsafeRawPointer { UnsafeRawPointer(base) }

    init(byteCount: Int) {
        base = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 64), alignment: 64)
    }

    deinit { base.deallocate() }
}
