internal import SkeinCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The file of a journal and the lock beside it; every call waits for the disk.
///
/// The file grows at its end. Where it is rewritten, that happens under another name, and the
/// new one takes the place of the old one whole.
final class JournalFile {
    /// The journal.
    let path: String
    /// Bytes of the file, as far as they were written whole.
    private(set) var byteCount = 0

    private let folder: String
    private let lock: Int32
    private var file: Int32 = -1

    private static let chunkBytes = 1 << 20

    /// Makes the folder where it is missing, and keeps every other head out of it.
    init(folder: String) throws(JournalError) {
        self.folder = folder
        path = "\(folder)/requests.journal"
        do throws(Refusal) { try Self.makeFolders(folder) } catch { throw .disk(error) }
        lock = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .disk(Self.refusal("\(folder)/lock", "opened")) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let isTaken = errno == EWOULDBLOCK
            let refusal = Self.refusal("\(folder)/lock", "locked")
            close(lock)
            throw isTaken
                ? .unusable(Refusal(folder, "is used by another head that runs"))
                : .disk(refusal)
        }
    }

    deinit {
        if file >= 0 { close(file) }
        close(lock)
    }

    /// Calls `take` with every line, without its line feed.
    ///
    /// - Returns: whether the last line has an end.
    func readLines(_ take: (ArraySlice<UInt8>) -> Void) throws(Refusal) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return true }
            throw Self.refusal(path, "opened")
        }
        defer { close(file) }
        var held: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: Self.chunkBytes)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count >= 0 else { throw Self.refusal(path, "read") }
            if count == 0 { return held.isEmpty }
            var start = 0
            while let end = chunk[start..<count].firstIndex(of: UInt8(ascii: "\n")) {
                if held.isEmpty {
                    take(chunk[start..<end])
                } else {
                    held += chunk[start..<end]
                    take(held[...])
                    held = []
                }
                start = end + 1
            }
            held += chunk[start..<count]
            guard held.count <= Limits.journalLineBytesMax else {
                throw Refusal(path, "has a line of more than \(Limits.journalLineBytesMax) bytes")
            }
        }
    }

    /// Writes bytes to the end, and returns when the disk has them.
    ///
    /// Where that fails, the end of the file is what it was, or a line that its checksum tells to
    /// be damaged.
    func append(_ bytes: [UInt8]) throws(Refusal) {
        try Self.write(bytes, to: file, path)
        guard fdatasync(file) == 0 else { throw Self.refusal(path, "written") }
        byteCount += bytes.count
    }

    /// Puts bytes in the place of all that is there.
    func replace(with bytes: [UInt8]) throws(Refusal) {
        let temporary = "\(path).new"
        let next = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        guard next >= 0 else { throw Self.refusal(temporary, "opened") }
        do throws(Refusal) {
            try Self.write(bytes, to: next, temporary)
            guard fsync(next) == 0, rename(temporary, path) == 0 else {
                throw Self.refusal(temporary, "written")
            }
        } catch {
            close(next)
            unlink(temporary)
            throw error
        }
        if file >= 0 { close(file) }
        file = next
        byteCount = bytes.count
        syncFolder()
    }

    /// Whether a file is there that is not empty.
    var holdsSomething: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_size > 0
    }

    /// Keeps the file under another name, since it is not this cluster's.
    ///
    /// - Returns: the name.
    func setAside() throws(Refusal) -> String {
        let aside = "\(path).\(time(nil))"
        guard rename(path, aside) == 0 else { throw Self.refusal(path, "renamed") }
        return aside
    }

    /// Makes a new name last; where the folder cannot be asked to, the name lasts soon after.
    private func syncFolder() {
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { return }
        fsync(handle)
        close(handle)
    }

    private static func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws(Refusal) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(chunkBytes))
            #if canImport(Glibc)
            let count = Glibc.write(file, part, part.count)
            #elseif canImport(Musl)
            let count = Musl.write(file, part, part.count)
            #else
            let count = Darwin.write(file, part, part.count)
            #endif
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw refusal(path, "written") }
            rest = rest.dropFirst(count)
        }
    }

    private static func makeFolders(_ folder: String) throws(Refusal) {
        for (place, byte) in (folder + "/").utf8.enumerated()
        where byte == UInt8(ascii: "/") && place > 0 {
            let part = String(decoding: folder.utf8.prefix(place), as: UTF8.self)
            guard mkdir(part, 0o700) == 0 || errno == EEXIST else {
                throw refusal(part, "made")
            }
        }
    }

    private static func refusal(_ path: String, _ done: String) -> Refusal {
        Refusal(path, "cannot be \(done): \(String(cString: strerror(errno)))")
    }
}
