import SkeinCore
import SkeinTensor
import SkeinWeights
import Testing

@testable import SkeinModel

/// Tiny checkpoints of every family against Hugging Face transformers in float32.
///
/// The bound is what transformers loses in bfloat16: for the median position, which shows the
/// arithmetic; the oracle allows half as much again for the rms of all rows, which is the luck of a
/// few flipped experts: two to twelve of 88 rows decide it.
@Suite struct OracleTests {
    static let cases = [
        "v2lite", "v2", "v3", "v3fp8", "v3fp8_ue8m0", "v32", "kimi", "glm4_moe_lite", "glm5",
        "glm5_2", "glm5_2_fp8", "kimi_k25_int4", "kimi_k2_thinking_int4", "mistral_large3",
    ]

    let toleranceFactor = 1.5

    private struct Case {
        let name: String
        let expected: ExpectedCase
        let tensors: GoldenTensors
        let rig: PipelineRig

        init(_ name: String) throws {
            let folder = "\(Golden.oracle)/\(name)"
            self.name = name
            expected = try Golden.decode(ExpectedCase.self, folder + "/expected.json")
            tensors = try GoldenTensors(folder + "/expected.safetensors")
            rig = try PipelineRig(folder: folder)
        }

        var model: ModelConfiguration { rig.checkpoint.configuration }
    }

    @Test(arguments: cases)
    func logitsAgreeWithTransformersInFloat32(name: String) throws {
        let golden = try Case(name)
        var (actual, wanted): ([Float], [Float]) = ([], [])
        for (index, prompt) in golden.expected.prompts.enumerated() {
            actual += try golden.rig.run(prompt.ids).logits
            wanted += try golden.tensors.floats("prompt.\(index).logits")
        }
        let deviation = Deviation(
            actual, from: wanted, columnCount: golden.model.vocabularySize)
        let yardstick = golden.expected.yardstick
        let rms = deviation.rmsRelative / yardstick.rmsRelative
        let median = deviation.medianRowRmsRelative / yardstick.medianPositionRmsRelative
        print("oracle \(name): logits at \(rms) (rms) and \(median) (median) of bfloat16's error")
        #expect(rms <= toleranceFactor)
        #expect(median <= 1)
    }

    /// A row's own arithmetic, apart from choices.
    ///
    /// Compared are rows before which, and at which, no expert was chosen otherwise; those after
    /// one attend to another answer's latents. The bound is what transformers loses in bfloat16
    /// with all choices given. Without the rows of flipped choices, which carry nine tenths of the
    /// squared error, no case reaches two thirds of it.
    @Test(arguments: cases.filter { !["v32", "glm5", "glm5_2", "glm5_2_fp8"].contains($0) })
    func rowsBeforeAnyOtherChoiceAreWithinBfloat16sErrorWithGivenChoices(name: String) throws {
        let golden = try Case(name)
        let choices = try #require(
            try Golden.decode(
                [String: [[String: [[Int32]]]]].self,
                Golden.root + "/Tests/Golden/choices/choices.json"
            )[name])
        var (actual, wanted): ([Float], [Float]) = ([], [])
        for (index, prompt) in golden.expected.prompts.enumerated() {
            let run = try golden.rig.run(prompt.ids, capture: [.logits, .router])
            let clearCount = choices[index].reduce(prompt.ids.count) { count, layer in
                let found = run.integers[
                    .routerIndexes(LayerIndex(Int(layer.key) ?? 0)), default: []]
                let slotCount = found.count / prompt.ids.count
                let flipped = layer.value.enumerated().first { row, experts in
                    experts != Array(found[row * slotCount..<(row + 1) * slotCount])
                }
                return min(count, flipped?.offset ?? count)
            }
            let clear = 0..<clearCount * golden.model.vocabularySize
            actual += run.logits[clear]
            wanted += try golden.tensors.floats("prompt.\(index).logits")[clear]
        }
        let rowCount = wanted.count / golden.model.vocabularySize
        let deviation = Deviation(
            actual, from: wanted, columnCount: golden.model.vocabularySize)
        let share = deviation.rmsRelative / golden.expected.forcedYardstick.rmsRelative
        print("oracle \(name): \(rowCount) rows at \(share) of bfloat16's error, choices given")
        #expect(rowCount >= golden.expected.prompts.count)
        #expect(share <= 1)
    }

    /// Reduced precision may flip a choice whose margin is small; from that layer on the numbers
    /// are another answer's, and only the layers before it are compared.
    @Test(arguments: cases)
    func hiddenStatesAndRoutesAgreeWithTransformersInFloat32(name: String) throws {
        let golden = try Case(name)
        let prompt = golden.expected.prompts[golden.expected.detailPrompt]
        let run = try golden.rig.run(prompt.ids, capture: [.logits, .hidden, .router])
        let bound = toleranceFactor * golden.expected.forcedYardstick.rmsRelative
        var deviations: [Double] = []
        for layer in 0..<golden.model.layerCount {
            if golden.model.layerIsMixture[layer] {
                guard let route = try routeDeviation(run, layer: layer, golden) else {
                    print("oracle \(name): layers before \(layer) at \(deviations)")
                    return
                }
                #expect(route <= bound, "layer \(layer)")
            }
            deviations.append(
                Deviation(
                    run.floats[.hidden(LayerIndex(layer)), default: []],
                    from: try golden.tensors.floats("detail.hidden.\(layer)"),
                    columnCount: golden.model.hiddenSize
                ).rmsRelative)
            #expect(deviations[layer] <= bound, "layer \(layer)")
        }
        let final = Deviation(
            run.floats[.finalHidden, default: []],
            from: try golden.tensors.floats("detail.final_norm"),
            columnCount: golden.model.hiddenSize)
        let logits = Deviation(
            run.logits,
            from: try golden.tensors.floats("prompt.\(golden.expected.detailPrompt).logits"),
            columnCount: golden.model.vocabularySize)
        deviations += [final.rmsRelative, logits.rmsRelative]
        print("oracle \(name): layers, final norm and logits at \(deviations), bound \(bound)")
        #expect(final.rmsRelative <= bound)
        #expect(logits.rmsRelative <= bound)
    }

    /// How far a layer's combine weights are from the reference's; `nil` where a choice differs.
    private func routeDeviation(
        _ run: Outcome, layer: Int, _ golden: Case
    ) throws -> Double? {
        let expected = try golden.tensors.integers("detail.router.\(layer).indices")
        let margins = try golden.tensors.floats("detail.router.\(layer).margin")
        let actual = run.integers[.routerIndexes(LayerIndex(layer)), default: []]
        let slotCount = expected.count / margins.count
        var agrees = true
        for row in margins.indices {
            let slots = row * slotCount..<(row + 1) * slotCount
            guard actual[slots] != expected[slots] else { continue }
            agrees = false
            // Scores of order one, of rows whose residual is about 1 % off.
            #expect(margins[row] < 0.005, "layer \(layer), row \(row)")
        }
        guard agrees else { return nil }
        return Deviation(
            run.floats[.routerWeights(LayerIndex(layer)), default: []],
            from: try golden.tensors.floats("detail.router.\(layer).weights"),
            columnCount: slotCount
        ).rmsRelative
    }

    /// Up to the first step where the reference's lead is small, its tokens are the only answer.
    ///
    /// After that step its tokens are fed, and a flipped expert, or position, may still move one of
    /// them.
    @Test(arguments: cases)
    func greedyTokensFollowTheReference(name: String) throws {
        let golden = try Case(name)
        let vocabularySize = golden.model.vocabularySize
        let unclear = 4 * golden.expected.forcedYardstick.maxAbsolute
        var (followed, total) = (0, 0)
        for prompt in golden.expected.prompts {
            let clearCount =
                prompt.greedyMargin.firstIndex { $0 < unclear } ?? prompt.greedy.count
            var logits = try golden.rig.run(prompt.ids).logits
            for (step, token) in prompt.greedy.enumerated() {
                let best = TopK.places(in: logits.suffix(vocabularySize).map { $0 }, kept: 1)
                if step < clearCount { #expect(best == [token], "step \(step)") }
                total += 1
                followed += best == [token] ? 1 : 0
                logits = try golden.rig.run([token], from: prompt.ids.count + step).logits
            }
        }
        print("oracle \(name): \(followed) of \(total) greedy tokens follow the reference")
        #expect(followed * 10 >= total * (golden.model.indexer == nil ? 9 : 8))
    }

    /// Which positions rows attend to.
    ///
    /// A row that has chosen otherwise in one layer is another answer's in the layers after it.
    /// The bounds are what was measured, rounded: more rows stray in GLM's cases than in V3.2's.
    @Test(arguments: [
        (name: "v32", agreedTenths: 9, farOffShare: 50),
        (name: "glm5", agreedTenths: 8, farOffShare: 25),
        (name: "glm5_2", agreedTenths: 8, farOffShare: 25),
        (name: "glm5_2_fp8", agreedTenths: 8, farOffShare: 25),
    ])
    func theIndexerSelectsThePositionsOfTheReference(
        name: String, agreedTenths: Int, farOffShare: Int
    ) throws {
        let golden = try Case(name)
        let keptCount = try #require(golden.model.indexer).topK
        // A slice for each layer that chooses, so that each one's selection is at hand.
        let choosing = (0..<golden.model.layerCount).filter(golden.model.hasOwnIndexer)
        let rig = try PipelineRig(golden.rig.checkpoint, sliceCount: choosing.count)
        #expect(rig.slices.map(\.slice.layers.lowerBound) == choosing)
        _ = try rig.run(golden.expected.prompts[2].ids)
        var (agreed, compared, farOff) = (0, 0, 0)
        var strayed: Set<Int> = []
        for (layer, slice) in zip(choosing, rig.slices) {
            let selected = try golden.tensors.integers("indexer.\(layer).selected")
            let margins = try golden.tensors.floats("indexer.\(layer).margin")
            let selection = try #require(slice.scratch.selection)
            for (position, margin) in margins.enumerated() {
                let row = selected[position * keptCount..<(position + 1) * keptCount]
                let expected = row.filter { $0 >= 0 }.map(Int.init)
                let found = selection.positions(row: position, position: position)
                guard !strayed.contains(position) else { continue }
                compared += 1
                if found == expected {
                    agreed += 1
                    continue
                }
                // Scores spread by 0.7; those of rows whose residual is about 1 % off.
                if margin >= 0.04 { farOff += 1 }
                strayed.insert(position)
            }
        }
        print("oracle \(name): \(agreed) of \(compared) rows attend to the reference's positions")
        #expect(agreed * 10 >= compared * agreedTenths)
        // An expert that was chosen otherwise in a layer before moves a row as far as another
        // selection does, and the reference does not tell this prompt's experts. With attention in
        // F32 throughout there are two such rows, too.
        #expect(farOff * farOffShare <= compared, "\(farOff) choices beyond the margin")
    }
}
