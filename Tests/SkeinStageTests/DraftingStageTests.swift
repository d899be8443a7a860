import SkeinCore
import SkeinWire
import Testing

@testable import SkeinStage

/// A last stage that guesses ahead and verifies.
@Suite(.timeLimit(.minutes(2))) struct DraftingStageTests {
    private static let prompt: [TokenID] = (0..<30).map { TokenID(100 + 7 * $0) }

    /// Tokens of one sequence, and how many of them were drafts.
    private struct Answer {
        var tokens: [TokenID] = []
        var logprobs: [Float?] = []
        var acceptedCount = 0
        /// What was guessed, by the tokens that were known.
        var drafts: [Int: [TokenID]] = [:]
    }

    /// Decodes with so many drafts at a time.
    ///
    /// - Parameter restingCount: tokens before the first draft is wanted; the prediction layer
    ///   reads them.
    private static func answer(
        _ sampling: SamplingParameters, draftCount: Int, splits: Bool = false,
        restingCount: Int = 0
    ) async throws -> Answer {
        let rig = NodeRig(splits ? ["a", "b"] : ["a"])
        let ring =
            splits
            ? [(node: "a", layers: 0..<4), (node: "b", layers: 4..<6)]
            : [(node: "a", layers: 0..<6)]
        let placement = NodeRig.placement(ring, speculates: draftCount > 0)
        try await rig.place(
            Dictionary(uniqueKeysWithValues: ring.map { ($0.node, placement) }))
        var answer = Answer()
        var drafts: [TokenID] = []
        var number: UInt64 = 0
        while answer.tokens.count < 40 {
            number += 1
            let isFirst = answer.tokens.isEmpty
            var span = SequenceSpan(
                sequence: SequenceID(rawValue: 1),
                firstPosition: isFirst ? 0 : prompt.count + answer.tokens.count - 1,
                tokens: isFirst ? prompt : answer.tokens.suffix(1) + drafts,
                pageTable: [PageIndex(2), PageIndex(0)],
                demand: SamplingDemand(
                    parameters: sampling, promptTokens: sampling.needsHistory ? prompt : [],
                    completionTokens: sampling.needsHistory ? answer.tokens : []))
            span.draftCount = drafts.count
            span.isPredicted = draftCount > 0
            span.draftsWantedCount = answer.tokens.count < restingCount ? 0 : draftCount
            let microBatch = MicroBatch(
                id: MicroBatchID(rawValue: number), epoch: NodeRig.epoch,
                phase: isFirst ? .prefill : .decode, spans: [span])
            try await rig.send(
                .step(SkeinWire.Step(microBatch: microBatch)), to: "a", target: StageIndex(0))
            let back = try await rig.next { envelope -> TokenReturn? in
                if case .tokenReturn(let tokenReturn) = envelope.body { tokenReturn } else { nil }
            }
            answer.tokens += back.tokens.map(\.token)
            answer.logprobs += back.tokens.map(\.logprob)
            answer.acceptedCount += back.tokens.count - 1
            drafts = back.drafts.first ?? []
            #expect(drafts.count <= span.draftsWantedCount)
            if !drafts.isEmpty { answer.drafts[answer.tokens.count] = drafts }
        }
        try await rig.stop()
        answer.tokens = Array(answer.tokens.prefix(40))
        answer.logprobs = Array(answer.logprobs.prefix(40))
        return answer
    }

    private static let samplings: [SamplingParameters] = {
        var greedy = SamplingParameters()
        greedy.temperature = 0
        greedy.topLogprobsCount = 2
        var seeded = SamplingParameters()
        seeded.temperature = 0.8
        seeded.topP = 0.95
        seeded.seed = 17
        var penalised = seeded
        penalised.presencePenalty = 0.5
        penalised.repetitionPenalty = 1.2
        return [greedy, seeded, penalised]
    }()

    @Test(arguments: samplings)
    func tokensAndLogprobsAreTheSameWithAnyNumberOfDrafts(
        sampling: SamplingParameters
    ) async throws {
        let plain = try await Self.answer(sampling, draftCount: 0)
        var acceptedCount = 0
        for draftCount in 1...Limits.draftsMax {
            let answer = try await Self.answer(
                sampling, draftCount: draftCount, splits: draftCount.isMultiple(of: 2))
            #expect(answer.tokens == plain.tokens)
            #expect(answer.logprobs == plain.logprobs)
            acceptedCount += answer.acceptedCount
        }
        #expect(acceptedCount > 0)
    }

    @Test func draftsThatAreWantedLateAreThoseOfASequenceThatAlwaysHadSome() async throws {
        let always = try await Self.answer(Self.samplings[0], draftCount: 2)
        let late = try await Self.answer(Self.samplings[0], draftCount: 2, restingCount: 12)
        let both = Set(always.drafts.keys).intersection(late.drafts.keys)
        #expect(!both.isEmpty && late.drafts.keys.allSatisfy { $0 > 12 })
        for count in both { #expect(always.drafts[count] == late.drafts[count], "\(count)") }
    }

    /// It is told drafts that it did not make.
    @Test func aStageWithoutThePredictionLayerVerifiesAllTheSame() async throws {
        let rig = NodeRig(["a"])
        try await rig.place(["a": NodeRig.placement([(node: "a", layers: 0..<6)])])
        var span = SequenceSpan(
            sequence: SequenceID(rawValue: 1), firstPosition: 0, tokens: Self.prompt + [1, 2],
            pageTable: [PageIndex(0)],
            demand: SamplingDemand(parameters: Self.samplings[0]))
        span.draftCount = 2
        span.draftsWantedCount = 2
        try await rig.send(
            .step(
                SkeinWire.Step(
                    microBatch: MicroBatch(
                        id: MicroBatchID(rawValue: 1), epoch: NodeRig.epoch, phase: .decode,
                        spans: [span]))), to: "a", target: StageIndex(0))
        let back = try await rig.next { envelope -> TokenReturn? in
            if case .tokenReturn(let tokenReturn) = envelope.body { tokenReturn } else { nil }
        }
        #expect(back.tokens[0].position == Self.prompt.count && back.drafts.isEmpty)
        try await rig.stop()
    }
}
