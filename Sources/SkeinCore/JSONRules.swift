/// What a JSON text may hold, which depends on who wrote it.
public struct JSONRules: Sendable {
    /// What becomes of text that the standard allows and readers understand differently: a name
    /// that stands twice in an object, and half of a surrogate pair.
    public enum Ambiguity: Sendable {
        /// It is refused: the writer may have meant the other thing.
        case refused

        /// The last value counts and the half becomes U+FFFD, as most readers have it.
        case settled
    }

    /// Levels of nesting.
    public let depthMax: Int

    /// Values in the whole text.
    public let valueCountMax: Int

    /// What becomes of ambiguous text.
    public let ambiguity: Ambiguity

    /// Sets the limits.
    public init(depthMax: Int, valueCountMax: Int, ambiguity: Ambiguity) {
        self.depthMax = depthMax
        self.valueCountMax = valueCountMax
        self.ambiguity = ambiguity
    }

    /// A file whose numbers decide what is allocated or computed, such as `config.json`.
    public static let file = JSONRules(
        depthMax: Limits.jsonDepthMax, valueCountMax: Limits.jsonValuesMax, ambiguity: .refused)

    /// A file that others read leniently, such as `tokenizer.json`, and what a server or a model
    /// answers.
    public static let lenient = JSONRules(
        depthMax: Limits.jsonDepthMax, valueCountMax: Limits.jsonValuesMax, ambiguity: .settled)

    /// The request of a client.
    public static let client = JSONRules(
        depthMax: Limits.jsonDepthMax, valueCountMax: Limits.jsonRequestValuesMax,
        ambiguity: .refused)
}
