#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Small files in which the system says how it is, below `/proc` and `/sys`.
enum SystemFile {
    private static let bytesMax = 1 << 20

    /// The text; `nil` where the file cannot be read.
    static func text(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < bytesMax {
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[0..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The lines; none where the file cannot be read.
    static func lines(of path: String) -> [Substring] {
        (text(of: path) ?? "").split(separator: "\n")
    }

    /// The words; none where the file cannot be read.
    static func words(of path: String) -> [Substring] {
        (text(of: path) ?? "").split(whereSeparator: \.isWhitespace)
    }

    /// The first word, if it is a whole number from 0 on.
    static func number(in path: String) -> Int? { count(words(of: path).first) }

    /// The number behind a name, in a file of lines such as `inactive_file 4096`.
    static func statistic(_ name: String, in path: String) -> Int? {
        for line in lines(of: path) {
            let parts = line.split(separator: " ")
            if parts.count == 2, parts[0] == name { return count(parts[1]) }
        }
        return nil
    }

    /// Fields such as `VmRSS:    1024 kB`, in bytes.
    static func fields(of path: String) -> [Substring: Int] {
        var fields: [Substring: Int] = [:]
        for line in lines(of: path) {
            let parts = line.split(whereSeparator: { $0 == ":" || $0 == " " || $0 == "\t" })
            guard parts.count == 3, parts[2] == "kB", let kilobytes = count(parts[1]),
                kilobytes <= Int.max / 1024
            else { continue }
            fields[parts[0]] = kilobytes * 1024
        }
        return fields
    }

    /// How many numbers a list such as `0-3,8` has; `nil` where it is none.
    static func memberCount(of list: some StringProtocol) -> Int? {
        var count = 0
        for range in list.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1],
                0 <= first, first <= last, last < 65_536
            else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }

    private static func count(_ word: Substring?) -> Int? {
        guard let word, let number = Int(word), number >= 0 else { return nil }
        return number
    }
}
