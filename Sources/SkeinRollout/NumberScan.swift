/// Finds numbers in prose.
enum NumberScan {
    /// The last number of a text: `-3`, `1,234.5`, `6e-3`; `nil` where it has none.
    ///
    /// A minus belongs to a number unless something stands before it that can be subtracted from;
    /// commas belong to it where three digits follow each.
    static func last(in text: String) -> Double? {
        let bytes = Array(text.utf8)
        var found: Double?
        var index = 0
        while index < bytes.count {
            guard isDigit(bytes, index) else {
                index += 1
                continue
            }
            let start = index
            var digits = whole(bytes, &index)
            digits += fraction(bytes, &index)
            digits += exponent(bytes, &index)
            let isNegative = start > 0 && isSign(bytes, start - 1)
            if let number = Double(digits), number.isFinite {
                found = isNegative ? -number : number
            }
        }
        return found
    }

    private static func isDigit(_ bytes: [UInt8], _ index: Int) -> Bool {
        index < bytes.count && (0x30...0x39).contains(bytes[index])
    }

    private static func isSign(_ bytes: [UInt8], _ index: Int) -> Bool {
        guard bytes[index] == UInt8(ascii: "-") else { return false }
        guard index > 0 else { return true }
        let before = bytes[index - 1]
        let isLetter = (0x41...0x5A).contains(before & 0xDF) || before >= 0x80
        return !isLetter && !isDigit(bytes, index - 1) && before != UInt8(ascii: ")")
            && before != UInt8(ascii: "-")
    }

    private static func digits(_ bytes: [UInt8], _ index: inout Int) -> String {
        let start = index
        while isDigit(bytes, index) { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private static func whole(_ bytes: [UInt8], _ index: inout Int) -> String {
        var text = digits(bytes, &index)
        guard text.count <= 3 else { return text }
        while index < bytes.count, bytes[index] == UInt8(ascii: ","),
            (1...3).allSatisfy({ isDigit(bytes, index + $0) }), !isDigit(bytes, index + 4)
        {
            index += 1
            text += digits(bytes, &index)
        }
        return text
    }

    private static func fraction(_ bytes: [UInt8], _ index: inout Int) -> String {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "."), isDigit(bytes, index + 1)
        else { return "" }
        index += 1
        return "." + digits(bytes, &index)
    }

    private static func exponent(_ bytes: [UInt8], _ index: inout Int) -> String {
        guard index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") else { return "" }
        var next = index + 1
        var sign = ""
        if next < bytes.count, [UInt8(ascii: "-"), UInt8(ascii: "+")].contains(bytes[next]) {
            sign = bytes[next] == UInt8(ascii: "-") ? "-" : ""
            next += 1
        }
        guard isDigit(bytes, next) else { return "" }
        index = next
        return "e" + sign + digits(bytes, &index)
    }
}
