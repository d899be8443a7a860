import SkeinCore

extension JSONValue {
    /// A whole number that is not negative; some servers write it with a fraction of 0.
    var count: Int? {
        guard let whole = integer ?? double.flatMap({ Int(exactly: $0) }) else { return nil }
        return whole >= 0 ? whole : nil
    }

    /// A measured number; `null` for one that was not, or is not finite, which JSON cannot hold.
    static func measured(_ number: Double?) -> JSONValue {
        guard let number, number.isFinite else { return .null }
        // Nine digits are more than any of these measurements has.
        return .number((number * 1e6).rounded() / 1e6)
    }

    /// A count; `null` for one that is not known.
    static func counted(_ count: Int?) -> JSONValue { count.map { .integer($0) } ?? .null }

    /// A text; `null` for one that is not known.
    static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
}
