import Foundation
import SkeinTensor

/// Products whose sums were computed by the tile instructions of a Xeon, bit for bit.
struct SumsVectors {
    /// One product.
    struct Case: CustomStringConvertible {
        let description: String
        let input: Tensor
        let weight: WeightMatrix
        /// `[row, output]`: the bits of F32.
        let expected: [UInt32]
    }

    private struct Entry: Decodable {
        let shape: [Int]
        let range: [Int]

        enum CodingKeys: String, CodingKey {
            case shape
            case range = "data_offsets"
        }
    }

    private let file: MappedFile
    private let entries: [String: Entry]
    private let dataStart: Int

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        file = try MappedFile(
            path: root.appending(path: "Golden/oracle/vectors/sums.safetensors").path)
        let length = file.bytes(0..<8).copied().enumerated().reduce(0) {
            $0 | Int($1.element) << (8 * $1.offset)
        }
        dataStart = 8 + length
        var header =
            try JSONSerialization.jsonObject(
                with: Data(file.bytes(8..<dataStart).copied())) as? [String: Any] ?? [:]
        header["__metadata__"] = nil
        entries = try JSONDecoder().decode(
            [String: Entry].self, from: JSONSerialization.data(withJSONObject: header))
    }

    /// The products of matrices; `border` is told apart, of which each row is a product.
    func cases() -> [Case] {
        entries.keys.filter { $0.hasSuffix(".output_bits") && !$0.hasPrefix("border") }.sorted()
            .map { name in
                let stem = String(name.dropLast(".output_bits".count))
                return Case(
                    description: stem, input: bfloat16("\(stem).input"), weight: weight(stem),
                    expected: words(name))
            }
    }

    /// Rows of numbers whose products lie at the border of the smallest normal number.
    func border() -> (input: [[Float]], weight: [[Float]], expected: [UInt32]) {
        let names = entries.keys.filter { $0.hasPrefix("border") }
        let output = names.first { $0.hasSuffix("output_bits") } ?? ""
        let stem = String(output.dropLast(".output_bits".count))
        let (x, w) = (bfloat16("\(stem).input"), bfloat16("\(stem).weight"))
        return (
            (0..<x.rowCount).map(x.row), (0..<w.rowCount).map(w.row), words(output)
        )
    }

    private func bytes(_ name: String) -> MappedBytes {
        guard let entry = entries[name] else { preconditionFailure("no \(name)") }
        return file.bytes(dataStart + entry.range[0]..<dataStart + entry.range[1])
    }

    private func shape(_ name: String) -> [Int] { entries[name]?.shape ?? [] }

    private func bfloat16(_ name: String) -> Tensor {
        let tensor = Tensor(rows: shape(name)[0], columns: shape(name)[1])
        bytes(name).withBytes { tensor.load(bfloat16: $0) }
        return tensor
    }

    private func words(_ name: String) -> [UInt32] {
        let bytes = bytes(name).copied()
        return stride(from: 0, to: bytes.count, by: 4).map { first in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[first + $1]) << (8 * $1) }
        }
    }

    private func weight(_ stem: String) -> WeightMatrix {
        let shape = shape("\(stem).weight")
        let numbers = MappedBytes(owning: bytes("\(stem).weight").copied())
        guard stem.hasPrefix("e4m3") else {
            return WeightMatrix(bfloat16: numbers, rows: shape[0], columns: shape[1])
        }
        return WeightMatrix(
            float8: numbers,
            scales: words("\(stem).weight_scale_inv").map { Float(bitPattern: $0) },
            rows: shape[0], columns: shape[1], blockRows: 128, blockColumns: 128)
    }
}
