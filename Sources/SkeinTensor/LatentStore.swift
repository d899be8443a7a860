internal import CSkeinKernels
public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Latent rows in BF16: `[layer, page, row, column]`.
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
    /// Bytes when every page is in use.
    public let byteCount: Int

    let base: UnsafeMutablePointer<UInt16>

    /// Asks the system for room; refuses sizes that it will not promise.
    public init(
        layerCount: Int, pageCount: Int, pageRowCount: Int = Limits.pageRowCount, rowWidth: Int
    ) throws(Refusal) {
        precondition(
            layerCount > 0 && pageCount > 0 && pageRowCount > 0 && rowWidth > 0,
            "a store of \(layerCount) x \(pageCount) x \(pageRowCount) x \(rowWidth)")
        var bytes = 2
        for factor in [layerCount, pageCount, pageRowCount, rowWidth] {
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
        byteCount = bytes
        base = mapped.bindMemory(to: UInt16.self, capacity: bytes / 2)
    }

    deinit { munmap(base, byteCount) }

    /// Takes the memory of every page now, so that none can be missing when it is needed.
    public func populate() {
        // A write to each page of the system makes it ours; the rows are zero either way.
        let stride = max(1, Int(sysconf(Int32(_SC_PAGESIZE)))) / MemoryLayout<UInt16>.stride
        for place in Swift.stride(from: 0, to: byteCount / 2, by: stride) {
            (base + place).update(repeating: 0, count: 1)
        }
    }

    /// Bytes of one page over all layers.
    public var bytesPerPage: Int { byteCount / pageCount }

    func rowBase(layer: Int, page: PageIndex, row: Int) -> UnsafeMutablePointer<UInt16> {
        let page = Int(page.rawValue)
        precondition(layer >= 0 && layer < layerCount, "layer \(layer) of \(layerCount)")
        precondition(page >= 0 && page < pageCount, "page beyond the pool: \(page)")
        precondition(row >= 0 && row < pageRowCount, "row \(row) of \(pageRowCount)")
        return base + ((layer * pageCount + page) * pageRowCount + row) * rowWidth
    }

    /// Writes columns of a latent row from a tensor's row, rounded to BF16.
    ///
    /// - Parameters:
    ///   - values: its columns `columns` are written.
    ///   - firstColumn: where they go within the latent row.
    public func write(
        layer: Int, page: PageIndex, row: Int, from values: Tensor, row source: Int,
        columns: Range<Int>? = nil, firstColumn: Int = 0
    ) {
        let columns = columns ?? 0..<values.columnCount
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= values.columnCount
                && firstColumn >= 0 && firstColumn + columns.count <= rowWidth,
            "columns \(columns) to \(firstColumn) of \(rowWidth)")
        skein_pack_bf16(
            rowBase(layer: layer, page: page, row: row) + firstColumn,
            values.rowBase(source) + columns.lowerBound, columns.count)
    }

    /// A copy of one latent row as F32.
    public func row(layer: Int, page: PageIndex, row: Int) -> [Float] {
        let base = rowBase(layer: layer, page: page, row: row)
        return (0..<rowWidth).map { Float(bitPattern: UInt32(base[$0]) << 16) }
    }

    /// Copies the first rows of one page to another, in every layer.
    public func copyPage(from source: PageIndex, to target: PageIndex, rowCount: Int) {
        precondition(rowCount >= 0 && rowCount <= pageRowCount, "\(rowCount) of \(pageRowCount)")
        for layer in 0..<layerCount where rowCount > 0 {
            rowBase(layer: layer, page: target, row: 0).update(
                from: rowBase(layer: layer, page: source, row: 0), count: rowCount * rowWidth)
        }
    }
}
