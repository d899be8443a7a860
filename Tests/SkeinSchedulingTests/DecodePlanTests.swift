import SkeinCore
import Testing

@testable import SkeinScheduling

@Suite struct DecodePlanTests {
    @Test(arguments: [
        // All ready: each of the free micro-batches gets its share.
        (8, 8, 4, 0, 2),
        (9, 9, 4, 0, 3),
        // Two are in the ring: those that are ready share the two free places.
        (4, 8, 4, 2, 2),
        // A burst does not fill one micro-batch beyond an even share.
        (8, 8, 4, 3, 2),
        (1, 16, 4, 3, 1),
        (0, 8, 4, 2, 0),
        // No place is free, as after the number of micro-batches shrank.
        (6, 12, 2, 5, 6),
    ])
    func readySequencesAreSpreadEvenly(
        _ ready: Int, _ live: Int, _ microBatches: Int, _ inFlight: Int, _ expected: Int
    ) {
        #expect(
            DecodePlan.spanCount(
                readyCount: ready, liveCount: live, microBatchCount: microBatches,
                inFlightCount: inFlight) == expected)
    }

    @Test func aMicroBatchKeepsToTheLimitOfSpans() {
        let many = 10 * Limits.microBatchSpansMax
        #expect(
            DecodePlan.spanCount(
                readyCount: many, liveCount: many, microBatchCount: 1, inFlightCount: 0)
                == Limits.microBatchSpansMax)
    }
}
