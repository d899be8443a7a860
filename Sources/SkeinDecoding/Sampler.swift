public import SkeinCore

/// Turns a row of logits into a token.
///
/// Tokens that are not allowed are dropped first. Then penalties, bias, temperature, min-p, top-k,
/// top-p, then one draw: the token at which the sum of probabilities, in falling order and the
/// lower token first on ties, passes a random number that depends on the seed and the position
/// alone. The same row and demand give the same token on
/// every host; what the sampler keeps between rows is only memory to work in.
public struct Sampler: Sendable {
    /// A token that the filters keep, with `exp((score - largest score) / temperature)`.
    private struct Candidate {
        var token: Int
        var weight: Double
    }

    private var scores = AdjustedScores()
    private var ranking = RankedScores()

    /// Opens a sampler.
    public init() {}

    /// Draws the token after a row.
    ///
    /// - Parameters:
    ///   - logits: The row, one score for each vocabulary entry.
    ///   - demand: How to draw, and the history where the penalties need it.
    ///   - sequence: Whose token it is.
    ///   - position: The position that the token takes in its sequence.
    /// - Throws: A refusal where the row holds NaN or infinity, or where the history or the bias
    ///   names a token beyond the vocabulary.
    public mutating func sample(
        _ logits: Span<Float>, demand: SamplingDemand, sequence: SequenceID, position: Int
    ) throws(Refusal) -> SampledToken {
        let token = try draw(logits, demand: demand, position: position)
        var sampled = SampledToken(
            sequence: sequence, position: position, token: TokenID(token))
        if let count = demand.parameters.topLogprobsCount {
            let normalizer = try LogProbability.Normalizer(logits)
            sampled.logprob = normalizer.logprob(logits[token])
            sampled.topLogprobs = topLogprobs(of: logits, count: count, normalizer)
        }
        return sampled
    }

    /// Scores a row's true next token by the raw logits.
    ///
    /// - Parameter topCount: The most probable tokens to name with it.
    /// - Throws: A refusal where the row holds NaN or infinity, or where the token lies beyond the
    ///   vocabulary.
    public mutating func score(
        _ target: TokenID, in logits: Span<Float>, topCount: Int
    ) throws(Refusal) -> TargetScore {
        guard topCount > 0 else {
            return TargetScore(logprob: try LogProbability.of(target, in: logits))
        }
        guard logits.indices.contains(Int(target.rawValue)) else {
            throw Refusal(
                "target", "token \(target) is beyond the vocabulary of \(logits.count)")
        }
        let normalizer = try LogProbability.Normalizer(logits)
        return TargetScore(
            logprob: normalizer.logprob(logits[Int(target.rawValue)]),
            topLogprobs: topLogprobs(of: logits, count: topCount, normalizer))
    }

    /// The distribution that the token is drawn from, in falling order; what the filters drop is
    /// left out.
    public mutating func distribution(
        _ logits: Span<Float>, demand: SamplingDemand
    ) throws(Refusal) -> [(token: TokenID, probability: Double)] {
        guard demand.parameters.temperature > 0 else {
            return [(TokenID(try draw(logits, demand: demand, position: 0)), 1)]
        }
        try adjust(logits, demand)
        let kept = kept(by: demand.parameters)
        let total = kept.reduce(0) { $0 + $1.weight }
        return kept.map { (TokenID($0.token), $0.weight / total) }
    }

    private mutating func draw(
        _ logits: Span<Float>, demand: SamplingDemand, position: Int
    ) throws(Refusal) -> Int {
        let parameters = demand.parameters
        guard parameters.temperature > 0 else {
            if !parameters.adjustsLogits, demand.allowed == nil {
                return try LogProbability.largest(in: logits).token
            }
            try adjust(logits, demand)
            return scores.largestToken
        }
        try adjust(logits, demand)
        let random = Philox.uniform(seed: parameters.seed, position: position)
        guard parameters.filtersTokens else { return drawFromAll(random, parameters) }
        let kept = kept(by: parameters)
        let mark = random * kept.reduce(0) { $0 + $1.weight }
        var sum = 0.0
        for candidate in kept {
            sum += candidate.weight
            if sum > mark { return candidate.token }
        }
        return kept[kept.count - 1].token
    }

    private mutating func adjust(
        _ logits: Span<Float>, _ demand: SamplingDemand
    ) throws(Refusal) {
        ranking.reset()
        try scores.fill(logits, demand)
    }

    /// Draws where no filter is set, without ranking more tokens than the draw passes.
    private mutating func drawFromAll(
        _ random: Double, _ parameters: SamplingParameters
    ) -> Int {
        let mark = random * scores.weightSum(temperature: Double(parameters.temperature))
        var (sum, last, place) = (0.0, scores.largestToken, 0)
        while let candidate = candidate(at: place, parameters), candidate.weight > 0 {
            sum += candidate.weight
            last = candidate.token
            if sum > mark { break }
            place += 1
        }
        return last
    }

    /// The tokens that the filters keep, in falling order, at least one.
    ///
    /// Min-p, top-k and top-p each keep the beginning of that order, so collecting ends at the
    /// first token that one of them drops. Renormalising after min-p and top-k matters to top-p
    /// alone: its share is of what they kept.
    private mutating func kept(by parameters: SamplingParameters) -> [Candidate] {
        var kept: [Candidate] = []
        let (topP, minP) = (Double(parameters.topP), Double(parameters.minP))
        if parameters.topK > 0 || minP > 0 {
            let countMax = parameters.topK > 0 ? parameters.topK : Int.max
            while kept.count < countMax,
                let candidate = candidate(at: kept.count, parameters),
                candidate.weight > 0, candidate.weight >= minP
            {
                kept.append(candidate)
            }
            if topP < 1 {
                let mark = topP * kept.reduce(0) { $0 + $1.weight }
                var sum = 0.0
                let end = kept.firstIndex { candidate in
                    defer { sum += candidate.weight }
                    return sum >= mark
                }
                if let end { kept.removeSubrange(max(end, 1)...) }
            }
        } else {
            let mark =
                topP < 1
                ? topP * scores.weightSum(temperature: Double(parameters.temperature)) : .infinity
            var sum = 0.0
            while sum < mark, let candidate = candidate(at: kept.count, parameters),
                candidate.weight > 0
            {
                kept.append(candidate)
                sum += candidate.weight
            }
        }
        if kept.isEmpty { kept.append(Candidate(token: scores.largestToken, weight: 1)) }
        return kept
    }

    private mutating func candidate(
        at place: Int, _ parameters: SamplingParameters
    ) -> Candidate? {
        guard let token = ranking.token(at: place, of: scores.values, hint: parameters.topK) else {
            return nil
        }
        let weight = scores.weight(of: token, temperature: Double(parameters.temperature))
        return Candidate(token: token, weight: weight)
    }

    private mutating func topLogprobs(
        of logits: Span<Float>, count: Int, _ normalizer: LogProbability.Normalizer
    ) -> [TokenLogprob] {
        guard count > 0 else { return [] }
        scores.copy(logits)
        ranking.reset()
        return (0..<min(count, logits.count)).compactMap { place in
            ranking.token(at: place, of: scores.values, hint: count).map { token in
                TokenLogprob(
                    token: TokenID(token), logprob: normalizer.logprob(logits[token]))
            }
        }
    }
}

extension SamplingParameters {
    /// Whether penalties or bias change the logits.
    fileprivate var adjustsLogits: Bool { needsHistory || !logitBias.isEmpty }

    /// Whether any filter may drop tokens.
    fileprivate var filtersTokens: Bool { topK > 0 || minP > 0 || topP < 1 }
}
