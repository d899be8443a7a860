/// How the rewards of one prompt's completions become group-relative advantages (GRPO).
///
///     advantage = (reward - mean) / (deviation + epsilon)      or, without division, reward - mean
///
/// A missing reward takes no part: mean and deviation are those of the others, and its advantage is
/// missing, too.
public struct AdvantageForm: Equatable, Sendable {
    /// Which deviation divides.
    public enum Deviation: Sendable {
        /// The square sum is divided by the count less 1.
        case sample
        /// The square sum is divided by the count.
        case population
    }

    /// What divides; `nil` where nothing does.
    public var deviation: Deviation?

    /// Added to the deviation, so that a small one does not make large advantages of noise.
    public var epsilon: Double

    /// Describes a form.
    public init(deviation: Deviation?, epsilon: Double) {
        self.deviation = deviation
        self.epsilon = epsilon
    }

    /// As TRL computes them.
    public static let trl = AdvantageForm(deviation: .sample, epsilon: 1e-4)

    /// As verl computes them.
    public static let verl = AdvantageForm(deviation: .sample, epsilon: 1e-6)

    /// Without division, which would give more weight to prompts whose rewards are alike (Dr GRPO).
    public static let drGRPO = AdvantageForm(deviation: nil, epsilon: 0)

    /// The advantages of one prompt's completions.
    ///
    /// Equal rewards give exact zeros: that is decided by comparing them, since the mean of equal
    /// numbers may differ from them in its last bit.
    ///
    /// - Parameter rewards: one for each completion; `nil` where there is none.
    /// - Returns: as many advantages, `nil` in the same places.
    public func advantages(of rewards: [Double?]) -> [Double?] {
        let present = rewards.compactMap { $0 }
        guard let first = present.first else { return rewards }
        guard present.contains(where: { $0 != first }) else {
            return rewards.map { $0.map { _ in 0 } }
        }
        let count = Double(present.count)
        let mean = present.reduce(0, +) / count
        var divisor = 1.0
        if let deviation {
            let squares = present.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            divisor = (squares / (deviation == .sample ? count - 1 : count)).squareRoot() + epsilon
        }
        return rewards.map { $0.map { ($0 - mean) / divisor } }
    }
}
