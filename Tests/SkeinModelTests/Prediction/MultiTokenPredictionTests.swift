import SkeinCache
import SkeinCore
import SkeinModel
import SkeinTensor
import SkeinWeights
import Testing

@Suite struct MultiTokenPredictionTests {
    private func prediction(_ checkpoint: Checkpoint) throws -> MultiTokenPrediction {
        let model = checkpoint.configuration
        return try MultiTokenPrediction(
            checkpoint: checkpoint,
            latents: LatentPool(
                layers: MultiTokenPrediction.layers(of: model), pageCount: 4,
                rowWidth: model.latentRowWidth, indexKeyWidth: model.indexer?.headSize ?? 0),
            compute: ComputePool(threadCount: 1))
    }

    private func finalHidden(_ rig: PipelineRig, _ tokens: [Int]) throws -> Tensor {
        _ = try rig.run(tokens, capture: [])
        return rig.slices[0].finalHidden()
    }

    @Test(arguments: ["v3", "v3fp8", "v3fp8_ue8m0", "glm5", "glm5_2", "glm5_2_fp8"])
    func draftsAgreeWithTransformersInFloat32(name: String) throws {
        let folder = "\(Golden.oracle)/\(name)"
        let expected = try Golden.decode(ExpectedCase.self, folder + "/expected.json")
        let tensors = try GoldenTensors(folder + "/expected.safetensors")
        let entry = try #require(expected.mtp)
        let rig = try PipelineRig(folder: folder)
        let layer = try prediction(rig.checkpoint)
        let hidden = try finalHidden(rig, expected.prompts[entry.prompt].ids)
        let output = try layer.run(
            [PipelineRig.span(0, entry.tokens[...], from: 0)], finalHidden: hidden)

        let width = rig.checkpoint.configuration.vocabularySize
        let logits = Deviation(
            output.logits.values(), from: try tensors.floats("mtp.logits"), columnCount: width)
        let own = Deviation(
            output.hidden.values(), from: try tensors.floats("mtp.hidden"),
            columnCount: hidden.columnCount)
        let yardstick = expected.yardstick
        print(
            "oracle \(name): mtp logits at \(logits.rmsRelative / yardstick.rmsRelative) (rms) and "
                + "\(logits.medianRowRmsRelative / yardstick.medianPositionRmsRelative) (median) "
                + "of bfloat16's error")
        #expect(logits.rmsRelative <= 1.5 * yardstick.rmsRelative)
        #expect(logits.medianRowRmsRelative <= 1.5 * yardstick.medianPositionRmsRelative)
        #expect(own.rmsRelative <= 1.5 * yardstick.rmsRelative)
        let unclear = 4 * expected.forcedYardstick.maxAbsolute
        for (row, draft) in entry.draft.enumerated() where entry.draftMargin[row] >= unclear {
            #expect(TopK.places(in: output.logits, row: row, kept: 1) == [draft])
        }

        let last = Tensor([output.hidden.row(entry.tokens.count - 1)])
        let further = try layer.run(
            [PipelineRig.span(0, [entry.draft[entry.draft.count - 1]], from: entry.tokens.count)],
            finalHidden: last)
        let recursive = Deviation(
            further.logits.values(), from: try tensors.floats("mtp.recursive_logits"),
            columnCount: width)
        // A single position, where one flipped expert is most of the error.
        #expect(recursive.rmsRelative <= yardstick.worstPositionRmsRelative)
    }

    @Test func chunksDoNotChangeABit() throws {
        try expectAnyChunksToGiveTheSameBits(Checkpoint.open("\(Golden.oracle)/v3fp8"))
    }

    @Test func chunksOfSparseAttentionDoNotChangeABit() async throws {
        try await TinyModel.with(.fp8, changing: [TinyModel.sparse]) {
            try expectAnyChunksToGiveTheSameBits($0)
        }
    }

    private func expectAnyChunksToGiveTheSameBits(_ checkpoint: Checkpoint) throws {
        let rig = try PipelineRig(checkpoint)
        let vocabularySize = checkpoint.configuration.vocabularySize
        let tokens = (0..<70).map { ($0 * 37 + 11) % vocabularySize }
        let hidden = try finalHidden(rig, tokens)
        let next = tokens.dropFirst() + [3]
        let whole = try prediction(rig.checkpoint).run(
            [PipelineRig.span(0, ArraySlice(next), from: 0)], finalHidden: hidden
        ).logits.values()
        let layer = try prediction(rig.checkpoint)
        var chunked: [Float] = []
        for first in stride(from: 0, to: 70, by: 9) {
            let rows = first..<min(first + 9, 70)
            chunked += try layer.run(
                [PipelineRig.span(0, ArraySlice(Array(next)[rows]), from: first)],
                finalHidden: Tensor(rows.map { hidden.row($0) })
            ).logits.values()
        }
        #expect(chunked.map(\.bitPattern) == whole.map(\.bitPattern))
    }

    @Test func aModelWithoutTheLayerIsRefused() throws {
        let checkpoint = try Checkpoint.open("\(Golden.oracle)/v2")
        let error = #expect(throws: Refusal.self) { try prediction(checkpoint) }
        #expect(error?.reason == "has no multi-token-prediction layer")
    }
}
