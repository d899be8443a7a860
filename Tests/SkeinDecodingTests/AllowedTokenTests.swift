import SkeinCore
import SkeinDecoding
import Testing

/// Tokens that are not allowed are never drawn, and nothing else changes.
@Suite struct AllowedTokenTests {
    private static let sequence = SequenceID(rawValue: 1)
    private static let logits: [Float] = (0..<200).map { Float(($0 * 37) % 101) / 10 }

    private static func demand(
        _ allowed: [Int]?, temperature: Float = 1, seed: UInt64 = 0
    ) -> SamplingDemand {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.seed = seed
        parameters.topLogprobsCount = 3
        return SamplingDemand(
            parameters: parameters,
            allowed: allowed.map {
                AllowedTokens(vocabularySize: 200, tokens: $0.map { TokenID($0) })
            })
    }

    @Test func theLargestAllowedIsDrawnGreedily() throws {
        var sampler = Sampler()
        let demand = Self.demand([3, 5, 190], temperature: 0)
        let token = try sampler.sample(
            Self.logits.span, demand: demand, sequence: Self.sequence, position: 9)
        let best = [3, 5, 190].max { Self.logits[$0] < Self.logits[$1] }
        #expect(Int(token.token.rawValue) == best)
    }

    @Test(arguments: [nil, 4, 100], [Float(1), 0.5])
    func onlyAllowedOnesAreDrawn(_ topK: Int?, _ topP: Float) throws {
        var sampler = Sampler()
        let allowed = Array(stride(from: 0, to: 200, by: 7))
        var drawn: Set<Int> = []
        for seed in 0..<300 {
            var demand = Self.demand(allowed, temperature: 3, seed: UInt64(seed))
            demand.parameters.topK = topK ?? 0
            demand.parameters.topP = topP
            demand.parameters.logitBias = [1: 100, 7: -1]
            demand.parameters.repetitionPenalty = 1.5
            demand.promptTokens = [2, 14]
            let token = try sampler.sample(
                Self.logits.span, demand: demand, sequence: Self.sequence, position: seed)
            drawn.insert(Int(token.token.rawValue))
        }
        #expect(drawn.isSubset(of: allowed) && drawn.count > (topP < 1 ? 0 : 2))
    }

    @Test func probabilitiesAmongTheAllowedKeepTheirProportions() throws {
        var sampler = Sampler()
        let all = try sampler.distribution(Self.logits.span, demand: Self.demand(nil))
        let some = try sampler.distribution(Self.logits.span, demand: Self.demand([10, 20, 30]))
        let expected = all.filter { [10, 20, 30].contains($0.token) }
        let sum = expected.reduce(0) { $0 + $1.probability }
        #expect(some.map(\.token) == expected.map(\.token))
        for (one, other) in zip(some, expected) {
            #expect(abs(one.probability - other.probability / sum) < 1e-12)
        }
    }

    @Test func logProbabilitiesAreOfTheWholeRow() throws {
        var sampler = Sampler()
        let free = try sampler.sample(
            Self.logits.span, demand: Self.demand(nil, temperature: 0), sequence: Self.sequence,
            position: 0)
        let bound = try sampler.sample(
            Self.logits.span, demand: Self.demand([8], temperature: 0), sequence: Self.sequence,
            position: 0)
        #expect(bound.token == 8 && bound.topLogprobs == free.topLogprobs)
        let expected = try LogProbability.of(8, in: Self.logits.span)
        #expect(bound.logprob == expected)
    }

    @Test func anotherVocabularyIsRefused() {
        var sampler = Sampler()
        var demand = Self.demand(nil)
        demand.allowed = AllowedTokens(vocabularySize: 100, tokens: [1])
        #expect(throws: Refusal.self) {
            try sampler.sample(
                Self.logits.span, demand: demand, sequence: Self.sequence, position: 0)
        }
    }
}
