/// How often one task's questions were answered rightly.
public struct TaskTally: Equatable, Sendable {
    /// Questions that were asked.
    public private(set) var count = 0
    private var rightCount = 0
    /// Of questions with choices: right by log-likelihood for each byte.
    private var normalizedCount: Int?

    /// Nothing was asked yet.
    public init() {}

    /// Takes a question's outcome.
    ///
    /// - Parameter normalized: whether the choice is right that has the best log-likelihood for
    ///   each byte; `nil` for questions without choices.
    public mutating func take(_ isRight: Bool, normalized: Bool? = nil) {
        count += 1
        rightCount += isRight ? 1 : 0
        if let normalized { normalizedCount = (normalizedCount ?? 0) + (normalized ? 1 : 0) }
    }

    /// The share that was right; `nil` where nothing was asked.
    public var accuracy: Double? { share(rightCount) }

    /// The same by log-likelihood for each byte; `nil` for questions without choices.
    public var normalizedAccuracy: Double? { normalizedCount.flatMap(share) }

    /// The standard error of a share of this many questions, as of a sample.
    ///
    /// - Returns: `nil` for fewer than two questions.
    public func standardError(of share: Double) -> Double? {
        count > 1 ? (share * (1 - share) / Double(count - 1)).squareRoot() : nil
    }

    private func share(_ part: Int) -> Double? { count > 0 ? Double(part) / Double(count) : nil }
}
