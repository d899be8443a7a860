import Foundation
public import SkeinCore
import SkeinTensor

extension SyntheticCheckpoint {
    /// Bytes of the largest weight file, if no single tensor is larger.
    public static let shardBytesMaxDefault = 2_000_000_000

    /// Writes the folder.
    ///
    /// It grows under a temporary name beside its place and is renamed once it is whole; what
    /// fails or is cancelled leaves nothing behind.
    ///
    /// - Parameters:
    ///   - folder: a path where nothing is, or an empty folder.
    ///   - shardBytesMax: size of a weight file beyond which the next one begins.
    ///   - onProgress: is told bytes done and bytes in all.
    public func write(
        to folder: String, shardBytesMax: Int = shardBytesMaxDefault,
        onProgress: (_ doneBytes: Int, _ totalBytes: Int) -> Void = { _, _ in }
    ) async throws(Refusal) {
        let target = URL(fileURLWithPath: folder).standardizedFileURL
        try Self.checkFree(target)
        let parent = target.deletingLastPathComponent()
        let growing = parent.appendingPathComponent(
            ".\(target.lastPathComponent).\(UUID().uuidString).partial")
        do {
            try FileManager.default.createDirectory(
                at: growing, withIntermediateDirectories: true)
        } catch {
            throw Refusal(parent.path, "no folder can be made there")
        }
        do {
            try checkSpace(in: parent)
            try await writeFiles(to: growing, shardBytesMax: shardBytesMax, onProgress: onProgress)
            try Self.move(growing, to: target)
        } catch {
            Self.remove(growing)
            throw error
        }
    }

    private static func checkFree(_ target: URL) throws(Refusal) {
        guard !FileFacts.isAbsent(target.path) else { return }
        guard try FileFacts.existing(target.path).kind == .folder else {
            throw Refusal(target.path, "is there already and is no folder")
        }
        guard try FileFacts.names(in: target.path).isEmpty else {
            throw Refusal(target.path, "is there already and is not empty")
        }
    }

    private func checkSpace(in parent: URL) throws(Refusal) {
        let needed = tensorBytes + tensorBytes / 100
        let facts: [FileAttributeKey: Any]
        do {
            facts = try FileManager.default.attributesOfFileSystem(forPath: parent.path)
        } catch {
            throw Refusal(parent.path, "its free space cannot be read")
        }
        guard let free = (facts[.systemFreeSize] as? NSNumber)?.int64Value else { return }
        guard needed <= free else {
            throw Refusal(parent.path, "\(free) bytes are free, but \(needed) are needed")
        }
    }

    private static func move(_ growing: URL, to target: URL) throws(Refusal) {
        do {
            // An empty folder was seen here; the system does not remove one that is not.
            rmdir(target.path)
            try FileManager.default.moveItem(at: growing, to: target)
        } catch {
            throw Refusal(target.path, "the finished folder cannot be moved there")
        }
    }

    private static func remove(_ growing: URL) {
        do {
            try FileManager.default.removeItem(at: growing)
        } catch {
            // The first failure is the one to tell; a leftover is named as what it is.
        }
    }

    private func writeFiles(
        to growing: URL, shardBytesMax: Int, onProgress: (Int, Int) -> Void
    ) async throws(Refusal) {
        let shards = SyntheticShard.shards(of: tensors(), shardBytesMax: max(shardBytesMax, 1))
        let totalBytes = shards.reduce(0) { $0 + $1.dataBytes }
        var doneBytes = 0
        var map: [String: JSONValue] = [:]
        onProgress(0, totalBytes)
        for (index, shard) in shards.enumerated() {
            let name = Self.fileName(of: index, count: shards.count)
            try await write(shard, to: growing.appendingPathComponent(name)) { bytes in
                doneBytes += bytes
                onProgress(doneBytes, totalBytes)
            }
            for tensor in shard.tensors { map[tensor.name] = .string(name) }
        }
        if shards.count > 1 {
            let index = JSONValue.object([
                "metadata": .object(["total_size": .integer(totalBytes)]),
                "weight_map": .object(map),
            ])
            try Self.write(index, to: growing.appendingPathComponent(Checkpoint.indexName))
        }
        try Self.write(document, to: growing.appendingPathComponent(Checkpoint.configurationName))
    }

    /// The published form: five digits, then six.
    private static func fileName(of index: Int, count: Int) -> String {
        func digits(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        guard count > 1 else { return Checkpoint.singleName }
        return "model-\(digits(index + 1, 5))-of-\(digits(count, 6)).safetensors"
    }

    private static func write(_ document: JSONValue, to file: URL) throws(Refusal) {
        do {
            try Data(document.text.utf8).write(to: file)
        } catch {
            throw Refusal(file.path, "cannot be written; is the disk full?")
        }
    }

    /// Makes pieces on all cores and writes them in order; a few wait in memory at most.
    private func write(
        _ shard: SyntheticShard, to file: URL, onWritten: (Int) -> Void
    ) async throws(Refusal) {
        guard FileManager.default.createFile(atPath: file.path, contents: nil),
            let output = FileHandle(forWritingAtPath: file.path)
        else { throw Refusal(file.path, "cannot be made") }
        let numbers = SyntheticNumbers(seed: seed)
        let pieces = shard.pieces
        let aheadCount = 2 * MachineCores.usableCount
        let failure: Refusal? = await withTaskGroup(of: (Int, [UInt8]).self) { makers in
            do {
                try output.write(contentsOf: shard.header)
                var (started, written) = (0, 0)
                var ready: [Int: [UInt8]] = [:]
                while written < pieces.count {
                    if Task.isCancelled { return Refusal(file.path, "the writing was cancelled") }
                    while started < min(written + aheadCount, pieces.count) {
                        let index = started
                        makers.addTask { (index, shard.bytes(pieces[index], numbers)) }
                        started += 1
                    }
                    guard let (index, bytes) = await makers.next() else { break }
                    ready[index] = bytes
                    while let bytes = ready.removeValue(forKey: written) {
                        try output.write(contentsOf: bytes)
                        onWritten(bytes.count)
                        written += 1
                    }
                }
                try output.close()
                return nil
            } catch {
                return Refusal(file.path, "cannot be written; is the disk full?")
            }
        }
        if let failure { throw failure }
    }
}
