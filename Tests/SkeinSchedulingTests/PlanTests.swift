import SkeinCore
import SkeinScheduling
import Testing

@Suite struct DecodePlanTests {
    @Test(arguments: [
        // Without latency one micro-batch for each node.
        (4, 10.0, 0.0, 0.0, PlacementKind.linear, 4),
        (8, 10, 0, 0, .vfold, 4),
        (1, 10, 5, 5, .linear, 1),
        // T = 4 * 10 + 3 * (5 + 1) + 5 = 63, so 7 of 10 each.
        (4, 10, 5, 1, .linear, 7),
        // T = 8 * 10 + 6 * (5 + 1) = 116, so 6 of 20 each.
        (8, 10, 5, 1, .vfold, 6),
        // A slow link is the bottleneck: T = 40 + 3 * 25 + 5 = 120, so 6 of 20 each.
        (4, 10, 5, 20, .linear, 6),
        // Not measured yet.
        (4, 0, 5, 1, .linear, 4),
        (8, 0, 0, 0, .vfold, 4),
    ])
    func theCountIsTheRoundOverTheBottleneck(
        _ stages: Int, _ compute: Double, _ latency: Double, _ payload: Double,
        _ placement: PlacementKind, _ expected: Int
    ) {
        let count = DecodePlan.microBatchCount(
            stageCount: stages, compute: .milliseconds(compute),
            latency: .milliseconds(latency), payload: .milliseconds(payload),
            placement: placement)
        #expect(count == expected)
    }

    @Test func theBubbleShareVanishesAtTheCountAndNotBefore() {
        func share(_ count: Int) -> Double {
            DecodePlan.bubbleShare(
                microBatchCount: count, stageCount: 4, compute: .milliseconds(10),
                latency: .milliseconds(5), payload: .milliseconds(1))
        }
        #expect(abs(share(1) - (1 - 10.0 / 63)) < 1e-9)
        #expect(share(6) > 0 && share(7) == 0 && share(20) == 0)
    }

    @Test func vastLatencyStaysWithinTheLimit() {
        let count = DecodePlan.microBatchCount(
            stageCount: 4, compute: .nanoseconds(1), latency: .seconds(100), payload: .zero)
        #expect(count == Limits.microBatchesInFlightMax)
    }
}

@Suite struct StopRuleTests {
    static let rule = StopRule(
        completionTokensMax: 3, endTokens: [1], ignoresEndTokens: false, stopTokens: [9])

    @Test(arguments: [
        (5 as TokenID, 1, 10, nil),
        (1, 1, 10, FinishReason.stop),
        (9, 3, 10, .stop),
        (5, 3, 10, .length),
        (5, 2, 64, .length),
    ])
    func aStopTokenWinsOverLengthAndContext(
        _ token: TokenID, _ produced: Int, _ count: Int, _ expected: FinishReason?
    ) {
        let reason = Self.rule.reason(
            after: token, completionCount: produced, tokenCount: count, positionCountMax: 64)
        #expect(reason == expected)
    }

    @Test func ignoredEndTokensDoNotStop() {
        let rule = StopRule(
            completionTokensMax: 3, endTokens: [1], ignoresEndTokens: true, stopTokens: [9])
        #expect(rule.stopTokens == [9])
    }
}
