import SkeinCore

extension JSONValue {
    /// The elements of a list.
    var elements: [JSONValue]? { array }

    /// A whole number that is not negative.
    var count: Int? { integer.flatMap { $0 >= 0 ? $0 : nil } }

    /// A measured number; `null` for one that is not finite, which JSON cannot hold.
    static func measured(_ number: Double) -> JSONValue {
        // Nine digits are more than any of these measurements has.
        .number((number * 1e6).rounded() / 1e6)
    }
}
