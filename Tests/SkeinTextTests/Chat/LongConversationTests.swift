import SkeinCore
import Testing

@testable import SkeinText

/// Conversations of tens of thousands of short messages, which one request can hold.
///
/// Each message once copied the whole prompt before it, and each result looked through all calls:
/// a body of two megabytes kept a core busy for a minute.
@Suite struct LongConversationTests {
    @Test func resultsStandInTheOrderOfTheirCalls() throws {
        let calls = ["a", "b", "a"].map { ChatToolCall(id: $0, name: "f", arguments: "{}") }
        let results = [
            ("x", "none"), ("b", "second"), ("a", "first"), ("a", "third"), ("a", "4th"),
        ]
        let messages =
            [ChatMessage(.user, "?"), ChatMessage(.assistant, "", toolCalls: calls)]
            + results.map { ChatMessage(.tool, $0.1, toolCallID: $0.0) }
        let text = try ChatFormat.deepSeekV31.prompt(messages).text
        let places = ["first", "second", "third", "4th", "none"].map {
            text.firstRange(of: $0)?.lowerBound
        }
        #expect(!places.contains(nil))
        #expect(places.compactMap(\.self) == places.compactMap(\.self).sorted())
    }

    @Test(.timeLimit(.minutes(1)))
    func aConversationOfManyCallsIsWrittenAsOneOfFew() throws {
        let count = 20_000
        let calls = (0..<count).map { ChatToolCall(id: "\($0)", name: "f", arguments: "{}") }
        let results = (0..<count).reversed().map {
            ChatMessage(.tool, "result \($0);", toolCallID: "\($0)")
        }
        let question = [ChatMessage(.user, "?"), ChatMessage(.assistant, "", toolCalls: calls)]
        let text = try ChatFormat.deepSeekV31.prompt(question + results).text
        let first = try #require(text.utf8.count > count ? text.firstRange(of: "result 0;") : nil)
        let rest = text[first.upperBound...]
        #expect(rest.firstRange(of: "result 1;") != nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func manyRulesAreOneSegmentEach() throws {
        let rules = (0..<40_000).map { _ in ChatMessage(.system, "x") }
        let prompt = try ChatFormat.deepSeekV31.prompt(rules + [ChatMessage(.user, "?")])
        // Each rule, what stands between two, the begin, the user's mark, the question, the answer.
        #expect(prompt.segments.count == 80_003)
        #expect(prompt.segments.filter { !$0.isTemplate }.count == 40_001)
    }
}
