internal import SkeinCore

extension JSONValue {
    /// An object; names without a value are left out.
    static func fields(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    /// A whole number.
    static func count(_ number: some BinaryInteger) -> JSONValue { .number(String(number)) }

    /// A number of seconds, to the microsecond.
    static func seconds(_ seconds: Double) -> JSONValue {
        .number(String((seconds * 1e6).rounded() / 1e6))
    }

    /// A log-probability; JSON has no infinity, and OpenAI writes -9999 for it.
    static func logprob(_ value: Float) -> JSONValue {
        .number(value.isFinite ? String(value) : "-9999.0")
    }

    /// Token numbers.
    static func tokens(_ tokens: [TokenID]) -> JSONValue {
        .array(tokens.map { .count($0.rawValue) })
    }
}
