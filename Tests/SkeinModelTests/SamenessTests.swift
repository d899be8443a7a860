import SkeinCache
import SkeinCore
import SkeinModel
import SkeinTensor
import SkeinWeights
import Testing

/// A row's numbers depend on its own sequence alone: not one bit moves with slices, chunks,
/// neighbours, pages or threads.
@Suite struct SamenessTests {
    static let cases = [
        "v2lite", "v3", "v3fp8", "v32", "kimi", "glm4_moe_lite", "glm5_2", "glm5_2_fp8",
        "kimi_k25_int4", "mistral_large3",
    ]
    static let everything: Capture = [.logits, .hidden, .router]

    /// Tokens that cross three pages; the same on every machine.
    private func tokens(_ count: Int = 150, seed: Int = 1) -> [Int] {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % 285
        }
    }

    private func folder(_ name: String) -> String { "\(Golden.oracle)/\(name)" }

    @Test(arguments: cases, [2, 3, 4])
    func slicesDoNotChangeABit(name: String, sliceCount: Int) throws {
        let checkpoint = try Checkpoint.open(folder(name))
        let model = checkpoint.configuration
        let count = min(sliceCount, model.layerCount - model.layersWithinStages.count)
        let whole = try PipelineRig(checkpoint).run(tokens(), capture: Self.everything)
        let sliced = try PipelineRig(checkpoint, sliceCount: count)
            .run(tokens(), capture: Self.everything)
        #expect(sliced.bits == whole.bits)
    }

    @Test(arguments: cases, [1, 7, 64, 65])
    func chunksDoNotChangeABit(name: String, chunk: Int) throws {
        let whole = try PipelineRig(folder: folder(name)).run(tokens(), capture: Self.everything)
        let chunked = try PipelineRig(folder: folder(name))
            .run(tokens(), chunk: chunk, capture: Self.everything)
        #expect(chunked.bits == whole.bits)
    }

    @Test(arguments: cases, [2, 3])
    func threadsDoNotChangeABit(name: String, threadCount: Int) throws {
        let one = try PipelineRig(folder: folder(name)).run(tokens(), capture: Self.everything)
        let several = try PipelineRig(folder: folder(name), threadCount: threadCount)
            .run(tokens(), capture: Self.everything)
        #expect(several.bits == one.bits)
    }

    @Test(
        arguments: ["v3", "v3fp8", "v32", "glm5_2", "kimi_k2_thinking_int4", "mistral_large3"],
        Kernels.supported)
    func instructionsDoNotChangeABit(name: String, instructionSet: InstructionSet) throws {
        let usual = try PipelineRig(folder: folder(name)).run(tokens(), capture: Self.everything)
        let run = try PipelineRig(Checkpoint.open(folder(name)), instructionSets: [instructionSet])
            .run(tokens(), capture: Self.everything)
        #expect(run.bits == usual.bits)
    }

    @Test(arguments: cases)
    func fifteenNeighboursDoNotChangeABit(name: String) throws {
        let alone = try PipelineRig(folder: folder(name)).run(tokens(80), capture: Self.everything)
        let rig = try PipelineRig(folder: folder(name), threadCount: 2)
        let prompts = (0..<16).map { $0 == 11 ? tokens(80) : tokens(37 + $0 * 3, seed: $0 + 50) }
        var crowd = Outcome()
        // Neighbours come and go, each at its own position; every step has one row of ours, and
        // the first has seventy.
        var positions = [Int](repeating: 0, count: 16)
        while positions[11] < prompts[11].count {
            var spans: [SequenceSpan] = []
            var (firstRow, rowCount) = (0, 0)
            for sequence in 0..<16 where positions[sequence] < prompts[sequence].count {
                let first = positions[sequence]
                let length = sequence == 11 ? (first == 0 ? 70 : 1) : 1 + sequence % 5
                let end = min(first + length, prompts[sequence].count)
                if sequence == 11 {
                    firstRow = spans.reduce(0) { $0 + $1.tokens.count }
                    rowCount = end - first
                }
                spans.append(
                    PipelineRig.span(
                        UInt64(sequence), prompts[sequence][first..<end], from: first,
                        pages: [PageIndex(sequence), PageIndex(40 - sequence)]))
                positions[sequence] = end
            }
            let step = try rig.step(spans, capture: Self.everything)
            let total = spans.reduce(0) { $0 + $1.tokens.count }
            crowd.add(step.rows(firstRow..<firstRow + rowCount, of: total))
        }
        #expect(crowd.bits == alone.bits)
    }

    @Test(arguments: cases)
    func demandedRowsHaveTheLogitsOfAllRows(name: String) throws {
        let rig = try PipelineRig(folder: folder(name))
        let all = try rig.run(tokens(20))
        var spans = [
            PipelineRig.span(0, tokens(20)[...], from: 0),
            PipelineRig.span(1, tokens(20)[...6], from: 0, pages: [PageIndex(5)]),
            PipelineRig.span(2, tokens(20)[...3], from: 0, pages: [PageIndex(6)]),
        ]
        spans[0].demand = SamplingDemand(parameters: SamplingParameters())
        spans[2].targets = [1, 2, 3, 4]
        let output = try rig.slices[0].run(spans)
        #expect(output.logitRows == [19, 27, 28, 29, 30])
        let width = rig.checkpoint.configuration.vocabularySize
        let logits = try #require(output.logits)
        for (place, row) in [19, 0, 1, 2, 3].enumerated() {
            #expect(logits.row(place) == Array(all.logits[row * width..<(row + 1) * width]))
        }
    }

    @Test func aStepThatDemandsNothingGivesNoLogits() throws {
        let rig = try PipelineRig(folder: folder("v3"))
        let output = try rig.slices[0].run([PipelineRig.span(0, [1, 2, 3], from: 0)])
        #expect(output.logits?.rowCount == 0)
        #expect(output.logitRows.isEmpty)
    }

    /// Every row of a larger step writes over scratch that an earlier step left behind.
    @Test func earlierStepsLeaveNothingBehind() throws {
        let rig = try PipelineRig(folder: folder("v3fp8"))
        let first = try rig.run(tokens(70), capture: Self.everything)
        _ = try rig.run(tokens(130, seed: 9), capture: Self.everything)
        #expect(try rig.run(tokens(70), capture: Self.everything).bits == first.bits)
    }
}
