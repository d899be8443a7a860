/// One vocabulary entry.
public struct TokenID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The row of the embedding and of the head that belongs to this token.
    public let rawValue: Int32

    /// Wraps a vocabulary row number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Wraps a vocabulary row number.
    public init(_ value: Int) { rawValue = Int32(value) }

    /// Orders tokens by their row number.
    public static func < (left: TokenID, right: TokenID) -> Bool { left.rawValue < right.rawValue }
}

extension TokenID: ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// A literal row number, for tests and tables.
    public init(integerLiteral value: Int32) { rawValue = value }

    /// The row number in decimal.
    public var description: String { String(rawValue) }
}
