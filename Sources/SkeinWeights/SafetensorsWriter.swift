internal import Foundation
public import SkeinCore
public import SkeinTensor

/// Writes tensors to one safetensors file, whole or not at all.
public enum SafetensorsWriter {
    /// One tensor to write.
    public struct Entry: Sendable {
        /// The tensor's name.
        public let name: String
        let elementType: ElementType
        let shape: [Int]
        let bytes: [UInt8]

        /// Describes a tensor.
        ///
        /// - Precondition: `bytes` hold exactly the values of `shape`, little endian.
        public init(name: String, elementType: ElementType, shape: [Int], bytes: [UInt8]) {
            precondition(
                bytes.count == shape.reduce(elementType.byteCount, *),
                "\(bytes.count) bytes for \(shape) of \(elementType)")
            self.name = name
            self.elementType = elementType
            self.shape = shape
            self.bytes = bytes
        }
    }

    /// Writes the entries in their order.
    ///
    /// The file grows under a temporary name in the same folder and is renamed once it is whole.
    public static func write(_ entries: [Entry], to path: String) throws(Refusal) {
        var tensors: [String: JSONValue] = [:]
        var offset = 0
        for entry in entries {
            tensors[entry.name] = .object([
                "dtype": .string(entry.elementType.safetensorsName),
                "shape": .array(entry.shape.map { .integer($0) }),
                "data_offsets": .array([
                    .integer(offset), .integer(offset + entry.bytes.count),
                ]),
            ])
            offset += entry.bytes.count
        }
        var header = Array(JSONValue.object(tensors).text.utf8)
        header += Array(repeating: 0x20, count: (8 - header.count % 8) % 8)
        let temporary = path + ".partial"
        do {
            guard FileManager.default.createFile(atPath: temporary, contents: nil) else {
                throw CocoaError(.fileWriteUnknown)
            }
            let file = try FileHandle(forWritingTo: URL(filePath: temporary))
            let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
            try file.write(contentsOf: length)
            try file.write(contentsOf: header)
            for entry in entries { try file.write(contentsOf: entry.bytes) }
            try file.close()
            guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            unlink(temporary)
            throw Refusal(path, "cannot be written: \(error.localizedDescription)")
        }
    }
}
