import SkeinCore
import SkeinWeights

/// What a model costs to run, and what a plan makes of hosts, power and money.
public struct Economics: Equatable, Sendable {
    /// Parameters of the main model.
    public let parameterCount: Int
    /// Parameters that one token meets.
    public let activeParameterCount: Int
    /// Operations of one token at the wanted length: weights, and absorbed attention.
    public let flopsPerToken: Double
    /// Operations of one token of a dense model with as many parameters, attention apart.
    public let denseFlopsPerToken: Double
    /// How many times the weights' operations a dense model would need.
    public let denseRatio: Double
    /// Bytes of one token's latent rows.
    public let cacheBytesPerToken: Int
    /// Bytes of one token if keys and values of all heads were kept.
    public let expandedBytesPerToken: Int
    /// Bytes of weights that one token reads, at the plan's rows a micro-batch.
    public let weightBytesPerToken: Double
    /// The same for a token alone in its micro-batch.
    public let weightBytesPerTokenAlone: Double
    /// Watts of all used hosts; `nil` where one is not known.
    public let watts: Double?
    /// Tokens a joule of all sequences together.
    public let tokensPerJoule: Double?
    /// Price of an hour of all used hosts; `nil` where one is not known.
    public let pricePerHour: Double?
    /// Tokens for one unit of money.
    public let tokensPerMoney: Double?
    /// Money for a million tokens.
    public let pricePerMillionTokens: Double?

    /// Takes stock of a plan.
    public init(_ plan: ClusterPlan) {
        let arithmetic = ModelArithmetic(plan.configuration, serving: plan.wish.serving)
        let model = ModelCosts(arithmetic)
        parameterCount = arithmetic.main.parameterCount
        activeParameterCount = arithmetic.activeParameterCount
        flopsPerToken =
            Double(arithmetic.flopsPerToken)
            + AttentionCost(arithmetic)
            .flops(rowCount: 1, positionSum: plan.wish.meanPositionCount)
        denseFlopsPerToken =
            2 * Double(arithmetic.main.parameterCount - arithmetic.embedding.parameterCount)
        denseRatio = denseFlopsPerToken / Double(arithmetic.flopsPerToken)
        cacheBytesPerToken = arithmetic.cacheBytesPerToken()
        expandedBytesPerToken = arithmetic.expandedBytesPerToken
        let rowCount =
            Double(plan.forecast.sequenceCount) / Double(plan.forecast.microBatchCount)
        weightBytesPerToken = model.weightBytes(rowCount: rowCount) / rowCount
        weightBytesPerTokenAlone = model.weightBytes(rowCount: 1)

        func sum(_ value: (PlannedHost) -> Double?) -> Double? {
            plan.ring.usedHosts.reduce(Optional(0.0)) { sum, host in
                guard let sum, let value = value(plan.hosts.hosts[host]) else { return nil }
                return sum + value
            }
        }
        let rate = plan.simulated.tokensPerSecond
        watts = sum(\.watts)
        tokensPerJoule = watts.flatMap { $0 > 0 ? rate / $0 : nil }
        pricePerHour = sum(\.pricePerHour)
        tokensPerMoney = pricePerHour.flatMap { $0 > 0 ? rate * 3_600 / $0 : nil }
        pricePerMillionTokens = tokensPerMoney.map { 1e6 / $0 }
    }
}

/// What training cost DeepSeek-V3's authors, by the sum of their report (section 1, table 1).
///
/// Research, failed runs, data and the hardware itself are not in it.
public struct TrainingBudget: Equatable, Sendable {
    /// Hours of one H800 for pre-training on 14.8 T tokens, 180 thousand for each T.
    public let pretrainingHours = 2_664_000
    /// Hours for longer contexts.
    public let contextExtensionHours = 119_000
    /// Hours for fine-tuning and reinforcement learning.
    public let posttrainingHours = 5_000
    /// What an hour is assumed to cost.
    public let dollarsPerHour: Double

    /// States the assumed price of an hour.
    public init(dollarsPerHour: Double = 2) { self.dollarsPerHour = dollarsPerHour }

    /// Hours of all three.
    public var hours: Int { pretrainingHours + contextExtensionHours + posttrainingHours }

    /// Dollars of all three.
    public var dollars: Double { Double(hours) * dollarsPerHour }
}
