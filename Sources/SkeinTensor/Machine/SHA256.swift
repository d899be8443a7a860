internal import CSodium

/// SHA-256 of bytes that arrive in parts, as libsodium computes it.
public struct SHA256 {
    private var state = crypto_hash_sha256_state()

    /// Starts with no bytes.
    public init() {
        crypto_hash_sha256_init(&state)
    }

    /// Adds bytes to those before.
    public mutating func update(_ bytes: [UInt8]) {
        crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
    }

    /// The digest of all bytes so far, 64 digits in hex; more bytes may follow.
    public var hex: String {
        var last = state
        var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
        crypto_hash_sha256_final(&last, &digest)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The digest of `bytes` alone, in hex.
    public static func hex(of bytes: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(bytes)
        return hash.hex
    }
}
