import Foundation
import SkeinCore

/// What the file system says about a path, symbolic links followed.
struct FileFacts: Equatable {
    enum Kind: String {
        case regular = "a file"
        case folder = "a folder"
        case other = "neither file nor folder"
    }

    let kind: Kind
    let byteCount: Int
    /// When its content was last changed, since 1970.
    let modifiedNanoseconds: Int

    /// Looks at a path; one that is not there or cannot be followed is refused.
    static func existing(_ path: String) throws(Refusal) -> FileFacts {
        // A path with a zero byte would be cut short by the system and name another file.
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw Refusal(path, "is not a usable path")
        }
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw Refusal(path, reason(errno)) }
        let kind: Kind =
            switch facts.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .folder
            default: .other
            }
        #if canImport(Darwin)
        let modified = facts.st_mtimespec
        #else
        let modified = facts.st_mtim
        #endif
        return FileFacts(
            kind: kind, byteCount: Int(facts.st_size),
            modifiedNanoseconds: Int(modified.tv_sec) * 1_000_000_000 + Int(modified.tv_nsec))
    }

    /// Whether anything is at a path, be it a broken link.
    static func isAbsent(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) != 0 && errno == ENOENT
    }

    /// Whether nothing is at a path, nor at where a link there leads.
    static func isMissing(_ path: String) -> Bool {
        var facts = stat()
        return !path.isEmpty && !path.utf8.contains(0) && stat(path, &facts) != 0 && errno == ENOENT
    }

    /// The names in a folder.
    static func names(in folder: String) throws(Refusal) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw Refusal(folder, "cannot be listed; are its permissions right?")
        }
    }

    /// The whole content of a small file.
    static func content(of path: String, byteCountMax: Int) throws(Refusal) -> [UInt8] {
        let facts = try existing(path)
        guard facts.kind == .regular else {
            throw Refusal(path, "is \(facts.kind.rawValue), expected a file")
        }
        guard facts.byteCount <= byteCountMax else {
            throw Refusal(path, "has \(facts.byteCount) bytes, expected at most \(byteCountMax)")
        }
        let file = try FileReader(path)
        return try file.bytes(0..<facts.byteCount)
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case ENOENT: "does not exist"
        case ELOOP: "is a symbolic link that leads round in a loop"
        case EACCES, EPERM: "may not be read by this user"
        case ENOTDIR: "leads through a file as if it were a folder"
        case ENAMETOOLONG: "is too long a path"
        default: "cannot be read (system error \(code))"
        }
    }
}

/// Reads parts of a file without mapping it, so that the pages do not count as the process's own.
struct FileReader {
    private let path: String
    private let file: FileHandle

    init(_ path: String) throws(Refusal) {
        self.path = path
        do {
            file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch {
            throw Refusal(path, "cannot be opened for reading; are its permissions right?")
        }
    }

    /// The bytes of a range; a file that ends before is refused.
    func bytes(_ range: Range<Int>) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            try file.seek(toOffset: UInt64(range.lowerBound))
            while bytes.count < range.count,
                let part = try file.read(upToCount: range.count - bytes.count), !part.isEmpty
            {
                bytes += part
            }
        } catch {
            throw Refusal(path, "cannot be read at byte \(range.lowerBound)")
        }
        guard bytes.count == range.count else {
            throw Refusal(path, "ends before byte \(range.upperBound)")
        }
        return bytes
    }
}
