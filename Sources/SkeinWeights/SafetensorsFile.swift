public import SkeinCore
import SkeinTensor

/// A mapped safetensors file: its header is read, its data stays on disk until it is asked for.
public final class SafetensorsFile: Sendable {
    /// Where the file lies.
    public let path: String

    /// What it holds.
    public let header: SafetensorsHeader

    private let mapped: MappedFile

    /// Maps a file and checks its header.
    public init(path: String) throws(Refusal) {
        let facts = try FileFacts.existing(path)
        guard facts.kind == .regular else {
            throw Refusal(path, "is \(facts.kind.rawValue), expected a safetensors file")
        }
        guard facts.byteCount > 0 else { throw Refusal(path, "the file is empty") }
        mapped = try MappedFile(path: path)
        try GitPointer.refuse(
            mapped.bytes(0..<min(64, mapped.byteCount)).copied(), subject: path)
        let prefix = mapped.bytes(
            0..<min(SafetensorsHeader.lengthBytes, mapped.byteCount)
        ).copied()
        let length = try SafetensorsHeader.jsonByteCount(
            prefix: prefix, fileByteCount: mapped.byteCount, subject: path)
        let json = mapped.bytes(
            SafetensorsHeader.lengthBytes..<(SafetensorsHeader.lengthBytes + length))
        header = try SafetensorsHeader(
            json: json.copied(), fileByteCount: mapped.byteCount, subject: path)
        self.path = path
    }

    /// Bytes of the whole file.
    public var byteCount: Int { mapped.byteCount }

    /// A part of the file as it is mapped.
    ///
    /// - Precondition: the range lies within the file.
    func bytes(_ range: Range<Int>) -> MappedBytes { mapped.bytes(range) }

    /// A part of the file that starts where `elementType` may start.
    ///
    /// Writers are free to leave F32 numbers at odd offsets; such a part is copied, once.
    func alignedBytes(_ range: Range<Int>, for elementType: ElementType) -> MappedBytes {
        let bytes = mapped.bytes(range)
        guard range.lowerBound.isMultiple(of: elementType.byteCount) else {
            return MappedBytes(owning: bytes.copied())
        }
        return bytes
    }
}
