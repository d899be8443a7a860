import Foundation
import SkeinCore
import SkeinDecoding
import Testing

@Suite struct SamplerTests {
    struct Vectors: Decodable {
        struct Options: Decodable {
            var temperature: Float
            var top_k: Int
            var top_p: Float
            var min_p: Float
            var repetition_penalty: Float
            var presence_penalty: Float
            var frequency_penalty: Float
            var logit_bias: [String: Float]
            var prompt: [Int]
            var output: [Int]
        }
        struct Case: Decodable {
            var logits: [Float]
            var options: Options
            var probabilities: [Double]
        }
        var cases: [Case]
    }

    static func vectors() throws -> Vectors {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Tests/Golden/oracle/vectors/sampling.json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
    }

    static func demand(_ options: Vectors.Options) -> SamplingDemand {
        var parameters = SamplingParameters()
        parameters.temperature = options.temperature
        parameters.topK = options.top_k
        parameters.topP = options.top_p
        parameters.minP = options.min_p
        parameters.repetitionPenalty = options.repetition_penalty
        parameters.presencePenalty = options.presence_penalty
        parameters.frequencyPenalty = options.frequency_penalty
        for (token, bias) in options.logit_bias {
            parameters.logitBias[TokenID(Int(token) ?? -1)] = bias
        }
        return SamplingDemand(
            parameters: parameters, promptTokens: options.prompt.map { TokenID($0) },
            completionTokens: options.output.map { TokenID($0) })
    }

    @Test func distributionsEqualTheReference() throws {
        let cases = try Self.vectors().cases
        #expect(cases.count == 69)
        var sampler = Sampler()
        for (number, vector) in cases.enumerated() {
            let found = try sampler.distribution(
                vector.logits.span, demand: Self.demand(vector.options))
            var probabilities = [Double](repeating: 0, count: vector.logits.count)
            for (token, probability) in found {
                probabilities[Int(token.rawValue)] = probability
            }
            let difference = zip(probabilities, vector.probabilities).map { abs($0 - $1) }.max()
            // The reference divides by its temperature in F64, we by the F32 that was asked for.
            #expect(difference ?? 1 < 1e-7, "case \(number): \(difference ?? 1)")
            let kept = vector.probabilities.count { $0 > 0 }
            #expect(found.count == kept, "case \(number) keeps \(found.count), not \(kept)")
        }
    }

    static func parameters(
        temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, seed: UInt64 = 0
    ) -> SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.topK = topK
        parameters.topP = topP
        parameters.minP = minP
        parameters.seed = seed
        return parameters
    }

    static func noise(_ count: Int, seed: UInt64 = 9, scale: Float = 12) -> [Float] {
        (0..<count).map { Float(Philox.uniform(seed: seed, position: $0)) * scale - scale / 2 }
    }

    @Test(arguments: [
        parameters(), parameters(topK: 12), parameters(topP: 0.7), parameters(minP: 0.05),
        parameters(temperature: 0.6, topP: 0.95), parameters(temperature: 3, topK: 40, topP: 0.9),
    ])
    func drawsFollowTheDistribution(_ given: SamplingParameters) throws {
        let logits = Self.noise(50, scale: 6)
        var sampler = Sampler()
        var parameters = given
        parameters.seed = 77
        let demand = SamplingDemand(parameters: parameters)
        var counts = [Int](repeating: 0, count: logits.count)
        let draws = 6_000
        for position in 0..<draws {
            let sampled = try sampler.sample(
                logits.span, demand: demand, sequence: SequenceID(rawValue: 1), position: position)
            counts[Int(sampled.token.rawValue)] += 1
        }
        let expected = try sampler.distribution(logits.span, demand: demand)
        var isKept = [Bool](repeating: false, count: logits.count)
        for (token, probability) in expected {
            isKept[Int(token.rawValue)] = true
            let deviation = (Double(draws) * probability * (1 - probability)).squareRoot()
            let difference = Double(counts[Int(token.rawValue)]) - Double(draws) * probability
            #expect(abs(difference) < 5 * deviation + 1, "token \(token)")
        }
        #expect(counts.indices.allSatisfy { isKept[$0] || counts[$0] == 0 })
    }

    @Test func aDrawWithoutFiltersEqualsOneWithFiltersThatDropNothing() throws {
        let logits = Self.noise(5_000, scale: 4)
        var sampler = Sampler()
        for position in 0..<50 {
            let id = SequenceID(rawValue: 1)
            let open = try sampler.sample(
                logits.span, demand: SamplingDemand(parameters: Self.parameters(seed: 3)),
                sequence: id, position: position)
            let filtered = try sampler.sample(
                logits.span,
                demand: SamplingDemand(parameters: Self.parameters(topK: 5_000, seed: 3)),
                sequence: id, position: position)
            #expect(open.token == filtered.token && open.position == position)
        }
    }

    @Test func aSamplerThatWorkedBeforeDrawsLikeANewOne() throws {
        var used = Sampler()
        var parameters = Self.parameters(topP: 0.9, seed: 5)
        parameters.repetitionPenalty = 1.2
        parameters.topLogprobsCount = 3
        let demand = SamplingDemand(
            parameters: parameters, promptTokens: [1, 2, 2], completionTokens: [7, 7])
        for position in 0..<20 {
            let logits = Self.noise(300 + position * 40, seed: UInt64(position))
            var fresh = Sampler()
            let id = SequenceID(rawValue: 4)
            let first = try used.sample(
                logits.span, demand: demand, sequence: id, position: position)
            let second = try fresh.sample(
                logits.span, demand: demand, sequence: id, position: position)
            #expect(first == second)
        }
    }

    @Test func greedyTakesTheLargestAndTheLowerTokenOnATie() throws {
        var sampler = Sampler()
        let logits: [Float] = [1, 5, -3, 5, 4]
        var demand = SamplingDemand(parameters: SamplingParameters())
        let id = SequenceID(rawValue: 1)
        #expect(
            try sampler.sample(logits.span, demand: demand, sequence: id, position: 9).token == 1)
        demand.parameters.logitBias = [1: -1, 4: 1]
        #expect(
            try sampler.sample(logits.span, demand: demand, sequence: id, position: 9).token == 3)
    }

    @Test func logProbabilitiesComeFromRawLogits() throws {
        var sampler = Sampler()
        let logits: [Float] = [0, 2, 1, -1, 2]
        var parameters = Self.parameters(temperature: 0.1)
        parameters.topLogprobsCount = 3
        parameters.logitBias = [3: 100]
        let sampled = try sampler.sample(
            logits.span, demand: SamplingDemand(parameters: parameters),
            sequence: SequenceID(rawValue: 1), position: 2)
        #expect(sampled.token == 3)
        #expect(sampled.logprob == (try LogProbability.of(3, in: logits.span)))
        #expect(sampled.topLogprobs.map(\.token) == [1, 4, 2])
        #expect(sampled.topLogprobs[0].logprob == (try LogProbability.of(1, in: logits.span)))
        parameters.topLogprobsCount = 0
        let plain = try sampler.sample(
            logits.span, demand: SamplingDemand(parameters: parameters),
            sequence: SequenceID(rawValue: 1), position: 2)
        #expect(plain.logprob == sampled.logprob && plain.topLogprobs.isEmpty)
    }

    @Test(arguments: [0, 3, 9])
    func aTargetIsScoredWithItsAlternatives(_ topCount: Int) throws {
        var sampler = Sampler()
        let logits: [Float] = [0, 2, 1, -1, 2]
        let score = try sampler.score(3, in: logits.span, topCount: topCount)
        #expect(score.logprob == (try LogProbability.of(3, in: logits.span)))
        #expect(score.topLogprobs.map(\.token) == Array([1, 4, 2, 0, 3].prefix(topCount)))
        for top in score.topLogprobs {
            #expect(top.logprob == (try LogProbability.of(top.token, in: logits.span)))
        }
        #expect(throws: Refusal.self) {
            try sampler.score(5, in: logits.span, topCount: topCount)
        }
    }

    @Test func aMaskedTokenIsNeverDrawn() throws {
        var sampler = Sampler()
        var logits = [Float](repeating: -.infinity, count: 100)
        logits[40] = 0
        for position in 0..<200 {
            let sampled = try sampler.sample(
                logits.span, demand: SamplingDemand(parameters: Self.parameters(temperature: 9)),
                sequence: SequenceID(rawValue: 1), position: position)
            #expect(sampled.token == 40)
        }
    }

    @Test(arguments: [0, 1] as [Float])
    func aRowWithNaNIsRefusedInOneLine(_ temperature: Float) {
        var logits = Self.noise(64)
        logits[17] = .nan
        var sampler = Sampler()
        let demand = SamplingDemand(parameters: Self.parameters(temperature: temperature))
        #expect {
            _ = try sampler.sample(
                logits.span, demand: demand, sequence: SequenceID(rawValue: 1), position: 0)
        } throws: { error in
            (error as? Refusal)?.description
                == "logits: token 17 has nan, expected a finite number"
        }
    }

    @Test func tokensBeyondTheVocabularyAreRefused() {
        var sampler = Sampler()
        let logits = Self.noise(8)
        var biased = SamplingParameters()
        biased.logitBias = [8: 1]
        var penalised = SamplingParameters()
        penalised.frequencyPenalty = 1
        var repeated = SamplingParameters()
        repeated.repetitionPenalty = 2
        for (demand, line) in [
            (
                SamplingDemand(parameters: biased),
                "logit_bias: token 8 is beyond the vocabulary of 8"
            ),
            (
                SamplingDemand(parameters: penalised, completionTokens: [-1]),
                "history: token -1 is beyond the vocabulary of 8"
            ),
            (
                SamplingDemand(parameters: repeated, promptTokens: [900]),
                "history: token 900 is beyond the vocabulary of 8"
            ),
        ] {
            #expect {
                _ = try sampler.sample(
                    logits.span, demand: demand, sequence: SequenceID(rawValue: 1), position: 0)
            } throws: { error in
                (error as? Refusal)?.description == line
            }
        }
    }

    /// A partial ranking must be the beginning of the whole one, however many ranks are asked for.
    @Test(arguments: [1, 63, 64, 65, 500, 3_000])
    func theMostProbableTokensAreTheBeginningOfTheWholeOrder(_ count: Int) throws {
        // Few different values, so that ties are many.
        let logits = Self.noise(20_000).map { ($0 * 8).rounded() / 8 }
        var sampler = Sampler()
        let found = try sampler.distribution(
            logits.span, demand: SamplingDemand(parameters: Self.parameters(topK: count)))
        let order = logits.indices.sorted { left, right in
            logits[left] > logits[right] || (logits[left] == logits[right] && left < right)
        }
        #expect(found.map { Int($0.token.rawValue) } == Array(order.prefix(count)))
    }
}
