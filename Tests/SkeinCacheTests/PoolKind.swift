import SkeinCache
import SkeinCore
import SkeinTensor
import Testing

/// A form of latent rows, of a model with or without an indexer.
struct PoolKind: Sendable, CustomTestStringConvertible {
    let form: LatentForm
    let hasIndexKeys: Bool

    static let all = LatentForm.allCases.flatMap { form in
        [false, true].map { PoolKind(form: form, hasIndexKeys: $0) }
    }

    static let latentWidth = 130
    static let rowWidth = 136
    static let keyWidth = 6

    var testDescription: String { "\(form.rawValue)\(hasIndexKeys ? " with index keys" : "")" }

    func pool(layers: Range<Int> = 2..<4, pageCount: Int) throws(Refusal) -> LatentPool {
        try LatentPool(
            layers: layers, pageCount: pageCount, rowWidth: Self.rowWidth,
            codedWidth: form.codedWidth(latentWidth: Self.latentWidth),
            indexKeyWidth: hasIndexKeys ? Self.keyWidth : 0, indexKeysAreCoded: form == .fp8)
    }

    /// Bytes of one row of one layer: codes with a scale for each 128, the rest in BF16.
    var rowByteCount: Int {
        let keys = hasIndexKeys ? (form == .fp8 ? Self.keyWidth + 4 : 2 * Self.keyWidth) : 0
        return keys
            + (form == .fp8
                ? Self.latentWidth + 2 * 4 + 2 * (Self.rowWidth - Self.latentWidth)
                : 2 * Self.rowWidth)
    }
}

/// Numbers of some sequences, and what a pool must say of them.
struct PoolSamples {
    /// Numbers of a row that are not the same for any two rows of a test.
    static func row(_ sequence: Int, _ position: Int, width: Int = PoolKind.rowWidth) -> [Float] {
        (0..<width).map { column in
            let seed = (sequence * 7_919 + position * 131 + column * 31) % 1_009
            return Float(seed - 504) / 64
        }
    }

    /// The numbers of positions of a sequence.
    static func rows(
        _ sequence: Int, _ positions: Range<Int>, width: Int = PoolKind.rowWidth
    ) -> Tensor {
        positions.isEmpty
            ? Tensor(rows: 0, columns: width)
            : Tensor(positions.map { row(sequence, $0, width: width) })
    }

    /// What a row comes back as, by a store that has nothing else in it.
    static func stored(_ numbers: [Float], _ form: LatentForm) throws -> [Float] {
        let store = try LatentStore(
            layerCount: 1, pageCount: 1, pageRowCount: 1, rowWidth: numbers.count,
            codedWidth: form.codedWidth(latentWidth: PoolKind.latentWidth))
        store.write(layer: 0, page: PageIndex(0), row: 0, from: Tensor([numbers]), row: 0)
        return store.row(layer: 0, page: PageIndex(0), row: 0)
    }
}
