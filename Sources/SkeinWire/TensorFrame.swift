public import SkeinCore

/// A frame of raw values together with its description in the envelope.
public struct TensorFrame: Equatable, Sendable {
    /// The type of the values, little endian.
    public enum Element: Equatable, Sendable, CaseIterable {
        /// 32-bit floating point.
        case f32
        /// The upper half of an F32.
        case bf16
        /// 32-bit integers.
        case i32
        /// 8-bit floating point, E4M3.
        case f8e4m3

        /// Bytes of one value.
        public var byteCount: Int {
            switch self {
            case .f32, .i32: 4
            case .bf16: 2
            case .f8e4m3: 1
            }
        }
    }

    /// The type of the values.
    public let element: Element

    /// The first dimension.
    public let rowCount: Int

    /// The second dimension.
    public let columnCount: Int

    /// The values, row by row.
    public let frame: Frame

    /// Describes values that are already in wire form.
    ///
    /// - Precondition: `bytes.count == rows * columns * element.byteCount`.
    public init(_ element: Element, rows: Int, columns: Int, bytes: [UInt8]) {
        precondition(
            rows * columns * element.byteCount == bytes.count,
            "\(bytes.count) bytes are no [\(rows), \(columns)] of \(element)")
        self.element = element
        rowCount = rows
        columnCount = columns
        frame = Frame(bytes)
    }
}
