// What every source of prompts has in common: what it makes, and what it refuses.
import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct PromptTests {
    private static func tokens(_ prompt: ServingPrompt) throws -> [Int] {
        guard case .tokens(let tokens) = prompt.content else {
            throw Refusal("prompt", "found a text, expected tokens")
        }
        return tokens
    }

    @Test func promptsOfTheUsualLengthGiveWayToAShortContext() {
        var origin = PromptOrigin.random(.init())
        #expect(origin.fit(positions: nil) == nil && origin.fit(positions: 4_096) == nil)
        #expect(origin == .random(.init()))
        let line = origin.fit(positions: 1_024)
        #expect(line?.contains("895 tokens in place of 1024") == true, "\(line ?? "none")")
        guard case .random(let lengths) = origin else { return }
        #expect(lengths.inputTokenCount + lengths.outputTokenCount < 1_024)
        // A length that was asked for is the user's.
        var chosen = PromptOrigin.RandomLengths()
        chosen.isInputChosen = true
        var asked = PromptOrigin.random(chosen)
        #expect(asked.fit(positions: 1_024) == nil && asked == .random(chosen))
    }

    @Test func randomPromptsHaveTheirLengthsAndStayInTheVocabulary() throws {
        var lengths = PromptOrigin.RandomLengths()
        lengths.inputTokenCount = 20
        lengths.outputTokenCount = 10
        lengths.rangeRatio = 0.5
        lengths.prefixTokenCount = 6
        let random = RandomPrompts(lengths, material: .tokens(vocabularySize: 50), seed: 3)
        let prompts = (0..<300).map(random.prompt)
        for prompt in prompts {
            let tokens = try Self.tokens(prompt)
            #expect((16...36).contains(tokens.count))
            #expect((5...15).contains(prompt.outputTokenCount))
            #expect(tokens.allSatisfy { (0..<50).contains($0) })
            #expect(prompt.inputTokenCount == tokens.count)
            #expect(try tokens.prefix(6) == Self.tokens(prompts[0]).prefix(6))
        }
        #expect(Set(prompts.map(\.outputTokenCount)).count == 11)
        // A prompt that comes again would be found in a prefix cache.
        #expect(try Set(prompts.map { try Self.tokens($0) }).count == 300)
        #expect(
            random.prompt(7)
                == RandomPrompts(
                    lengths, material: .tokens(vocabularySize: 50), seed: 3
                ).prompt(7))
    }

    @Test func wordsTakeTheTokensThatTheServerHasCounted() {
        var lengths = PromptOrigin.RandomLengths()
        lengths.inputTokenCount = 30
        let random = RandomPrompts(lengths, material: .words(tokensPerWord: 1.5), seed: 1)
        guard case .text(let text) = random.prompt(0).content else {
            Issue.record("found tokens, expected a text")
            return
        }
        #expect(text.split(separator: " ").count == 20)
    }

    @Test func aBodyIsWhatTheInterfaceTakes() throws {
        var target = ServingTarget(baseURL: "http://a", interface: .text)
        target.fields = ["temperature": .number(0), "ignore_eos": .bool(true)]
        let tokens = ServingPrompt(content: .tokens([1, 2]), outputTokenCount: 4)
        #expect(
            tokens.body(for: target, model: "m\"") == """
                {"ignore_eos":true,"max_tokens":4,"model":"m\\"","prompt":[1,2],"stream":true,\
                "stream_options":{"include_usage":true},"temperature":0.0}
                """)
        let chat = ServingTarget(baseURL: "http://a", interface: .chat)
        let text = ServingPrompt(content: .text("a\nb"), outputTokenCount: 4)
        #expect(
            text.body(for: chat, model: "m") == """
                {"max_tokens":4,"messages":[{"content":"a\\nb","role":"user"}],"model":"m",\
                "stream":true,"stream_options":{"include_usage":true}}
                """)
    }

    @Test func aFileIsBegunAgainOnlyWhereItEnds() {
        let listed = (0..<5).map { ServingPrompt(content: .tokens([$0]), outputTokenCount: 1) }
        var prompts = ServingPrompts(listed, seed: 2)
        let first = (0..<5).map { _ in prompts.next() }
        #expect(first.count { listed.contains($0) } == 5 && first != listed)
        #expect(prompts.repeatedCount == 0)
        #expect(prompts.next() == first[0])
        #expect(prompts.repeatedCount == 1)
    }
}
