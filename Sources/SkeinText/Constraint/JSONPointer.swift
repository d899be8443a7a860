import SkeinCore

/// The way to a value inside another one (RFC 6901).
struct JSONPointer {
    /// Names of members and places in lists.
    let steps: [String]

    /// Reads a pointer that is the fragment of a URI, as `$ref` has it; `nil` for anything else.
    ///
    /// The percent signs are decoded first, then come the parts, then `~1` and `~0` in each
    /// (section 6).
    init?(fragment: String) {
        guard fragment.hasPrefix("#"), let text = Self.percentDecoded(fragment.dropFirst()) else {
            return nil
        }
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        steps = parts.dropFirst().map {
            $0.replacing("~1", with: "/").replacing("~0", with: "~")
        }
    }

    /// The text with each `%XX` as the byte that it stands for; `nil` where that is not UTF-8, or a
    /// percent sign stands alone.
    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
                let decoded = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension JSONValue {
    /// What a step of a pointer leads to: a member, or an element of a list.
    func element(at step: String) -> JSONValue? {
        if let member = self[step] { return member }
        guard let elements = array, let place = Int(step), "\(place)" == step,
            elements.indices.contains(place)
        else { return nil }
        return elements[place]
    }
}
