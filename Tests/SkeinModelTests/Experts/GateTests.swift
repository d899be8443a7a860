import SkeinTensor
import Testing

@testable import SkeinCore
@testable import SkeinModel

@Suite struct GateTests {
    struct Method: Decodable {
        let method: String
        let scoring: String
        let n_experts: Int
        let n_group: Int
        let topk_group: Int
        let top_k: Int
        let norm_topk_prob: Bool
        let routed_scaling_factor: Float

        func routing() throws -> ModelConfiguration.Routing {
            ModelConfiguration.Routing(
                expertCount: n_experts, sharedExpertCount: 0, expertsPerTokenCount: top_k,
                groupCount: n_group, keptGroupCount: topk_group,
                method: try #require(ModelConfiguration.RoutingMethod(rawValue: method)),
                scoring: try #require(ModelConfiguration.Scoring(rawValue: scoring)),
                normalizesWeights: norm_topk_prob, scalingFactor: routed_scaling_factor,
                expertIntermediateSize: 1)
        }
    }

    struct Case: Decodable {
        let logits: [Float]
        let bias: [Float]?
        let indices: [Int]
        let weights: [Float]
    }

    struct Vectors: Decodable {
        struct CaseSet: Decodable {
            let method: Method
            let cases: [Case]

            enum CodingKeys: CodingKey { case cases }

            init(from decoder: any Decoder) throws {
                method = try Method(from: decoder)
                cases = try decoder.container(keyedBy: CodingKeys.self)
                    .decode([Case].self, forKey: .cases)
            }
        }

        struct Tie: Decodable {
            let method: Method
            let tie: Case

            init(from decoder: any Decoder) throws {
                method = try Method(from: decoder)
                tie = try Case(from: decoder)
            }
        }

        let sets: [CaseSet]
        let ties: [Tie]
    }

    private func vectors() throws -> Vectors {
        try Golden.decode(Vectors.self, Golden.oracle + "/vectors/router.json")
    }

    private func choose(
        _ logits: [Float], _ routing: ModelConfiguration.Routing, bias: [Float] = []
    ) -> ExpertChoice {
        let bias = bias.isEmpty ? [Float](repeating: 0, count: logits.count) : bias
        return Gate.choose(
            fromLogits: Tensor([logits]), routing: routing, bias: bias,
            on: ComputePool(threadCount: 1))
    }

    @Test func choicesAndWeightsAreTheVectors() throws {
        var largest: Float = 0
        for set in try vectors().sets {
            let routing = try set.method.routing()
            for expected in set.cases {
                let choice = choose(expected.logits, routing, bias: expected.bias ?? [])
                #expect(choice.experts == expected.indices, "\(set.method.method)")
                for (actual, wanted) in zip(choice.weights, expected.weights) {
                    largest = max(largest, abs(actual / wanted - 1))
                }
            }
        }
        // An exponential, a division and a sum of at most 160 numbers in F32.
        print("router vectors: largest relative error of a weight \(largest)")
        #expect(largest < 2e-6)
    }

    @Test func amongEqualsTheLowerIndexIsChosen() throws {
        for tie in try vectors().ties {
            let choice = choose(
                tie.tie.logits, try tie.method.routing(), bias: tie.tie.bias ?? [])
            #expect(choice.experts == tie.tie.indices)
            #expect(choice.weights == tie.tie.weights)
        }
    }

    private func routing(
        _ method: ModelConfiguration.RoutingMethod, slots: Int = 2, normalizes: Bool = true
    ) -> ModelConfiguration.Routing {
        ModelConfiguration.Routing(
            expertCount: 8, sharedExpertCount: 0, expertsPerTokenCount: slots, groupCount: 4,
            keptGroupCount: 2, method: method,
            scoring: method == .noAuxiliaryLoss ? .sigmoid : .softmax,
            normalizesWeights: normalizes, scalingFactor: 16, expertIntermediateSize: 1)
    }

    @Test func combineWeightsComeFromUnbiasedScores() {
        let choice = choose(
            [Float](repeating: 0, count: 8),
            routing(.noAuxiliaryLoss, normalizes: false), bias: [0, 0, 0, 9, 0, 0, 9, 0])
        #expect(choice.experts == [3, 6])
        #expect(choice.weights == [8, 8])
    }

    /// With groups masked by 0 instead of minus infinity, an expert of a dropped group would win.
    @Test func aDroppedGroupNeverReturnsWhereAllBiasedScoresAreNegative() {
        let bias: [Float] = [-2, -9, -3, -9, -4, -9, -2.5, -9]
        let choice = choose(
            [Float](repeating: 0, count: 8), routing(.noAuxiliaryLoss, slots: 4), bias: bias)
        #expect(choice.experts == [0, 1, 6, 7])
    }

    @Test func aGroupIsJudgedByItsTwoBestWhereABiasSteers() {
        // Group 0 has the single best expert, groups 1 and 2 the better pairs.
        let bias: [Float] = [3, -3, 2, 2, 1.5, 2, 0, 0]
        let zeros = [Float](repeating: 0, count: 8)
        #expect(choose(zeros, routing(.noAuxiliaryLoss), bias: bias).experts == [2, 3])
    }

    @Test func aGroupIsJudgedByItsBestInV2() {
        let logits: [Float] = [3, -3, 2, 2, 1.5, 2, 0, 0]
        let choice = choose(logits, routing(.groupLimitedGreedy, normalizes: false))
        #expect(choice.experts == [0, 2])
    }

    @Test func v2NormalisesOrScalesAndV3DoesBoth() {
        let zeros = [Float](repeating: 0, count: 8)
        #expect(choose(zeros, routing(.greedy)).weights == [0.5, 0.5])
        #expect(choose(zeros, routing(.greedy, normalizes: false)).weights == [2, 2])
        #expect(choose(zeros, routing(.greedy, slots: 1)).weights == [2])
        #expect(choose(zeros, routing(.noAuxiliaryLoss)).weights == [8, 8])
        #expect(choose(zeros, routing(.noAuxiliaryLoss, slots: 1)).weights == [16])
    }
}
