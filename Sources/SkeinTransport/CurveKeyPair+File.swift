public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension CurveKeyPair {
    /// Writes the secret key to a new file that only its owner can read.
    ///
    /// Folders that are missing on the way are made, for their owner only. An existing file is
    /// never overwritten: a lost key cannot be made again.
    public func writeSecret(to path: String) throws(Refusal) {
        try Self.makeFolders(above: path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            let reason = errno == EEXIST ? "exists already, and is kept" : Self.lastError
            throw Refusal(path, reason)
        }
        defer { close(file) }
        // The mask of the process may only have narrowed the permissions; say them exactly.
        let bytes = Array((secretKey + "\n").utf8)
        guard fchmod(file, 0o600) == 0, write(file, bytes, bytes.count) == bytes.count,
            fsync(file) == 0
        else { throw Refusal(path, Self.lastError) }
    }

    private static func makeFolders(above path: String) throws(Refusal) {
        for (place, byte) in path.utf8.enumerated() where byte == UInt8(ascii: "/") && place > 0 {
            let folder = String(decoding: path.utf8.prefix(place), as: UTF8.self)
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
                throw Refusal(folder, "cannot be made: \(lastError)")
            }
        }
    }

    /// Reads a secret key; refuses a file that others than its owner may read.
    public init(readingSecretFrom path: String) throws(Refusal) {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw Refusal(path, Self.lastError) }
        defer { close(file) }
        // The open file is asked and not the path, which could change in between.
        var status = stat()
        guard fstat(file, &status) == 0 else { throw Refusal(path, Self.lastError) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Refusal(path, "is no plain file") }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw Refusal(path, "has permissions 0\(mode), a secret key needs 0600 (chmod 600)")
        }
        var bytes = [UInt8](repeating: 0, count: Limits.keyFileBytesMax + 1)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else { throw Refusal(path, Self.lastError) }
        guard count <= Limits.keyFileBytesMax else {
            throw Refusal(path, "is longer than \(Limits.keyFileBytesMax) bytes, so no key")
        }
        guard var text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw Refusal(path, "is no text")
        }
        while text.last?.isWhitespace == true { text.removeLast() }
        try self.init(secretKey: text, subject: path)
    }

    private static var lastError: String { String(cString: strerror(errno)) }
}
