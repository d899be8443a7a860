import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct ServerFactsTests {
    private static func facts(_ text: String) throws -> ServerFacts {
        ServerFacts(try JSONValue(parsing: Array(text.utf8), subject: "test"))
    }

    @Test func whatHappenedIsTheDifferenceOfTwoStates() throws {
        let before = try Self.facts(
            """
            {"nodes": [{"name": "a", "stages": [{"index": 1, "busy_seconds": 2},
            {"index": 0, "busy_seconds": 5.5}]}],
            "prefix_cache": {"cached_tokens": 10, "prompt_tokens": 100}}
            """)
        let after = try Self.facts(
            """
            {"nodes": [{"name": "a", "stages": [{"index": 1, "busy_seconds": 1},
            {"index": 0, "busy_seconds": 8}]}],
            "prefix_cache": {"cached_tokens": 40, "prompt_tokens": 160}}
            """)
        let change = ServerChange(before: before, after: after, duration: .seconds(10))
        #expect(change.after.stages.map(\.index) == [0, 1])
        #expect(change.busyShare(of: 0) == 0.25)
        // A stage that began again in between tells nothing about the time.
        #expect(change.busyShare(of: 1) == nil)
        #expect(change.prefixHitShare == 0.5)
    }

    @Test(arguments: ["{}", "[]", "4", #"{"nodes": 4, "pages": [], "prefix_cache": null}"#])
    func aServerThatTellsNothingIsNoError(_ text: String) throws {
        let facts = try Self.facts(text)
        let change = ServerChange(before: facts, after: facts, duration: .zero)
        #expect(change.prefixHitShare == nil && facts.stages.isEmpty)
    }
}
