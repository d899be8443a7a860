import SkeinCore
import SkeinScheduling
import Testing

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
