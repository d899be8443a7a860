import SkeinCore
import Testing

@testable import SkeinStage

@Suite struct KnownSequencesTests {
    private static func span(
        _ number: UInt64, at position: Int = 0, rows: Int = 1, pages: [Int], label: String = ""
    ) -> SequenceSpan {
        SequenceSpan(
            sequence: SequenceID(rawValue: number), firstPosition: position,
            tokens: [TokenID](repeating: 1, count: rows),
            pageTable: pages.map { PageIndex($0) }, label: label)
    }

    private static func microBatch(_ numbers: ClosedRange<UInt64>) -> MicroBatch {
        MicroBatch(
            id: MicroBatchID(rawValue: 1), epoch: Epoch(rawValue: 1), phase: .decode,
            spans: numbers.map { span($0, pages: [0]) })
    }

    @Test func aNameIsToldOnceAndKeptUntilTheRelease() {
        var sequences = KnownSequences()
        let isFirst = sequences.onSpan(Self.span(1, rows: 8, pages: [4], label: "req_a"))
        let isSecond = sequences.onSpan(Self.span(1, at: 8, pages: [4]))
        #expect(isFirst && !isSecond)
        #expect(sequences.labels(of: Self.microBatch(1...1)) == "req_a")
        let left = sequences.onRelease(SequenceID(rawValue: 1))
        let again = sequences.onRelease(SequenceID(rawValue: 1))
        #expect(left?.rowCount == 9 && again == nil)
        #expect(sequences.labels(of: Self.microBatch(1...1)) == "")
    }

    @Test func aSharedPageIsCountedOnceUntilItsLastOwnerLeaves() {
        var sequences = KnownSequences()
        _ = sequences.onSpan(Self.span(1, pages: [4, 5]))
        _ = sequences.onSpan(Self.span(2, pages: [4, 6]))
        _ = sequences.onSpan(Self.span(2, pages: [4, 6, 7]))
        #expect(sequences.usedPageCount == 4)
        _ = sequences.onRelease(SequenceID(rawValue: 1))
        #expect(sequences.usedPageCount == 3)
        _ = sequences.onRelease(SequenceID(rawValue: 2))
        #expect(sequences.usedPageCount == 0)
    }

    @Test func aSequenceThatBeginsAgainHasItsNewPagesOnly() {
        var sequences = KnownSequences()
        _ = sequences.onSpan(Self.span(1, pages: [4, 5, 6]))
        _ = sequences.onSpan(Self.span(1, pages: [9]))
        #expect(sequences.usedPageCount == 1)
    }

    @Test func manyRequestsAreNamedByTheFirstOfThem() {
        var sequences = KnownSequences()
        for number in 1...30 {
            _ = sequences.onSpan(Self.span(UInt64(number), pages: [0], label: "r\(number)"))
        }
        let labels = sequences.labels(of: Self.microBatch(1...30))
        #expect(labels.split(separator: ",").count == Limits.loggedRequestsMax + 1)
        #expect(labels.hasPrefix("r1,r2,") && labels.hasSuffix(",…"))
    }

    @Test func whoNeverReleasesCostsABoundedMemory() {
        var sequences = KnownSequences()
        for number in 0..<(Limits.stageSequencesMax + 10) {
            _ = sequences.onSpan(Self.span(UInt64(number), pages: [number]))
        }
        #expect(sequences.usedPageCount == Limits.stageSequencesMax)
    }
}
