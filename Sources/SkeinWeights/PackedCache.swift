import Foundation
import SkeinCore
import SkeinTensor

/// A file with a plan's packed matrices, which a restart maps in place of packing again, and which
/// processes of one host share.
///
///     magic, 8 bytes ─► length of the description, 8 bytes ─► description ─► zeros ─► matrices
///
/// The description says what the matrices were made of: checkpoint, tensors, form and layout. The
/// file's name is made of it, so that a changed checkpoint or another version of the layout looks
/// for another file; a file that does not say what its name says is refused. It grows under a
/// temporary name and is renamed once it is whole.
struct PackedCache {
    /// The file.
    let path: String

    private let description: [UInt8]
    private let byteCount: Int

    private static let magic = Array("SKEINPK1".utf8)

    /// Counts the layouts that packed matrices have had; another one is another file.
    private static let layoutVersion = 1

    /// Names the file of a plan.
    ///
    /// - Parameter byteCount: of the packed matrices.
    init(
        folder: String, checkpoint: Checkpoint, plan: WeightPlan, form: WeightForm, byteCount: Int
    ) throws(Refusal) {
        var files: [JSONValue] = []
        for shard in checkpoint.index.shardNames.indices {
            let facts = try FileFacts.existing(checkpoint.path(ofShard: shard))
            files.append(
                .array([
                    .string(checkpoint.index.shardNames[shard]), .integer(facts.byteCount),
                    .integer(facts.modifiedNanoseconds),
                ]))
        }
        let matrices = plan.requirements.filter {
            !plan.packedForms(of: $0, as: form).isEmpty
        }
        let names = matrices.map { "\($0.name) \($0.shape)" }.joined(separator: "\n")
        description = Array(
            JSONValue.object([
                "bytes": .integer(byteCount),
                "fingerprint": .string(try checkpoint.fingerprint(of: form)),
                "files": .array(files),
                "layout": .integer(Self.layoutVersion),
                "tensors": .string(SHA256.hex(of: Array(names.utf8))),
            ]).text.utf8)
        self.byteCount = byteCount
        path = Checkpoint.path(
            of: "skein-" + SHA256.hex(of: description).prefix(32) + ".packed", in: folder)
    }

    /// The matrices, with the numbers of those parts that hold a NaN; nothing where no file is.
    func open() throws(Refusal) -> (bytes: MappedBytes, partsWithNaN: Set<Int>)? {
        guard !FileFacts.isAbsent(path) else { return nil }
        let file = try MappedFile(path: path)
        let fixed = 2 * Self.magic.count
        guard file.byteCount >= fixed,
            file.bytes(0..<Self.magic.count).copied() == Self.magic
        else { throw Refusal(path, "is no packed cache; remove it") }
        let head = Self.number(file.bytes(Self.magic.count..<fixed).copied())
        guard (0...Limits.smallFileBytesMax).contains(head), fixed + head <= file.byteCount else {
            throw Refusal(path, "is cut short; remove it")
        }
        let text = file.bytes(fixed..<fixed + head).copied()
        guard text.starts(with: description) else {
            throw Refusal(path, "was packed from other weights than its name says; remove it")
        }
        let parts = try JSONValue(parsing: Array(text.dropFirst(description.count)), subject: path)
        guard case .array(let values) = parts else {
            throw Refusal(path, "does not say which parts hold a NaN; remove it")
        }
        let start = Self.dataStart(headBytes: head)
        guard file.byteCount == start + byteCount else {
            throw Refusal(
                path, "has \(file.byteCount) bytes, expected \(start + byteCount); remove it")
        }
        var partsWithNaN: Set<Int> = []
        for value in values {
            if let part = value.integer { partsWithNaN.insert(part) }
        }
        return (file.bytes(start..<file.byteCount), partsWithNaN)
    }

    /// Writes the matrices, whole or not at all.
    func write(_ packed: MappedBytes, partsWithNaN: [Int]) throws(Refusal) {
        precondition(packed.count == byteCount, "\(packed.count) of \(byteCount) bytes")
        let parts = JSONValue.array(partsWithNaN.map { .integer($0) }).text
        let head = description + Array(parts.utf8)
        var bytes = Self.magic + (0..<8).map { UInt8(truncatingIfNeeded: head.count >> (8 * $0)) }
        bytes += head
        bytes += Array(repeating: 0, count: Self.dataStart(headBytes: head.count) - bytes.count)
        let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).partial"
        do {
            let folder = (path as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            guard FileManager.default.createFile(atPath: temporary, contents: nil) else {
                throw CocoaError(.fileWriteUnknown)
            }
            let file = try FileHandle(forWritingTo: URL(filePath: temporary))
            try file.write(contentsOf: bytes)
            for lower in stride(from: 0, to: packed.count, by: Self.writtenBytes) {
                let upper = min(lower + Self.writtenBytes, packed.count)
                try file.write(contentsOf: packed.subrange(lower..<upper).copied())
            }
            try file.synchronize()
            try file.close()
            guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            unlink(temporary)
            throw Refusal(path, "cannot be written: \(error.localizedDescription)")
        }
    }

    /// Bytes that are copied at once while writing.
    private static let writtenBytes = 32 << 20

    /// Matrices begin with a page of the system, so that they can be mapped on a line of 64 bytes.
    private static func dataStart(headBytes: Int) -> Int {
        (2 * magic.count + headBytes + 4095) / 4096 * 4096
    }

    private static func number(_ bytes: [UInt8]) -> Int {
        bytes.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    }
}
