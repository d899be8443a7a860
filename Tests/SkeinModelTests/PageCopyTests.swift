import SkeinCore
import SkeinWeights
import Testing

@testable import SkeinModel

/// A sequence that begins with another's rows gives the bytes that it gives alone.
@Suite struct PageCopyTests {
    private static let everything: Capture = [.logits, .hidden, .router]

    /// Latent rows and index keys lie in pages, each in two forms.
    static let kinds: [(form: LatentForm, isSparse: Bool)] = [
        (.bf16, false), (.fp8, false), (.bf16, true), (.fp8, true),
    ]

    @Test(arguments: [1, 9, 63, 65, 100, 127, 130], kinds)
    func rowsThatWereCopiedGiveTheSameBytesAsRowsThatWereRun(
        sharedCount: Int, kind: (form: LatentForm, isSparse: Bool)
    ) async throws {
        let form = kind.form
        let changes = kind.isSparse ? [TinyModel.sparse] : []
        let first = (0..<150).map { ($0 * 29 + 3) % 64 }
        let second = first.prefix(sharedCount) + (0..<40).map { ($0 * 11 + 5) % 64 }
        try await TinyModel.with(.fp8, changing: changes) { checkpoint in
            let alone = try PipelineRig(checkpoint, sliceCount: 2, latentForm: form)
                .run(Array(second), capture: Self.everything)
            let rig = try PipelineRig(checkpoint, sliceCount: 2, latentForm: form)
            _ = try rig.run(first, chunk: 50)
            // Whole pages of the first sequence are shared, and the rest goes to fresh ones.
            let rowCount = sharedCount % Limits.pageRowCount
            let ordinal = sharedCount / Limits.pageRowCount
            let pages = (0..<4).map { PageIndex($0 < ordinal ? $0 : 20 + $0) }
            var span = PipelineRig.span(2, second[sharedCount...], from: sharedCount, pages: pages)
            span.pageCopy = PageCopy(
                source: PageIndex(ordinal), target: PageIndex(20 + ordinal), rowCount: rowCount)
            let run = try rig.step([span], capture: Self.everything)
            let expected = alone.rows(sharedCount..<second.count, of: second.count)
            #expect(run.bits == expected.bits)
        }
    }

    /// The owner of the known page goes on to write behind the copied rows in the same step.
    @Test func anOwnerThatGoesOnInTheSameStepKeepsItsRowsAndGivesNoneAway() async throws {
        let first = (0..<21).map { ($0 * 29 + 3) % 64 }
        let second = first.prefix(10) + [60, 61]
        try await TinyModel.with(.bf16) { checkpoint in
            let aloneFirst = try PipelineRig(checkpoint).run(first)
            let aloneSecond = try PipelineRig(checkpoint).run(Array(second))
            let rig = try PipelineRig(checkpoint)
            _ = try rig.run(Array(first.prefix(20)))
            let owner = PipelineRig.span(1, first[20...], from: 20)
            var waiter = PipelineRig.span(2, second[10...], from: 10, pages: [PageIndex(7)])
            waiter.pageCopy = PageCopy(
                source: PageIndex(0), target: PageIndex(7), rowCount: 10)
            let run = try rig.step([owner, waiter], capture: .logits)
            #expect(run.rows(0..<1, of: 3) == aloneFirst.rows(20..<21, of: 21))
            #expect(run.rows(1..<3, of: 3) == aloneSecond.rows(10..<12, of: 12))
        }
    }
}
