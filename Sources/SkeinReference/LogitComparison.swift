internal import Foundation

/// How a form's probabilities of a text compare with those of the yardstick, token by token.
public struct LogitComparison: Equatable, Sendable {
    /// Tokens that were predicted.
    public private(set) var tokenCount = 0
    private var negativeLogLikelihood = 0.0
    private var divergence = 0.0
    private var agreeingCount = 0
    private var comparedCount = 0

    /// Nothing was compared yet.
    public init() {}

    /// Takes the prediction of one token.
    ///
    /// - Parameters:
    ///   - logits: the form's.
    ///   - yardstick: those that they are held against; `nil` where there are none.
    ///   - next: the token that follows in the text.
    public mutating func take(_ logits: [Float], yardstick: [Float]?, next: Int) {
        let found = Self.logProbabilities(logits)
        tokenCount += 1
        negativeLogLikelihood -= found[next]
        guard let yardstick else { return }
        let wanted = Self.logProbabilities(yardstick)
        divergence += zip(wanted, found).reduce(0) { sum, pair in
            pair.0 == -.infinity ? sum : sum + exp(pair.0) * (pair.0 - pair.1)
        }
        agreeingCount += Self.best(logits) == Self.best(yardstick) ? 1 : 0
        comparedCount += 1
    }

    /// Takes the prediction of one token of which only its probability is known.
    public mutating func take(logprob: Double) {
        tokenCount += 1
        negativeLogLikelihood -= logprob
    }

    /// Nats a token; `nil` where nothing was predicted.
    public var lossPerToken: Double? {
        tokenCount > 0 ? negativeLogLikelihood / Double(tokenCount) : nil
    }

    /// The perplexity of the text.
    public var perplexity: Double? { lossPerToken.map { exp($0) } }

    /// The mean of KL(yardstick || form), in nats; `nil` without a yardstick.
    public var meanDivergence: Double? {
        comparedCount > 0 ? divergence / Double(comparedCount) : nil
    }

    /// The share of tokens whose most probable successor is the yardstick's.
    public var agreement: Double? {
        comparedCount > 0 ? Double(agreeingCount) / Double(comparedCount) : nil
    }

    /// ln p of every token.
    public static func logProbabilities(_ logits: [Float]) -> [Double] {
        let best = Double(logits.max() ?? 0)
        let sum = logits.reduce(0.0) { $0 + exp(Double($1) - best) }
        let total = best + log(sum)
        return logits.map { Double($0) - total }
    }

    /// The lowest of the most probable tokens.
    private static func best(_ logits: [Float]) -> Int {
        logits.indices.max { (logits[$0], $1) < (logits[$1], $0) } ?? 0
    }
}
