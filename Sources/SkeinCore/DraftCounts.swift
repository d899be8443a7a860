/// Tokens that were guessed ahead for one answer.
public struct DraftCounts: Equatable, Sendable {
    /// Guesses that the model itself would have drawn: each saved a round.
    public var acceptedCount = 0
    /// Guesses that it would not have drawn.
    public var rejectedCount = 0

    /// Nothing was guessed yet.
    public init() {}

    /// The sum over several answers; `nil` where there are none.
    public init?(sumOf counts: [DraftCounts]) {
        if counts.isEmpty { return nil }
        for one in counts {
            acceptedCount += one.acceptedCount
            rejectedCount += one.rejectedCount
        }
    }
}
