import SkeinTensor

/// One weight file of a synthetic checkpoint: its header, and the pieces of its data in order.
struct SyntheticShard: Sendable {
    /// A run of numbers of one tensor, small enough to be made in memory.
    struct Piece: Sendable {
        let tensor: Int
        let range: Range<Int>
    }

    let tensors: [SyntheticTensor]
    let pieces: [Piece]

    /// Bytes of all tensors.
    var dataBytes: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Numbers of one piece.
    private static let pieceElementCount = 4 << 20

    /// Lays out tensors; wider numbers come first, so that all begin where they may.
    init(_ tensors: [SyntheticTensor]) {
        self.tensors = tensors.enumerated().sorted {
            let (left, right) = ($0.element.elementType, $1.element.elementType)
            return (right.byteCount, $0.offset) < (left.byteCount, $1.offset)
        }.map(\.element)
        pieces = self.tensors.enumerated().flatMap { index, tensor in
            stride(from: 0, to: tensor.elementCount, by: Self.pieceElementCount).map { first in
                let end = min(first + Self.pieceElementCount, tensor.elementCount)
                return Piece(tensor: index, range: first..<end)
            }
        }
    }

    /// Divides tensors into shards of a size; a weight and its scales stay together.
    static func shards(
        of tensors: [[SyntheticTensor]], shardBytesMax: Int
    ) -> [SyntheticShard] {
        var shards: [SyntheticShard] = []
        var open: [SyntheticTensor] = []
        var openBytes = 0
        for weight in tensors {
            let bytes = weight.reduce(0) { $0 + $1.byteCount }
            if !open.isEmpty, openBytes + bytes > shardBytesMax {
                shards.append(SyntheticShard(open))
                open = []
                openBytes = 0
            }
            open += weight
            openBytes += bytes
        }
        return shards + [SyntheticShard(open)]
    }

    /// The length field and the JSON, padded so that the data begins at a multiple of eight.
    var header: [UInt8] {
        var first = 0
        var text = "{\"__metadata__\":{\"format\":\"pt\"}"
        for tensor in tensors {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let end = first + tensor.byteCount
            text += ",\"\(tensor.name)\":{\"dtype\":\"\(tensor.elementType.safetensorsName)\","
            text += "\"shape\":[\(shape)],\"data_offsets\":[\(first),\(end)]}"
            first = end
        }
        text += "}"
        text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
        let count = UInt64(text.utf8.count)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * UInt64($0))) }
        return length + Array(text.utf8)
    }

    /// The bytes of a piece.
    func bytes(_ piece: Piece, _ numbers: SyntheticNumbers) -> [UInt8] {
        let tensor = tensors[piece.tensor]
        return numbers.bytes(tensor.kind, of: tensor.source, in: piece.range)
    }
}
