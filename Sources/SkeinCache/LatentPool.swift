public import SkeinCore
import SkeinTensor

/// The latent cache of a run of layers, in pages that the coordinator numbers.
///
///     page table ──► page ──► 64 rows ──► latent (kvLoraRank), then rope key, BF16;
///                                         or the latent as FP8 codes and their scales
///                        └──► 64 rows ──► index key, BF16 or FP8, where a model has an indexer
///
/// Every stage uses the same page numbers in its own pool, so nobody has to be asked and no stage
/// can run out alone. A page that was never written takes no memory. A pool belongs to one actor.
public final class LatentPool {
    /// The layers whose rows lie here, as the checkpoint numbers them.
    public let layers: Range<Int>

    let store: LatentStore

    /// The lightning indexer's keys, one row for each latent row of the layers that have one.
    let indexKeys: LatentStore?

    /// Where each layer's index keys are stored; `nil` for one that shares another's choice.
    private let indexPlaces: [Int?]

    /// Makes room for `pageCount` pages in each of the layers.
    ///
    /// - Parameters:
    ///   - layers: as the checkpoint numbers them.
    ///   - pageCount: what the coordinator may give out.
    ///   - rowWidth: numbers of a latent row, rope key included.
    ///   - codedWidth: numbers at a row's beginning that are kept as FP8 codes.
    ///   - indexKeyWidth: numbers of an index key; 0 for a model without an indexer.
    ///   - indexKeysAreCoded: whether they are kept as FP8 codes.
    ///   - hasIndexKeys: whether a layer has an indexer of its own.
    public init(
        layers: Range<Int>, pageCount: Int, rowWidth: Int, codedWidth: Int = 0,
        indexKeyWidth: Int = 0, indexKeysAreCoded: Bool = false,
        hasIndexKeys: (Int) -> Bool = { _ in true }
    ) throws(Refusal) {
        precondition(!layers.isEmpty && rowWidth > 0, "a pool for \(layers) of \(rowWidth)")
        guard pageCount >= 1, pageCount <= Int(Int32.max) else {
            throw Refusal("latent cache", "found \(pageCount) pages, expected 1 to \(Int32.max)")
        }
        self.layers = layers
        store = try LatentStore(
            layerCount: layers.count, pageCount: pageCount, rowWidth: rowWidth,
            codedWidth: codedWidth)
        var indexedCount = 0
        var places: [Int?] = []
        for layer in layers {
            let isIndexed = indexKeyWidth > 0 && hasIndexKeys(layer)
            places.append(isIndexed ? indexedCount : nil)
            indexedCount += isIndexed ? 1 : 0
        }
        indexPlaces = places
        indexKeys =
            indexedCount == 0
            ? nil
            : try LatentStore(
                layerCount: indexedCount, pageCount: pageCount, rowWidth: indexKeyWidth,
                codedWidth: indexKeysAreCoded ? indexKeyWidth : 0)
    }

    /// Makes room for `pageCount` pages of a slice, with rows in some form.
    public convenience init(
        configuration: ModelConfiguration, slice: Slice, pageCount: Int, form: LatentForm = .bf16
    ) throws(Refusal) {
        try self.init(
            layers: slice.layers, pageCount: pageCount, rowWidth: configuration.latentRowWidth,
            codedWidth: form.codedWidth(latentWidth: configuration.kvLoraRank),
            indexKeyWidth: configuration.indexer?.headSize ?? 0,
            indexKeysAreCoded: form == .fp8, hasIndexKeys: configuration.hasOwnIndexer)
    }

    /// Takes the memory of every page now, so that none can be missing when it is needed.
    ///
    /// - Throws: a `Refusal` with the sum where this machine does not have it.
    public func populate() throws(Refusal) {
        if let available = MachineMemory.now().availableBytes, byteCount > available {
            throw Refusal(
                "latent cache",
                "\(pageCount) pages of layers \(layers.lowerBound) to "
                    + "\(layers.upperBound - 1) need "
                    + "\(byteCount) bytes, this machine has \(available) available")
        }
        store.populate()
        indexKeys?.populate()
    }

    /// Pages of every layer.
    public var pageCount: Int { store.pageCount }

    /// Numbers of a latent row.
    public var rowWidth: Int { store.rowWidth }

    /// Numbers of an index key; 0 where there are none.
    public var indexKeyWidth: Int { indexKeys?.rowWidth ?? 0 }

    /// Whether a model's latent rows, and index keys where it has them, have a place here.
    public func fits(_ model: ModelConfiguration) -> Bool {
        let indexedCount = model.indexedLayerCount(in: layers)
        return rowWidth == model.latentRowWidth
            && indexKeyWidth == (indexedCount == 0 ? 0 : model.indexer?.headSize ?? 0)
            && indexPlaces.count { $0 != nil } == indexedCount
    }

    /// Bytes of one page over all layers.
    public var bytesPerPage: Int { store.bytesPerPage + (indexKeys?.bytesPerPage ?? 0) }

    /// Bytes when every page is in use.
    public var byteCount: Int { store.byteCount + (indexKeys?.byteCount ?? 0) }

    /// The rows of one layer.
    ///
    /// - Precondition: the layer is one of `layers`.
    public func view(of layer: LayerIndex) -> LatentView {
        precondition(layers.contains(layer.rawValue), "layer \(layer.rawValue) of \(layers)")
        let storedLayer = layer.rawValue - layers.lowerBound
        let indexPlace = indexPlaces[storedLayer]
        return LatentView(
            store: store, indexKeys: indexPlace == nil ? nil : indexKeys, storedLayer: storedLayer,
            storedIndexLayer: indexPlace ?? 0)
    }

    /// Copies the first rows of a page to another one, in every layer.
    public func copyPage(from source: PageIndex, to target: PageIndex, rowCount: Int) {
        store.copyPage(from: source, to: target, rowCount: rowCount)
        indexKeys?.copyPage(from: source, to: target, rowCount: rowCount)
    }
}
