import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinServer
import SkeinText
import Testing

/// Prompts that go back with their log-probabilities, as evaluation programs want them.
@Suite struct EchoTests {
    private static let text = "47 + 85"

    @Test(arguments: [0, 1, 4])
    func aScoredPromptIsWhatTheCoordinatorScores(_ newTokensMax: Int) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(
            "/v1/completions",
            "{\"prompt\": \"\(Self.text)\", \"echo\": true, \"logprobs\": 2, \"temperature\": 0, "
                + "\"max_tokens\": \(newTokensMax), \"ignore_eos\": true}")
        let choice = try #require(try reply.choices().first)
        #expect((choice["text"] as? String)?.hasPrefix(Self.text) == true)
        #expect(choice["finish_reason"] as? String == "length")
        let lists = try Lists(choice)
        let setup = try #require(server.service.text)
        let prompt = setup.completionPrompt(Self.text)
        let expected = try await Self.scores(prompt, on: server)
        #expect(lists.logprobs.count == prompt.count + newTokensMax)
        #expect(lists.logprobs[0] == nil && lists.tops[0] == nil)
        for (place, score) in expected.enumerated() {
            #expect(lists.logprobs[place + 1] == Double("\(score.logprob)"))
            let top = try #require(lists.tops[place + 1])
            // The two best, and the token itself where it is none of them.
            #expect((2...3).contains(top.count))
            #expect(top.values.max() == Double("\(score.topLogprobs[0].logprob)"))
            #expect(top[lists.tokens[place + 1]] == lists.logprobs[place + 1])
        }
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == newTokensMax)
        // A text begins after the mark of its beginning, which is not shown.
        let shown = Array(lists.tokens.dropFirst(setup.beginToken == nil ? 0 : 1))
        #expect(shown.joined() == choice["text"] as? String)
        for (place, token) in shown.enumerated() {
            let before = shown.prefix(place).joined().unicodeScalars.count
            #expect(lists.offsets[place + lists.tokens.count - shown.count] == before)
            #expect(!token.isEmpty)
        }
    }

    @Test func severalPromptsInTokensKeepTheirOrder() async throws {
        let server = try await TestServer.shared.value
        let setup = try #require(server.service.text)
        let prompts = ["48 * 5 = 240", "goose", "a b c d"].map { setup.completionPrompt($0) }
        let numbers = prompts.map { "[\($0.map { "\($0.rawValue)" }.joined(separator: ","))]" }
        let reply = try await server.ask(
            "/v1/completions",
            "{\"prompt\": [\(numbers.joined(separator: ","))], \"echo\": true, \"logprobs\": 1, "
                + "\"temperature\": 0, \"max_tokens\": 1, \"n\": 2}")
        let choices = try reply.choices()
        #expect(choices.count == 6)
        for (index, choice) in choices.enumerated() {
            let prompt = prompts[index / 2]
            let expected = try await Self.scores(prompt, on: server).map(\.logprob)
            let found = try Lists(choice).logprobs.prefix(prompt.count).dropFirst()
            #expect(choice["index"] as? Int == index)
            #expect(found.map { $0 ?? 1 } == expected.map { Double("\($0)") ?? 2 })
            let text = setup.tokenizer.decode(prompt, skippingSpecialTokens: false)
            #expect((choice["text"] as? String)?.hasPrefix(text) == true)
        }
    }

    @Test(arguments: [false, true])
    func aStreamHoldsTheSamePrompt(_ isScored: Bool) async throws {
        let server = try await TestServer.shared.value
        let fields =
            "\"prompt\": \"\(Self.text)\", \"echo\": true, \"temperature\": 0, \"max_tokens\": 5"
            + (isScored ? ", \"logprobs\": 1" : "")
        let whole = try #require(
            try await server.ask("/v1/completions", "{\(fields)}").choices().first)
        let stream = try await server.ask("/v1/completions", "{\(fields), \"stream\": true}")
        let pieces = try stream.events().compactMap {
            ($0["choices"] as? [[String: Any]])?.first
        }
        #expect(pieces.compactMap { $0["text"] as? String }.joined() == whole["text"] as? String)
        #expect(pieces.first?["text"] as? String == Self.text)
        guard isScored else {
            #expect(whole["logprobs"] is NSNull)
            return
        }
        let lists = try pieces.filter { $0["logprobs"] is [String: Any] }.map(Lists.init)
        let expected = try Lists(whole)
        #expect(lists.flatMap(\.logprobs) == expected.logprobs)
        #expect(lists.flatMap(\.tokens) == expected.tokens)
        #expect(lists.flatMap(\.offsets) == expected.offsets)
    }

    /// lm_eval drops the last entry of every list, as the token that it asked to be drawn.
    ///
    /// Where an answer ended at once its list was one too short, and the prompt's last token
    /// was lost from the sum.
    @Test func theTokenThatEndsAnAnswerIsListed() async throws {
        let server = try await TestServer.shared.value
        let setup = try #require(server.service.text)
        let prompt = setup.completionPrompt("47 + 85 = 132")
        let reply = try await server.ask(
            "/v1/completions",
            "{\"prompt\": \"47 + 85 = 132\", \"echo\": true, \"logprobs\": 1, "
                + "\"temperature\": 0, \"max_tokens\": 1}")
        let choice = try #require(try reply.choices().first)
        #expect(choice["finish_reason"] as? String == "stop")
        #expect(choice["text"] as? String == "47 + 85 = 132")
        #expect(try Lists(choice).logprobs.count == prompt.count + 1)
    }

    @Test func aPromptThatFillsTheContextCanBeScored() async throws {
        let server = try await TestServer.shared.value
        let numbers = (0..<server.service.positionCountMax).map { "\($0 % 50 + 60)" }
        let fields = "\"prompt\": [\(numbers.joined(separator: ","))], \"echo\": true"
        let reply = try await server.ask(
            "/v1/completions", "{\(fields), \"logprobs\": 0, \"max_tokens\": 0}")
        let lists = try Lists(try #require(try reply.choices().first))
        #expect(lists.logprobs.count == numbers.count)
        #expect(lists.tops.dropFirst().allSatisfy { $0?.count == 1 })
        let refused = try await server.ask("/v1/completions", "{\(fields), \"max_tokens\": 1}")
        #expect(refused.status == 400)
    }

    /// The four lists of a choice.
    private struct Lists {
        let tokens: [String]
        let logprobs: [Double?]
        let tops: [[String: Double]?]
        let offsets: [Int]

        init(_ choice: [String: Any]) throws {
            let lists = try #require(choice["logprobs"] as? [String: Any])
            tokens = try #require(lists["tokens"] as? [String])
            logprobs = try #require(lists["token_logprobs"] as? [Any]).map { $0 as? Double }
            tops = try #require(lists["top_logprobs"] as? [Any]).map { $0 as? [String: Double] }
            offsets = try #require(lists["text_offset"] as? [Int])
        }
    }

    private static func scores(
        _ prompt: [TokenID], on server: TestServer
    ) async throws -> [TargetScore] {
        var sampling = SamplingParameters()
        sampling.topLogprobsCount = 2
        let (_, events) = try await server.cluster.coordinator.submit(
            GenerationRequest(
                promptTokens: prompt, newTokensMax: 0, sampling: sampling, scoresPrompt: true))
        var scores: [TargetScore] = []
        for try await case .scored(let next) in events { scores += next }
        #expect(scores.count == prompt.count - 1)
        return scores
    }
}
