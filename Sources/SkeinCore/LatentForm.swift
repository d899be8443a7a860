/// In which form the latent cache keeps its rows.
///
/// The form is part of a cluster's arithmetic, and the same on all of its nodes. A row is rounded
/// once, as it is written; prefill and decode read it from there.
public enum LatentForm: String, CaseIterable, Sendable {
    /// All numbers of a row in BF16.
    case bf16
    /// The latent, and an index key, as FP8 codes with an F32 scale for each 128 of them, the rope
    /// key in BF16; answers differ a little from BF16's.
    case fp8

    /// Numbers at the beginning of a row that are kept as FP8 codes.
    public func codedWidth(latentWidth: Int) -> Int { self == .fp8 ? latentWidth : 0 }

    /// Bytes of a model's latent row: of 512 + 64 numbers 1,152 in BF16 and 656 in FP8.
    public func rowByteCount(of model: ModelConfiguration) -> Int {
        Self.rowByteCount(
            rowWidth: model.latentRowWidth,
            codedWidth: codedWidth(latentWidth: model.kvLoraRank))
    }

    /// Bytes of a model's index key: of 128 numbers 256 in BF16 and 132 in FP8; 0 without indexer.
    public func indexKeyByteCount(of model: ModelConfiguration) -> Int {
        let width = model.indexer?.headSize ?? 0
        return Self.rowByteCount(rowWidth: width, codedWidth: codedWidth(latentWidth: width))
    }

    /// Bytes of one position of a layer.
    public func positionByteCount(of model: ModelConfiguration) -> Int {
        rowByteCount(of: model) + indexKeyByteCount(of: model)
    }

    /// Bytes of a row of `rowWidth` numbers whose first `codedWidth` are FP8 codes.
    public static func rowByteCount(rowWidth: Int, codedWidth: Int) -> Int {
        codedWidth + 4 * Limits.tileCount(of: codedWidth) + 2 * (rowWidth - codedWidth)
    }
}
