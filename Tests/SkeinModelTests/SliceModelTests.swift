import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights
import Testing

@testable import SkeinModel

@Suite struct SliceModelTests {
    private func greedy(_ rig: PipelineRig, from prompt: [Int], count: Int) throws -> [Int] {
        let width = rig.checkpoint.configuration.vocabularySize
        var logits = try rig.run(prompt).logits
        var tokens: [Int] = []
        for step in 0..<count {
            tokens += TopK.places(in: Array(logits.suffix(width)), kept: 1)
            logits = try rig.run([tokens[step]], from: prompt.count + step).logits
        }
        return tokens
    }

    /// The kernels give the same bits on every processor, so the list holds everywhere.
    @Test func theTinyModelSpeaksAsStored() async throws {
        let tokens = try await TinyModel.with(.fp8) { checkpoint in
            try greedy(PipelineRig(checkpoint), from: [0, 5, 9, 17], count: 24)
        }
        let stored = [
            42, 47, 22, 41, 62, 20, 10, 9, 62, 53, 18, 20, 10, 54, 23, 30, 26, 45, 63, 62, 53, 14,
            17, 41,
        ]
        #expect(tokens == stored)
    }

    @Test(arguments: SyntheticCheckpoint.Format.allCases)
    func slicesChunksAndThreadsDoNotChangeABit(format: SyntheticCheckpoint.Format) async throws {
        let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
        try await TinyModel.with(format) { checkpoint in
            let everything: Capture = [.logits, .hidden, .router]
            let whole = try PipelineRig(checkpoint).run(tokens, capture: everything)
            for (sliceCount, threadCount, chunk) in [(2, 1, 1), (3, 2, 7), (4, 2, 64)] {
                let rig = try PipelineRig(
                    checkpoint, sliceCount: sliceCount, threadCount: threadCount)
                let run = try rig.run(tokens, chunk: chunk, capture: everything)
                #expect(run.bits == whole.bits, "\(sliceCount), \(threadCount), \(chunk)")
            }
        }
    }

    @Test func slicesChunksAndThreadsDoNotChangeABitOfINT8Weights() async throws {
        let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
        try await TinyModel.with(.fp8) { checkpoint in
            let everything: Capture = [.logits, .hidden, .router]
            let stored = try PipelineRig(checkpoint).run(tokens, capture: everything)
            let whole = try PipelineRig(TinyModel.int8(of: checkpoint, threadCount: 1))
                .run(tokens, capture: everything)
            #expect(whole.bits != stored.bits)
            for (sliceCount, threadCount, chunk) in [(2, 1, 1), (3, 2, 7)] {
                let rig = try PipelineRig(
                    TinyModel.int8(of: checkpoint, threadCount: threadCount),
                    sliceCount: sliceCount, threadCount: threadCount)
                let run = try rig.run(tokens, chunk: chunk, capture: everything)
                #expect(run.bits == whole.bits, "\(sliceCount), \(threadCount), \(chunk)")
            }
        }
    }

    @Test(arguments: SyntheticCheckpoint.Format.allCases, [false, true])
    func slicesChunksThreadsAndInstructionsDoNotChangeABitOfFP8Latents(
        format: SyntheticCheckpoint.Format, isSparse: Bool
    ) async throws {
        let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
        let changes = isSparse ? [TinyModel.sparse] : []
        try await TinyModel.with(format, changing: changes) { checkpoint in
            let everything: Capture = [.logits, .hidden, .router]
            let plain = try PipelineRig(checkpoint).run(tokens, capture: everything)
            let whole = try PipelineRig(checkpoint, latentForm: .fp8)
                .run(tokens, capture: everything)
            #expect(whole.bits != plain.bits)
            for (sliceCount, threadCount, chunk) in [(2, 1, 1), (3, 2, 7), (4, 2, 64)] {
                for instructionSet in Kernels.supported {
                    let rig = try PipelineRig(
                        checkpoint, sliceCount: sliceCount, threadCount: threadCount,
                        instructionSets: [instructionSet], latentForm: .fp8)
                    let run = try rig.run(tokens, chunk: chunk, capture: everything)
                    #expect(
                        run.bits == whole.bits,
                        "\(sliceCount), \(threadCount), \(chunk), \(instructionSet)")
                }
            }
        }
    }

    @Test(arguments: SyntheticCheckpoint.Format.allCases, [false, true])
    func stagesOfDifferentInstructionsGiveTheBitsOfOne(
        format: SyntheticCheckpoint.Format, isInt8: Bool
    ) async throws {
        let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
        try await TinyModel.with(format) { stored in
            let checkpoint = isInt8 ? try TinyModel.int8(of: stored, threadCount: 1) : stored
            let everything: Capture = [.logits, .hidden, .router]
            let one = try PipelineRig(checkpoint, instructionSets: [.scalar])
                .run(tokens, capture: everything)
            for shift in Kernels.supported.indices {
                let all = Kernels.supported
                let mixed = Array(all[shift...] + all[..<shift])
                let run = try PipelineRig(
                    checkpoint, sliceCount: 4, threadCount: 2, instructionSets: mixed
                ).run(tokens, chunk: 40, capture: everything)
                #expect(run.bits == one.bits, "\(mixed)")
            }
        }
    }

    /// Attention and experts take a large step in parts to bound their memory.
    @Test(arguments: [(1, 1), (7, 5), (64, 30), (1_000, 3)], [false, true])
    func partsDoNotChangeABit(
        rowsMax: (attention: Int, experts: Int), isSparse: Bool
    ) async throws {
        let everything: Capture = [.logits, .hidden, .router]
        let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
        let spans = [
            PipelineRig.span(0, tokens[...], from: 0),
            PipelineRig.span(1, tokens[..<9], from: 0, pages: [PageIndex(9)]),
        ]
        let changes = isSparse ? [TinyModel.sparse] : []
        try await TinyModel.with(.fp8, changing: changes) { checkpoint in
            let whole = try PipelineRig(checkpoint).step(spans, capture: everything)
            let limits = PartLimits(
                attentionRowsMax: rowsMax.attention, expertRowsMax: rowsMax.experts)
            let parts = try PipelineRig(checkpoint, limits: limits)
                .step(spans, capture: everything)
            #expect(parts.bits == whole.bits)
        }
    }

    @Test func theOldestPositionsMatterToTheNewest() async throws {
        try await TinyModel.with(.bf16) { checkpoint in
            let tokens = (0..<100).map { ($0 * 29 + 3) % 64 }
            let rig = try PipelineRig(checkpoint)
            let whole = try rig.run(tokens).logits.suffix(64)
            let changed = try rig.run([1] + tokens.dropFirst()).logits.suffix(64)
            #expect(whole != changed)
        }
    }

    /// The residual between layers is BF16, so that a hop between any two loses nothing.
    @Test func everyLayersResidualIsBFloat16() async throws {
        try await TinyModel.with(.fp8) { checkpoint in
            let run = try PipelineRig(checkpoint).run([1, 2, 3, 4], capture: .hidden)
            for layer in 0..<4 {
                let values = run.floats[.hidden(LayerIndex(layer)), default: []]
                #expect(values.count == 4 * 48)
                #expect(values.allSatisfy { $0.bitPattern & 0xFFFF == 0 })
            }
        }
    }

    @Test(arguments: [
        (#""n_shared_experts": 1"#, #""n_shared_experts": 0"#),
        (#""q_lora_rank": 20"#, #""q_lora_rank": null"#),
        (#""num_experts_per_tok": 2"#, #""num_experts_per_tok": 1"#),
        (#""first_k_dense_replace": 2"#, #""first_k_dense_replace": 0"#),
        (#""bos_token_id": 0"#, #""bos_token_id": 0, "tie_word_embeddings": true"#),
        (#""n_routed_experts": 8"#, #""n_routed_experts": null"#),
    ])
    func everyPublishedShapeRuns(old: String, new: String) async throws {
        try await TinyModel.with(.fp8, changing: [(old, new)]) { checkpoint in
            let run = try PipelineRig(checkpoint, sliceCount: 2).run([3, 1, 4, 1, 5], chunk: 2)
            #expect(run.logits.count == 5 * 64)
            #expect(run.logits.allSatisfy { $0.isFinite && abs($0) < 100 })
        }
    }

    struct BadStep: Sendable, CustomStringConvertible {
        let description: String
        let reason: String
        let change: @Sendable (inout SequenceSpan) -> Void
    }

    static let badSteps = [
        BadStep(description: "no rows", reason: "has no rows") { $0.tokens = [] },
        BadStep(description: "token", reason: "token 64 is none of the vocabulary's 64") {
            $0.tokens[1] = 64
        },
        BadStep(description: "negative token", reason: "token -1 is none") { $0.tokens[0] = -1 },
        BadStep(description: "position", reason: "positions from -1 on") { $0.firstPosition = -1 },
        BadStep(description: "far position", reason: "expected all from 0 to 1279") {
            $0.firstPosition = 1_279
        },
        BadStep(description: "overflow", reason: "expected all from 0 to 1279") {
            $0.firstPosition = .max
        },
        BadStep(description: "pages", reason: "1 pages do not reach position 65") {
            $0.firstPosition = 64
        },
        BadStep(description: "page", reason: "page 64 is none of the pool's 64") {
            $0.pageTable = [PageIndex(64)]
        },
        BadStep(
            description: "copied page", reason: "copies page 64, which is none of the pool's 64"
        ) {
            $0.firstPosition = 1
            $0.pageCopy = PageCopy(source: PageIndex(64), target: PageIndex(0), rowCount: 1)
        },
        BadStep(description: "copy to another page", reason: "which does not hold position 1") {
            $0.firstPosition = 1
            $0.pageCopy = PageCopy(source: PageIndex(0), target: PageIndex(9), rowCount: 1)
        },
        BadStep(description: "copied rows", reason: "copies 2 rows before position 1, expected 1") {
            $0.firstPosition = 1
            $0.pageCopy = PageCopy(source: PageIndex(1), target: PageIndex(0), rowCount: 2)
        },
        BadStep(description: "copy of nothing", reason: "where a page begins") {
            $0.pageCopy = PageCopy(source: PageIndex(1), target: PageIndex(0), rowCount: 1)
        },
        BadStep(description: "negative page", reason: "page -1 is none of the pool's 64") {
            $0.pageTable = [PageIndex(-1)]
        },
    ]

    @Test(arguments: badSteps)
    func aStepThatCannotBeRunIsRefused(step: BadStep) async throws {
        try await TinyModel.with(.bf16) { checkpoint in
            var span = PipelineRig.span(4, [7, 8], from: 0)
            step.change(&span)
            let slice = try PipelineRig(checkpoint).slices[0]
            let error = #expect(throws: Refusal.self) { _ = try slice.run([span]) }
            #expect(error?.subject == "sequence 4")
            #expect(error?.reason.contains(step.reason) == true, "\(error?.reason ?? "")")
        }
    }

    @Test func aResidualOfTheWrongShapeIsRefused() async throws {
        try await TinyModel.with(.bf16) { checkpoint in
            let rig = try PipelineRig(checkpoint, sliceCount: 2)
            let span = PipelineRig.span(0, [7, 8], from: 0)
            let cases: [(Int, [SequenceSpan], Tensor?, String)] = [
                (0, [], nil, "has no rows"),
                (0, [span], Tensor(rows: 2, columns: 48), "layer 0 starts from tokens"),
                (1, [span], nil, "carries no residual for layer 2"),
                (1, [span], Tensor(rows: 3, columns: 48), "[3, 48], expected [2, 48]"),
                (1, [span], Tensor(rows: 2, columns: 47), "[2, 47], expected [2, 48]"),
            ]
            for (slice, spans, hidden, reason) in cases {
                let error = #expect(throws: Refusal.self) {
                    _ = try rig.slices[slice].run(spans, hidden: hidden)
                }
                #expect(error?.subject == "micro-batch")
                #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
            }
        }
    }
}
