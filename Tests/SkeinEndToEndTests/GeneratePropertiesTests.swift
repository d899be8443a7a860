import Foundation
import Testing

/// What `generate` promises to those who script against it.
@Suite struct GeneratePropertiesTests {
    private static func answer(_ arguments: [String]) async throws -> [String: Any] {
        let run = try await SkeinProgram.run(
            ["generate", "--model", SkeinProgram.gosling, "--json"] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        #expect(run.errors == "")
        return try run.json()
    }

    private static func tokens(_ arguments: [String]) async throws -> [Int] {
        try #require(try await answer(arguments)["tokens"] as? [Int])
    }

    @Test func oneObjectTellsTheWholeAnswer() async throws {
        let answer = try await Self.answer([
            "--chat", "What is 47 + 85?", "--thinking", "on", "--temperature", "0", "--stages",
            "2",
        ])
        #expect((answer["text"] as? String)?.contains("132") == true)
        #expect((answer["reasoning"] as? String)?.isEmpty == false)
        #expect(answer["finish_reason"] as? String == "stop")
        let tokens = try #require(answer["tokens"] as? [Int])
        let usage = try #require(answer["usage"] as? [String: Int])
        #expect(usage["completion_tokens"] == tokens.count)
        let prompt = try #require(usage["prompt_tokens"])
        #expect(usage["total_tokens"] == prompt + tokens.count)
        let timings = try #require(answer["timings"] as? [String: Any])
        for name in [
            "prefill_tokens_per_second", "decode_tokens_per_second", "time_to_first_token_ms",
        ] {
            #expect((timings[name] as? Double).map { $0 > 0 } == true, "\(name)")
        }
        let stages = try #require(timings["stages"] as? [[String: Any]])
        #expect(stages.compactMap { $0["stage"] as? Int } == [0, 1])
        for stage in stages {
            let share = try #require(stage["busy_share"] as? Double)
            #expect(share > 0 && share <= 1)
        }
    }

    @Test func theSeedAloneDecidesWhatIsDrawn() async throws {
        let base = [
            "--prompt", "The goose", "--temperature", "1", "--ignore-eos", "--max-tokens", "24",
            "--seed",
        ]
        let first = try await Self.tokens(base + ["7"])
        #expect(first.count == 24)
        #expect(try await Self.tokens(base + ["7"]) == first)
        #expect(try await Self.tokens(base + ["7", "--stages", "3", "--processes"]) == first)
        #expect(try await Self.tokens(base + ["8"]) != first)
    }

    @Test func aStopTextEndsTheAnswerBeforeIt() async throws {
        let question = ["--chat", "What is 47 + 85?", "--thinking", "off", "--temperature", "0"]
        let whole = try #require(try await Self.answer(question)["text"] as? String)
        try #require(whole.contains(" = "))
        let answer = try await Self.answer(question + ["--stop", " = "])
        let before = whole.prefix(upTo: try #require(whole.range(of: " = ")).lowerBound)
        #expect(answer["text"] as? String == String(before))
        #expect(answer["finish_reason"] as? String == "stop")
    }

    @Test func theWantedNumberOfTokensEndsTheAnswer() async throws {
        let answer = try await Self.answer([
            "--prompt", "The goose", "--temperature", "0", "--max-tokens", "3", "--ignore-eos",
        ])
        #expect((answer["tokens"] as? [Int])?.count == 3)
        #expect(answer["finish_reason"] as? String == "length")
    }

    @Test func aFullContextEndsTheAnswerInGoodOrder() async throws {
        let answer = try await Self.answer([
            "--tokens", "0,5,6,7", "--temperature", "0", "--context", "20", "--ignore-eos",
            "--max-tokens", "500",
        ])
        #expect(answer["finish_reason"] as? String == "length")
        // The last position's token is drawn too; it needs no position of its own any more.
        let count = try #require(answer["tokens"] as? [Int]).count
        #expect((16...17).contains(count))
    }

    @Test func theEndTokenIsPassedOverWhereAsked() async throws {
        let question = [
            "--chat", "What is 47 + 85?", "--thinking", "off", "--temperature", "0",
            "--max-tokens", "60",
        ]
        let ended = try await Self.answer(question)
        let wentOn = try await Self.answer(question + ["--ignore-eos"])
        #expect(ended["finish_reason"] as? String == "stop")
        #expect(wentOn["finish_reason"] as? String == "length")
        let short = try #require(ended["tokens"] as? [Int])
        let long = try #require(wentOn["tokens"] as? [Int])
        #expect(short.count < 60 && long.count == 60)
        #expect(Array(long.prefix(short.count)) == short)
    }

    @Test func alternativesComeWithTheirLogarithms() async throws {
        let answer = try await Self.answer([
            "--prompt", "The goose", "--temperature", "0", "--max-tokens", "4", "--logprobs", "3",
            "--ignore-eos",
        ])
        let tokens = try #require(answer["tokens"] as? [Int])
        let reports = try #require(answer["logprobs"] as? [[String: Any]])
        #expect(reports.compactMap { $0["token"] as? Int } == tokens)
        for (token, report) in zip(tokens, reports) {
            let top = try #require(report["top_logprobs"] as? [[String: Any]])
            let numbers = top.compactMap { $0["logprob"] as? Double }
            #expect(numbers.count == 3 && numbers == numbers.sorted(by: >))
            #expect(numbers.allSatisfy { $0 <= 0 })
            #expect(top.first?["token"] as? Int == token)
            #expect(report["logprob"] as? Double == numbers.first)
        }
    }
}
