import SkeinCore

/// A row of logits after penalties and bias, in F64.
struct AdjustedScores {
    private(set) var values: [Double] = []
    private(set) var largestToken = 0
    private var wasSeen: [Bool] = []

    /// Takes a row as it is.
    mutating func copy(_ logits: Span<Float>) {
        values.removeAll(keepingCapacity: true)
        values.reserveCapacity(logits.count)
        for index in logits.indices { values.append(Double(logits[index])) }
    }

    /// Takes a row, drops what is not allowed, then repetition, frequency and presence penalties
    /// and the bias.
    mutating func fill(_ logits: Span<Float>, _ demand: SamplingDemand) throws(Refusal) {
        largestToken = try LogProbability.largest(in: logits).token
        copy(logits)
        if let allowed = demand.allowed { try drop(allButThose: allowed) }
        let parameters = demand.parameters
        guard parameters.needsHistory || !parameters.logitBias.isEmpty else { return }
        if parameters.repetitionPenalty != 1 {
            let penalty = Double(parameters.repetitionPenalty)
            try forEachDistinct(demand.promptTokens + demand.completionTokens, "history") {
                $0 = $0 > 0 ? $0 / penalty : $0 * penalty
            }
        }
        if parameters.frequencyPenalty != 0 {
            for token in demand.completionTokens {
                values[try index(of: token, "history")] -= Double(parameters.frequencyPenalty)
            }
        }
        if parameters.presencePenalty != 0 {
            try forEachDistinct(demand.completionTokens, "history") {
                $0 -= Double(parameters.presencePenalty)
            }
        }
        for (token, bias) in parameters.logitBias {
            values[try index(of: token, "logit_bias")] += Double(bias)
        }
        try findLargest()
    }

    /// `exp((score - largest) / temperature)`.
    @inline(__always)
    func weight(of token: Int, temperature: Double) -> Double {
        PortableMath.exponential((values[token] - values[largestToken]) / temperature)
    }

    /// The sum of all weights, over four sums in a fixed order.
    func weightSum(temperature: Double) -> Double {
        let largest = values[largestToken]
        var (s0, s1, s2, s3) = (0.0, 0.0, 0.0, 0.0)
        var index = 0
        while index + 4 <= values.count {
            s0 += PortableMath.exponential((values[index] - largest) / temperature)
            s1 += PortableMath.exponential((values[index + 1] - largest) / temperature)
            s2 += PortableMath.exponential((values[index + 2] - largest) / temperature)
            s3 += PortableMath.exponential((values[index + 3] - largest) / temperature)
            index += 4
        }
        while index < values.count {
            s0 += PortableMath.exponential((values[index] - largest) / temperature)
            index += 1
        }
        return (s0 + s1) + (s2 + s3)
    }

    private mutating func forEachDistinct(
        _ tokens: [TokenID], _ subject: String, _ change: (inout Double) -> Void
    ) throws(Refusal) {
        if wasSeen.count < values.count {
            wasSeen = [Bool](repeating: false, count: values.count)
        }
        for token in tokens { _ = try index(of: token, subject) }
        for token in tokens where !wasSeen[Int(token.rawValue)] {
            wasSeen[Int(token.rawValue)] = true
            change(&values[Int(token.rawValue)])
        }
        for token in tokens { wasSeen[Int(token.rawValue)] = false }
    }

    private func index(of token: TokenID, _ subject: String) throws(Refusal) -> Int {
        guard values.indices.contains(Int(token.rawValue)) else {
            throw Refusal(subject, "token \(token) is beyond the vocabulary of \(values.count)")
        }
        return Int(token.rawValue)
    }

    /// Gives every token that is not allowed the probability 0, whatever is added later.
    private mutating func drop(allButThose allowed: AllowedTokens) throws(Refusal) {
        guard allowed.vocabularySize == values.count else {
            throw Refusal(
                "allowed tokens",
                "are of a vocabulary of \(allowed.vocabularySize), the row has \(values.count)")
        }
        switch allowed.form {
        case .tokens(let tokens):
            let kept = tokens.map { values[Int($0.rawValue)] }
            for index in values.indices { values[index] = -.infinity }
            for (token, value) in zip(tokens, kept) { values[Int(token.rawValue)] = value }
        case .bits(let words):
            for (place, word) in words.enumerated() where word != .max {
                let first = place << 6
                for offset in 0..<min(64, values.count - first)
                where word >> UInt64(offset) & 1 == 0 {
                    values[first + offset] = -.infinity
                }
            }
        }
        try findLargest()
    }

    private mutating func findLargest() throws(Refusal) {
        largestToken = 0
        for index in values.indices where values[index] > values[largestToken] {
            largestToken = index
        }
        guard values[largestToken].isFinite else {
            throw Refusal(
                "logits",
                "the largest allowed is \(values[largestToken]) after penalties and bias, expected "
                    + "a number"
            )
        }
    }
}
