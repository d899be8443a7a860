internal import CSkeinKernels
public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Latent rows: `[layer, page, row]`, each in BF16 but for the numbers at its beginning that are
/// kept as FP8 codes.
///
///     codes, 1 byte each ─► F32 scale for each 128 codes ─► the other numbers, BF16
///
/// A scale is a power of two, so a code times its scale is a BF16 number, and what a kernel
/// computes over a row has the bits that it would have over the same numbers in BF16.
///
/// The memory is promised by the system and arrives page by page as rows are written, so pages that
/// were never used cost nothing. A store belongs to one actor.
public final class LatentStore {
    /// Layers of the slice; counted from the slice's first.
    public let layerCount: Int
    /// Pages of every layer.
    public let pageCount: Int
    /// Rows of a page.
    public let pageRowCount: Int
    /// Numbers of a row: latent and rope key.
    public let rowWidth: Int
    /// Numbers at a row's beginning that are kept as FP8 codes.
    public let codedWidth: Int
    /// Bytes of a row.
    public let rowByteCount: Int
    /// Bytes when every page is in use.
    public let byteCount: Int

    let base: UnsafeMutablePointer<UInt8>

    /// Asks the system for room; refuses sizes that it will not promise.
    public init(
        layerCount: Int, pageCount: Int, pageRowCount: Int = Limits.pageRowCount, rowWidth: Int,
        codedWidth: Int = 0
    ) throws(Refusal) {
        precondition(
            layerCount > 0 && pageCount > 0 && pageRowCount > 0 && rowWidth > 0,
            "a store of \(layerCount) x \(pageCount) x \(pageRowCount) x \(rowWidth)")
        precondition(
            codedWidth >= 0 && codedWidth <= rowWidth, "\(codedWidth) codes of \(rowWidth)")
        precondition(Limits.tileNumberCount == Int(SKEIN_TILE_COLUMNS), "tiles of one size")
        let rowByteCount = LatentForm.rowByteCount(rowWidth: rowWidth, codedWidth: codedWidth)
        var bytes = rowByteCount
        for factor in [layerCount, pageCount, pageRowCount] {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
            guard !overflow else {
                throw Refusal("latent cache", "\(pageCount) pages are more than can be counted")
            }
            bytes = product
        }
        let mapped = mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapped, mapped != MAP_FAILED else {
            throw Refusal("latent cache", "no room for \(bytes) bytes: \(lastError())")
        }
        self.layerCount = layerCount
        self.pageCount = pageCount
        self.pageRowCount = pageRowCount
        self.rowWidth = rowWidth
        self.codedWidth = codedWidth
        self.rowByteCount = rowByteCount
        byteCount = bytes
        base = mapped.bindMemory(to: UInt8.self, capacity: bytes)
    }

    deinit { munmap(base, byteCount) }

    /// Takes the memory of every page now, so that none can be missing when it is needed.
    public func populate() {
        // A write to each page of the system makes it ours; the rows are zero either way.
        let stride = max(1, Int(sysconf(Int32(_SC_PAGESIZE))))
        for place in Swift.stride(from: 0, to: byteCount, by: stride) {
            (base + place).update(repeating: 0, count: 1)
        }
    }

    /// Bytes of one page over all layers.
    public var bytesPerPage: Int { byteCount / pageCount }

    func rowBase(layer: Int, page: PageIndex, row: Int) -> UnsafeMutablePointer<UInt8> {
        let page = Int(page.rawValue)
        precondition(layer >= 0 && layer < layerCount, "layer \(layer) of \(layerCount)")
        precondition(page >= 0 && page < pageCount, "page beyond the pool: \(page)")
        precondition(row >= 0 && row < pageRowCount, "row \(row) of \(pageRowCount)")
        return base + ((layer * pageCount + page) * pageRowCount + row) * rowByteCount
    }

    /// One layer's rows as kernels take them.
    func rows(of layer: Int, latentWidth: Int) -> skein_latent_rows {
        skein_latent_rows(
            bytes: rowBase(layer: layer, page: PageIndex(0), row: 0), page_rows: pageRowCount,
            row_bytes: rowByteCount, width: rowWidth, coded_width: codedWidth,
            latent_width: latentWidth)
    }

    /// Writes a latent row from a tensor's row, rounded to the form that is kept.
    ///
    /// - Parameter instructionSet: of the kernel; all give the same bytes.
    public func write(
        layer: Int, page: PageIndex, row: Int, from values: Tensor, row source: Int,
        instructionSet: InstructionSet = Kernels.chosen
    ) {
        precondition(
            values.columnCount == rowWidth, "a row of \(values.columnCount), not \(rowWidth)")
        skein_pack_latent(
            instructionSet.rawValue, rowBase(layer: layer, page: page, row: row),
            values.rowBase(source), rowWidth, codedWidth)
    }

    /// A copy of one latent row as F32: exactly the numbers that attention reads.
    public func row(layer: Int, page: PageIndex, row: Int) -> [Float] {
        let base = rowBase(layer: layer, page: page, row: row)
        return [Float](unsafeUninitializedCapacity: rowWidth) { numbers, count in
            skein_unpack_latent(numbers.baseAddress, base, rowWidth, codedWidth)
            count = rowWidth
        }
    }

    /// Copies the first rows of one page to another, in every layer.
    public func copyPage(from source: PageIndex, to target: PageIndex, rowCount: Int) {
        precondition(rowCount >= 0 && rowCount <= pageRowCount, "\(rowCount) of \(pageRowCount)")
        for layer in 0..<layerCount where rowCount > 0 {
            rowBase(layer: layer, page: target, row: 0).update(
                from: rowBase(layer: layer, page: source, row: 0),
                count: rowCount * rowByteCount)
        }
    }
}
