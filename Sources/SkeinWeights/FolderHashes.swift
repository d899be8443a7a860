import Foundation
public import SkeinCore
import SkeinTensor
import Synchronization

/// The SHA-256 of every file in a folder, each of them read whole.
public struct FolderHashes: Sendable {
    /// One file and its hash.
    public struct File: Codable, Equatable, Sendable {
        /// Its path below the folder.
        public let name: String
        /// Its size.
        public let byteCount: Int
        /// When its content was last changed, since 1970.
        public let modifiedNanoseconds: Int
        /// 64 digits in hex.
        public let sha256: String
    }

    /// The folder.
    public let folder: String

    private let found: [(name: String, facts: FileFacts)]

    /// Bytes that are read at a time.
    private static let partBytes = 4 << 20

    /// Files that are read at the same time: enough to keep the cores beside a fast disk busy.
    private static let filesAtOnce = min(4, max(1, MachineCores.usableCount))

    /// Lists the files of a folder and of those below it, but hidden ones.
    ///
    /// - Throws: a `Refusal` where a folder cannot be listed or a link leads nowhere.
    public init(folder: String) throws(Refusal) {
        self.folder = folder
        guard try FileFacts.existing(folder).kind == .folder else {
            throw Refusal(folder, "is no folder")
        }
        found = try Self.files(in: folder, below: "", depth: 0)
            .sorted { $0.name < $1.name }
    }

    /// Bytes of all files.
    public var byteCount: Int { found.reduce(0) { $0 + $1.facts.byteCount } }

    /// Reads every file.
    ///
    /// - Parameters:
    ///   - known: hashes of an earlier run; those of files that are unchanged since are taken.
    ///   - onProgress: is told the bytes that are done, those of known files included.
    ///   - onFile: is told each new hash, one at a time.
    /// - Returns: all files by name.
    /// - Throws: a `Refusal` where a file cannot be read.
    public func compute(
        known: [File] = [], onProgress: @escaping @Sendable (Int) -> Void,
        onFile: @Sendable (File) throws(Refusal) -> Void
    ) async throws -> [File] {
        let earlier = Dictionary(known.map { ($0.name, $0) }) { $1 }
        var files: [File] = []
        var missing: [(name: String, facts: FileFacts)] = []
        for (name, facts) in found {
            if let file = earlier[name], file.byteCount == facts.byteCount,
                file.modifiedNanoseconds == facts.modifiedNanoseconds
            {
                files.append(file)
            } else {
                missing.append((name, facts))
            }
        }
        let tally = ByteTally(
            done: files.reduce(0) { $0 + $1.byteCount }, onProgress: onProgress)
        try await withThrowingTaskGroup(of: File.self) { group in
            var rest = missing.makeIterator()
            for _ in 0..<Self.filesAtOnce {
                guard let next = rest.next() else { break }
                group.addTask { try hash(next.name, next.facts, tally) }
            }
            while let file = try await group.next() {
                try onFile(file)
                files.append(file)
                if let next = rest.next() {
                    group.addTask { try hash(next.name, next.facts, tally) }
                }
            }
        }
        return files.sorted { $0.name < $1.name }
    }

    // MARK: - Private

    /// Bytes that are done, told from several tasks.
    private final class ByteTally: Sendable {
        private let done: Mutex<Int>
        private let onProgress: @Sendable (Int) -> Void

        init(done: Int, onProgress: @escaping @Sendable (Int) -> Void) {
            self.done = Mutex(done)
            self.onProgress = onProgress
        }

        func add(_ count: Int) {
            let sum = done.withLock { done in
                done += count
                return done
            }
            onProgress(sum)
        }
    }

    private func hash(_ name: String, _ facts: FileFacts, _ tally: ByteTally) throws -> File {
        let reader = try FileReader(folder + "/" + name)
        var hash = SHA256()
        var start = 0
        while start < facts.byteCount {
            try Task.checkCancellation()
            let part = start..<min(start + Self.partBytes, facts.byteCount)
            hash.update(try reader.bytes(part))
            tally.add(part.count)
            start = part.upperBound
        }
        return File(
            name: name, byteCount: facts.byteCount,
            modifiedNanoseconds: facts.modifiedNanoseconds, sha256: hash.hex)
    }

    /// Folders below folders that are looked into; a link that leads upwards would never end.
    private static let depthMax = 4

    private static func files(
        in folder: String, below prefix: String, depth: Int
    ) throws(Refusal) -> [(name: String, facts: FileFacts)] {
        var files: [(name: String, facts: FileFacts)] = []
        for name in try FileFacts.names(in: folder) where !name.hasPrefix(".") {
            let path = folder + "/" + name
            let facts = try FileFacts.existing(path)
            switch facts.kind {
            case .regular: files.append((prefix + name, facts))
            case .folder where depth < depthMax:
                files += try self.files(in: path, below: prefix + name + "/", depth: depth + 1)
            case .folder, .other: continue
            }
        }
        return files
    }
}

/// Hashes by file name, in the form that `sha256sum` writes and checks.
public struct HashList: Equatable, Sendable {
    /// 64 digits in hex by the file's path.
    public let hashes: [String: String]

    /// Reads a list.
    ///
    /// - Throws: a `Refusal` that names the line.
    public init(parsing text: String, subject: String) throws(Refusal) {
        var hashes: [String: String] = [:]
        var number = 0
        // A line feed behind a carriage return is one character with it.
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            if line.isEmpty || line.hasPrefix("#") { continue }
            let place = "\(subject):\(number)"
            let digest = line.prefix(64)
            let rest = line.dropFirst(64)
            let isDigest =
                digest.utf8.count == 64
                && digest.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
                }
            var name = rest.dropFirst(2)
            while name.hasPrefix("./") { name = name.dropFirst(2) }
            guard isDigest, rest.hasPrefix("  ") || rest.hasPrefix(" *"), !name.isEmpty else {
                throw Refusal(
                    place, "expected 64 digits in hex, two spaces and a name, as sha256sum writes")
            }
            let former = hashes.updateValue(digest.lowercased(), forKey: String(name))
            guard former == nil || former == digest.lowercased() else {
                throw Refusal(place, "names '\(name)' a second time, with another hash")
            }
        }
        guard !hashes.isEmpty else { throw Refusal(subject, "names no file") }
        self.hashes = hashes
    }
}
