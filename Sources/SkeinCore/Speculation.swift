/// How many tokens the model's own prediction layer guesses ahead.
///
/// A guess saves a round of the ring where it is right and costs rows where it is wrong; the answer
/// is the same.
public enum Speculation: String, CaseIterable, Sendable {
    /// None: the prediction layer is not loaded.
    case off
    /// As many as pay, by what is measured.
    case auto
    /// One.
    case one = "1"
    /// Two.
    case two = "2"
    /// Three.
    case three = "3"
    /// Four.
    case four = "4"

    /// Guesses at most at a time, 0 to `Limits.draftsMax`.
    public var draftsMax: Int {
        switch self {
        case .off: 0
        case .auto: Limits.draftsMax
        default: Int(rawValue) ?? 0
        }
    }
}
