public import SkeinCore

/// Natural log-probabilities from a row of raw logits: before penalties, temperature and filters.
public enum LogProbability {
    /// ln p(token) under the row's softmax.
    public static func of(_ token: TokenID, in logits: Span<Float>) throws(Refusal) -> Float {
        guard logits.indices.contains(Int(token.rawValue)) else {
            throw Refusal(
                "target", "token \(token) is beyond the vocabulary of \(logits.count)")
        }
        return try Normalizer(logits).logprob(logits[Int(token.rawValue)])
    }

    /// What turns a row's logits into log-probabilities.
    struct Normalizer {
        private let largest: Double
        private let logSum: Double

        /// Sums the row's exponentials in F64, over four sums in a fixed order.
        ///
        /// Refuses a row that holds NaN or infinity, or no number above minus infinity.
        init(_ logits: Span<Float>) throws(Refusal) {
            largest = Double(try LogProbability.largest(in: logits).logit)
            logSum = PortableMath.logarithm(LogProbability.sum(logits, largest))
        }

        /// The difference from the largest comes first: it is exact where both are huge.
        func logprob(_ logit: Float) -> Float { Float((Double(logit) - largest) - logSum) }
    }

    private static func sum(_ logits: Span<Float>, _ largest: Double) -> Double {
        var (s0, s1, s2, s3) = (0.0, 0.0, 0.0, 0.0)
        var index = 0
        while index + 4 <= logits.count {
            s0 += PortableMath.exponential(Double(logits[index]) - largest)
            s1 += PortableMath.exponential(Double(logits[index + 1]) - largest)
            s2 += PortableMath.exponential(Double(logits[index + 2]) - largest)
            s3 += PortableMath.exponential(Double(logits[index + 3]) - largest)
            index += 4
        }
        while index < logits.count {
            s0 += PortableMath.exponential(Double(logits[index]) - largest)
            index += 1
        }
        return (s0 + s1) + (s2 + s3)
    }

    /// The largest logit, the lower token on a tie.
    static func largest(
        in logits: Span<Float>
    ) throws(Refusal) -> (token: Int, logit: Float) {
        var token = -1
        var best = -Float.infinity
        for index in logits.indices {
            let logit = logits[index]
            // One comparison finds both NaN and infinity.
            guard logit < .infinity else {
                throw Refusal("logits", "token \(index) has \(logit), expected a finite number")
            }
            if logit > best {
                best = logit
                token = index
            }
        }
        guard token >= 0 else {
            throw Refusal("logits", "none of \(logits.count) is above minus infinity")
        }
        return (token, best)
    }
}
