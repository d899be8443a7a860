import SkeinCache
import SkeinCore
import SkeinModel
import SkeinTensor
import SkeinWeights
import Testing

/// Guessing ahead and verifying, as the last stage does it.
@Suite struct DraftTests {
    /// One sequence that is decoded step by step.
    private struct Decoder {
        let rig: PipelineRig
        let prediction: MultiTokenPrediction
        let draftCount: Int
        /// Replaces what is guessed; `nil` keeps it.
        var guess: ((_ position: Int, _ draft: TokenID) -> TokenID)?
        var stepCount = 0
        var acceptedCount = 0

        init(_ rig: PipelineRig, draftCount: Int) throws {
            self.rig = rig
            self.draftCount = draftCount
            let model = rig.checkpoint.configuration
            prediction = try MultiTokenPrediction(
                checkpoint: rig.checkpoint,
                latents: LatentPool(
                    layers: MultiTokenPrediction.layers(of: model), pageCount: 64,
                    rowWidth: model.latentRowWidth, indexKeyWidth: model.indexer?.headSize ?? 0),
                compute: ComputePool(threadCount: 1))
        }

        /// Greedy tokens after a prompt that runs in chunks.
        mutating func run(_ prompt: [Int], chunk: Int, count: Int) throws -> [TokenID] {
            let pageCount = PageIndex.count(ofRows: prompt.count + count + 8)
            let pages = (0..<pageCount).map { PageIndex($0) }
            var drafts: [TokenID] = []
            var tokens: [TokenID] = []
            for first in stride(from: 0, to: prompt.count, by: chunk) {
                let end = min(first + chunk, prompt.count)
                var span = PipelineRig.span(0, prompt[first..<end], from: first, pages: pages)
                if end < prompt.count {
                    span.followingToken = TokenID(prompt[end])
                } else {
                    span.demand = SamplingDemand(parameters: SamplingParameters())
                }
                (tokens, drafts) = try step(span)
            }
            while tokens.count < count {
                var span = PipelineRig.span(0, [], from: 0, pages: pages)
                span.firstPosition = prompt.count + tokens.count - 1
                span.tokens = tokens.suffix(1) + drafts
                span.draftCount = drafts.count
                span.demand = SamplingDemand(parameters: SamplingParameters())
                stepCount += 1
                let (drawn, further) = try step(span)
                acceptedCount += drawn.count - 1
                tokens += drawn
                drafts = further
            }
            return Array(tokens.prefix(count))
        }

        private func step(_ span: SequenceSpan) throws -> ([TokenID], [TokenID]) {
            let output = try #require(rig.slices.first).run([span])
            var drawn: [TokenID] = []
            if span.demand != nil, let logits = output.logits {
                #expect(logits.rowCount == span.draftCount + 1)
                var expected = span.drafts
                for row in 0..<logits.rowCount {
                    let token = TokenID(TopK.places(in: logits, row: row, kept: 1)[0])
                    drawn.append(token)
                    guard expected.popFirst() == token else { break }
                }
            }
            guard draftCount > 0 else { return (drawn, []) }
            var rows = span
            let wrongCount = span.draftCount - max(0, drawn.count - 1)
            let kept = span.tokens.dropLast(wrongCount)
            rows.tokens = kept.dropFirst() + [try #require(span.followingToken ?? drawn.last)]
            let wanted = span.demand == nil ? 0 : draftCount
            let drafts = try prediction.drafts(
                for: [DraftRequest(span: rows, firstRow: 0, draftCount: wanted)],
                finalHidden: rig.slices[0].finalHidden())
            #expect(drafts[0].count == wanted)
            let next = rows.firstPosition + rows.tokens.count + 1
            return (drawn, drafts[0].enumerated().map { guess?(next + $0, $1) ?? $1 })
        }
    }

    private static let prompt = (0..<61).map { ($0 * 37 + 11) % 97 }

    private func plain(_ folder: String, count: Int) throws -> [TokenID] {
        var decoder = try Decoder(PipelineRig(folder: folder), draftCount: 0)
        return try decoder.run(Self.prompt, chunk: 100, count: count)
    }

    @Test(arguments: ["v3", "v3fp8", "v3fp8_ue8m0"], 1...Limits.draftsMax)
    func greedyTokensAreTheSameWithAnyNumberOfDrafts(name: String, draftCount: Int) throws {
        let folder = "\(Golden.oracle)/\(name)"
        let expected = try plain(folder, count: 40)
        var decoder = try Decoder(PipelineRig(folder: folder), draftCount: draftCount)
        #expect(try decoder.run(Self.prompt, chunk: 9, count: 40) == expected)
    }

    /// Rows of drafts that were right are kept, those of wrong ones are written again.
    @Test(arguments: [1, 2, 3, 4], [2, 3, 5])
    func draftsThatAreRightSaveStepsAndWrongOnesLeaveNothing(
        draftCount: Int, wrongEvery: Int
    ) throws {
        let folder = "\(Golden.oracle)/v3fp8"
        let expected = try plain(folder, count: 60)
        var decoder = try Decoder(PipelineRig(folder: folder), draftCount: draftCount)
        decoder.guess = { position, draft in
            let place = position - Self.prompt.count
            guard place < expected.count, position % wrongEvery != 0 else {
                return TokenID((Int(draft.rawValue) + 1) % 97)
            }
            return expected[place]
        }
        #expect(try decoder.run(Self.prompt, chunk: 16, count: 60) == expected)
        #expect(decoder.acceptedCount > 10)
        #expect(decoder.stepCount + decoder.acceptedCount >= 59)
    }

    @Test func furtherDraftsAreThoseOfTransformers() throws {
        for name in ["v3", "v3fp8", "v3fp8_ue8m0"] {
            let folder = "\(Golden.oracle)/\(name)"
            let expected = try Golden.decode(ExpectedCase.self, folder + "/expected.json")
            let entry = try #require(expected.mtp)
            let rig = try PipelineRig(folder: folder)
            let decoder = try Decoder(rig, draftCount: 2)
            _ = try rig.run(expected.prompts[entry.prompt].ids, capture: [])
            var span = PipelineRig.span(0, entry.tokens[...], from: 0)
            span.pageTable = (0..<8).map { PageIndex($0) }
            let drafts = try decoder.prediction.drafts(
                for: [DraftRequest(span: span, firstRow: 0, draftCount: 2)],
                finalHidden: rig.slices[0].finalHidden())
            let unclear = 4 * expected.forcedYardstick.maxAbsolute
            let first = TokenID(entry.draft[entry.draft.count - 1])
            if entry.draftMargin[entry.draft.count - 1] >= unclear {
                #expect(drafts[0][0] == first)
            }
            if drafts[0][0] == first, entry.recursiveDraftMargin >= unclear {
                #expect(drafts[0][1] == TokenID(entry.recursiveDraft))
            }
        }
    }

    @Test func nothingIsGuessedBeyondASequencesPages() throws {
        let rig = try PipelineRig(folder: "\(Golden.oracle)/v3fp8")
        let decoder = try Decoder(rig, draftCount: 4)
        let tokens = (0..<62).map { $0 % 97 }
        _ = try rig.run(tokens, capture: [])
        let span = PipelineRig.span(0, tokens[...], from: 0)
        let drafts = try decoder.prediction.drafts(
            for: [DraftRequest(span: span, firstRow: 0, draftCount: 4)],
            finalHidden: rig.slices[0].finalHidden())
        #expect(drafts[0].count == 3)
    }
}
