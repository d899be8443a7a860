internal import Foundation
public import SkeinCore
internal import SkeinTensor

/// The keys by which clients may call.
public struct APIKeys: Sendable {
    /// Whether the holders of all keys share what the prefix cache knows of each other's prompts.
    ///
    /// Who shares can tell by the time of an answer whether somebody else has asked the same.
    public var sharesPrefixes = false

    /// Who calls, by the key that it has.
    struct Client: Equatable {
        /// A name that no other key has, the same in every process.
        let owner: String
        /// With whom latent pages are shared.
        let tenant: String
    }

    private struct Entry {
        let key: [UInt8]
        let owner: String

        init(_ key: [UInt8]) {
            self.key = key
            owner = "key " + SHA256.hex(of: key).prefix(32)
        }
    }

    private let entries: [Entry]

    /// How many keys there are.
    public var count: Int { entries.count }

    /// Reads a file with one key a line; empty lines and lines that begin with `#` are skipped.
    ///
    /// - Parameter former: the keys that these replace; they share prefixes as those did.
    public init(file path: String, replacing former: APIKeys? = nil) throws(Refusal) {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Refusal(path, "cannot be opened, expected a file with one API key a line")
        }
        let bytes: Data
        do {
            bytes = try file.read(upToCount: Limits.apiKeysFileBytesMax + 1) ?? Data()
        } catch {
            throw Refusal(path, "cannot be read, expected a file with one API key a line")
        }
        guard bytes.count <= Limits.apiKeysFileBytesMax else {
            throw Refusal(
                path, "has more than \(Limits.apiKeysFileBytesMax) bytes, expected at most that")
        }
        try self.init(
            text: String(decoding: bytes, as: UTF8.self), file: path, replacing: former)
    }

    /// Reads a file's text.
    init(text: String, file: String, replacing former: APIKeys? = nil) throws(Refusal) {
        var keys: [[UInt8]] = []
        for (number, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let key = line.trimmingCharacters(in: .whitespaces)
            guard !key.isEmpty, !key.hasPrefix("#") else { continue }
            guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw Refusal(
                    "\(file):\(number + 1)",
                    "the key has characters that no HTTP header carries, expected letters, digits "
                        + "and marks without spaces")
            }
            keys.append(Array(key.utf8))
        }
        guard !keys.isEmpty else {
            throw Refusal(file, "has no key, expected one a line")
        }
        entries = keys.map { Entry($0) }
        sharesPrefixes = former?.sharesPrefixes ?? false
    }

    /// Whom the key of a request belongs to: of `Authorization: Bearer KEY`, or of
    /// `x-api-key: KEY` where there is no `Authorization`.
    ///
    /// The names tell nothing of the key.
    ///
    /// - Returns: `nil` where the headers carry no known key.
    func admit(authorization: String?, key: String? = nil) -> Client? {
        var offered = Array((key ?? "").utf8)
        if let authorization {
            let words = authorization.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
            offered = Array(words[1].utf8)
        }
        // Every key is compared to its end, so that the time tells nothing about any of them.
        var found: String?
        for entry in entries {
            let isEqual = Self.areEqual(offered, entry.key)
            found = isEqual ? entry.owner : found
        }
        guard let owner = found else { return nil }
        return Client(owner: owner, tenant: sharesPrefixes ? "" : owner)
    }

    private static func areEqual(_ offered: [UInt8], _ key: [UInt8]) -> Bool {
        var difference = UInt8(offered.count == key.count ? 0 : 1)
        for (index, byte) in offered.enumerated() { difference |= byte ^ key[index % key.count] }
        return difference == 0
    }
}
