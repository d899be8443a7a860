import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// The prefix cache as a client sees it: the same bytes, and fewer rows run.
@Suite struct PrefixCacheTests {
    /// An answer, and what it cost.
    struct Answer {
        let choices: NSArray
        let cachedCount: Int
        /// Rows that prefill has run for it.
        let rowCount: Int
    }

    private static func prompt(_ count: Int, _ more: [Int] = []) -> [Int] {
        (0..<count).map { 300 + ($0 * 37) % 900 } + more
    }

    private static func ask(
        _ server: TestServer, _ prompt: [Int], _ fields: String = "\"temperature\": 0",
        key: String? = nil
    ) async throws -> Answer {
        let before = await server.cluster.coordinator.status().counts.totals.prefillRowCount
        let reply = try await server.ask(
            "/v1/completions",
            "{\"prompt\": \(prompt), \"max_tokens\": 12, \"logprobs\": 2, \(fields)}", key: key)
        let choices = try reply.choices()
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        #expect(usage["prompt_tokens"] as? Int == prompt.count)
        let details = try #require(usage["prompt_tokens_details"] as? [String: Int])
        let after = await server.cluster.coordinator.status().counts.totals.prefillRowCount
        return Answer(
            choices: choices as NSArray, cachedCount: try #require(details["cached_tokens"]),
            rowCount: after - before)
    }

    @Test func theSameBytesComeOutWithTheCacheAndWithoutIt() async throws {
        let cached = try await TestServer()
        let plain = try await TestServer(reusesPrefixes: false)
        let prompt = Self.prompt(1_000)
        // The same prompt again, one that goes on, and one that turns off within a page.
        let prompts = [
            prompt, prompt, Self.prompt(1_000, [5, 6, 7]), Self.prompt(977, [9, 9, 9, 9]),
        ]
        var answers: [Answer] = []
        for prompt in prompts {
            let fields = "\"temperature\": 0.8, \"seed\": 5"
            let answer = try await Self.ask(cached, prompt, fields)
            let alone = try await Self.ask(plain, prompt, fields)
            #expect(answer.choices == alone.choices)
            #expect(alone.cachedCount == 0 && alone.rowCount == prompt.count)
            answers.append(answer)
        }
        #expect(answers.map(\.cachedCount) == [0, 999, 1_000, 977])
        #expect(answers.map(\.rowCount) == [1_000, 1, 3, 4])
        let status = await cached.cluster.coordinator.status()
        #expect(status.counts.totals.cachedTokenCount == 2_976 && status.counts.ownedPageCount == 0)
        await cached.stop()
        await plain.stop()
    }

    @Test func holdersOfTwoKeysNeverShareUnlessTold() async throws {
        for shares in [false, true] {
            var keys = try APIKeys(text: "one\ntwo\n", file: "keys")
            keys.sharesPrefixes = shares
            let server = try await TestServer(apiKeys: keys)
            var counts: [Int] = []
            for key in ["one", "two", "one", "two"] {
                counts.append(try await Self.ask(server, Self.prompt(200), key: key).cachedCount)
            }
            #expect(counts == (shares ? [0, 199, 199, 199] : [0, 0, 199, 199]))
            await server.stop()
        }
    }

    @Test func severalAnswersToOnePromptRunItOnce() async throws {
        let server = try await TestServer()
        let fields = "\"temperature\": 1, \"seed\": 3, \"n\": 4"
        let together = try await Self.ask(server, Self.prompt(300), fields)
        #expect(together.cachedCount == 0 && together.rowCount == 303)
        let again = try await Self.ask(server, Self.prompt(300), fields)
        #expect(again.choices == together.choices)
        #expect(again.cachedCount == 299 && again.rowCount == 4)
        await server.stop()
    }

    @Test func aStreamTellsWhatWasCached() async throws {
        let server = try await TestServer()
        let body = """
            {"prompt": \(Self.prompt(150)), "max_tokens": 3, "temperature": 0, "stream": true,
             "stream_options": {"include_usage": true}}
            """
        var counts: [Int?] = []
        for _ in 0..<2 {
            let events = try await server.ask("/v1/completions", body).events()
            let usage = events.last?["usage"] as? [String: Any]
            let details = usage?["prompt_tokens_details"] as? [String: Int]
            counts.append(details?["cached_tokens"])
        }
        #expect(counts == [0, 149])
        await server.stop()
    }

    @Test func theNextTurnOfAConversationRunsOnlyWhatIsNew() async throws {
        let server = try await TestServer()
        let prompt = Self.prompt(100)
        let fields = "\"temperature\": 0, \"ignore_eos\": true"
        _ = try await Self.ask(server, prompt, fields)
        let first = try await Self.drawn(server, prompt)
        let next = try await Self.ask(server, prompt + first + [40, 41], fields)
        // The answer's last token was drawn and never run.
        #expect(next.cachedCount == prompt.count + first.count - 1 && next.rowCount == 3)
        await server.stop()
    }

    /// One beginning, turned off from in many places, all at once.
    @Test func aCrowdThatBeginsAlikeGetsWhatEachGetsAlone() async throws {
        let cached = try await TestServer()
        let plain = try await TestServer(reusesPrefixes: false)
        let prompts = (0..<36).map { number in
            Self.prompt(90 + number * 7 % 130, number % 4 == 0 ? [] : [number % 3, number])
        }
        @Sendable func answer(_ server: TestServer, _ number: Int) async throws -> NSArray {
            let fields = "\"temperature\": 0.7, \"seed\": \(number)"
            return try await server.ask(
                "/v1/completions",
                "{\"prompt\": \(prompts[number]), \"max_tokens\": 8, \"logprobs\": 1, \(fields)}"
            ).choices() as NSArray
        }
        try await withThrowingTaskGroup(of: Void.self) { clients in
            for number in prompts.indices {
                clients.addTask {
                    let together = try await answer(cached, number)
                    #expect(together == (try await answer(plain, number)), "\(number)")
                }
            }
            try await clients.waitForAll()
        }
        let status = await cached.cluster.coordinator.status()
        let tokenCount = prompts.reduce(0) { $0 + $1.count }
        #expect(status.counts.totals.promptTokenCount == tokenCount)
        #expect(status.counts.totals.cachedTokenCount > tokenCount / 2)
        #expect(status.counts.ownedPageCount == 0 && status.counts.liveCount == 0)
        await cached.stop()
        await plain.stop()
    }

    /// The tokens of the answer that `ask` gets.
    private static func drawn(_ server: TestServer, _ prompt: [Int]) async throws -> [Int] {
        let (_, events) = try await server.cluster.coordinator.submit(
            GenerationRequest(promptTokens: prompt.map { TokenID($0) }, newTokensMax: 12))
        var tokens: [Int] = []
        for try await event in events {
            if case .token(let token) = event { tokens.append(Int(token.token.rawValue)) }
        }
        return tokens
    }
}
