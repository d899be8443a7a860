/// How several rewards of one completion become one: a weighted sum.
public struct RewardWeights: Equatable, Sendable {
    /// One for each reward, in order.
    public let weights: [Double]

    /// States the weights.
    public init(_ weights: [Double]) { self.weights = weights }

    /// What a completion is worth.
    ///
    /// - Parameter rewards: as many as there are weights; one that is missing counts as nothing.
    /// - Returns: `nil` where all are missing.
    public func total(of rewards: [Double?]) -> Double? {
        precondition(rewards.count == weights.count, "\(rewards.count) rewards")
        guard rewards.contains(where: { $0 != nil }) else { return nil }
        return zip(rewards, weights).reduce(0) { $0 + ($1.0 ?? 0) * $1.1 }
    }
}
