/// GPT-2's printable alphabet: one character for each byte, so that tokens can stand in text files.
enum ByteAlphabet {
    /// The character of each byte: itself if it prints, else the next one from U+0100 on.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            if isPrintable(byte), let scalar = Unicode.Scalar(byte) { return scalar }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "\u{FFFD}"
        }
    }()

    /// The byte of each character up to U+0143, or -1.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
        return table
    }()

    private static func isPrintable(_ byte: UInt32) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
    }

    /// The bytes that a token's text stands for; `nil` if a character is not of the alphabet.
    static func decode(_ text: String) -> [UInt8]? {
        var found: [UInt8] = []
        found.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
            found.append(UInt8(bytes[Int(scalar.value)]))
        }
        return found
    }
}
