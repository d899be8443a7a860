/// Tokens that were guessed ahead for one answer.
public struct DraftCounts: Equatable, Sendable {
    /// Guesses that the model itself would have drawn: each saved a round.
    public var acceptedCount: Int
    /// Guesses that it would not have drawn.
    public var rejectedCount: Int

    /// Counts so many of each; by default nothing was guessed yet.
    public init(acceptedCount: Int = 0, rejectedCount: Int = 0) {
        self.acceptedCount = acceptedCount
        self.rejectedCount = rejectedCount
    }

    /// The sum over several answers; `nil` where there are none.
    public init?(sumOf counts: [DraftCounts]) {
        if counts.isEmpty { return nil }
        acceptedCount = counts.reduce(0) { $0 + $1.acceptedCount }
        rejectedCount = counts.reduce(0) { $0 + $1.rejectedCount }
    }
}
