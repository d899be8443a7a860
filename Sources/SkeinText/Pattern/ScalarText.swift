/// A stretch of UTF-8 laid out as scalars, with the class of each and the way back to the bytes.
struct ScalarText {
    /// Scalar values, in order.
    private(set) var values: [UInt32] = []

    /// The class of each scalar.
    private(set) var classes: [ScalarClass] = []

    /// The byte at which each scalar begins, and at last the end; counted in the bytes given.
    private(set) var byteOffsets: [Int] = []

    var count: Int { values.count }

    init(_ text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes, in: 0..<bytes.count)
    }

    /// - Parameter bytes: Valid UTF-8, and `range` cuts no scalar: both come from `String`.
    init(_ bytes: [UInt8], in range: Range<Int>) {
        values.reserveCapacity(range.count)
        classes.reserveCapacity(range.count)
        byteOffsets.reserveCapacity(range.count + 1)
        var position = range.lowerBound
        while position < range.upperBound {
            byteOffsets.append(position)
            let first = bytes[position]
            var value: UInt32
            let length: Int
            switch first {
            case 0..<0x80: (value, length) = (UInt32(first), 1)
            case 0..<0xE0: (value, length) = (UInt32(first & 0x1F), 2)
            case 0..<0xF0: (value, length) = (UInt32(first & 0x0F), 3)
            default: (value, length) = (UInt32(first & 0x07), 4)
            }
            for next in 1..<max(length, 1) {
                value = value << 6 | UInt32(bytes[position + next] & 0x3F)
            }
            values.append(value)
            classes.append(ScalarClass.of(value))
            position += length
        }
        byteOffsets.append(range.upperBound)
    }

    /// The bytes that some scalars cover.
    func byteRange(of scalars: Range<Int>) -> Range<Int> {
        byteOffsets[scalars.lowerBound]..<byteOffsets[scalars.upperBound]
    }
}
