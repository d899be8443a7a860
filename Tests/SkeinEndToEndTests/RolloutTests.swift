import Foundation
import Testing

/// `skein rollout` as a user runs it, with the bundled model.
@Suite struct RolloutTests {
    private typealias Line = [String: Any]

    /// Sums whose answers the model gives mostly, not always.
    private static func prompts(_ count: Int, in folder: ScratchFolder) throws -> String {
        let rows = (0..<count).map { index in
            let (first, second) = (100 + index * 37 % 800, 11 + index * 53 % 88)
            return "{\"prompt\": [{\"role\": \"user\", \"content\": \"What is \(first) + "
                + "\(second)?\"}], \"answer\": \"\(first + second)\"}\n"
        }
        return try folder.write(rows.joined(), to: "prompts.jsonl")
    }

    private static func arguments(_ prompts: String, _ out: String, _ more: String...) -> [String] {
        [
            "rollout", "--prompts", prompts, "--out", out, "--group", "4", "--max-tokens", "24",
            "--seed", "5", "--threads", "1",
        ] + (more.contains("--reward") ? [] : ["--reward", "numeric"]) + more
    }

    private static func lines(_ path: String) throws -> [Line] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Line)
        }
    }

    @Test func everyLineIsThereOnceAndScoresAsDrawn() async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/out.jsonl"
        let run = try await SkeinProgram.run(
            Self.arguments(try Self.prompts(12, in: folder), out, "--stages", "2", "--json"))
        try #require(run.status == 0, "\(run.errors)")
        let lines = try Self.lines(out)
        let places = lines.map { [$0["prompt_index"] as? Int, $0["completion_index"] as? Int] }
        #expect(places == (0..<12).flatMap { prompt in (0..<4).map { [prompt, $0] } })
        try await Self.expectScores(of: lines, in: folder)
        // One prompt is computed once, and its last row for each further completion; prompts that
        // begin alike share what they have in common, too.
        let report = try run.json()
        let promptCounts = try lines.map { try #require($0["prompt_ids"] as? [Int]).count }
        let once = stride(from: 0, to: lines.count, by: 4).reduce(0) { $0 + promptCounts[$1] + 3 }
        let computed = try #require(report["prompt_rows_computed"] as? Int)
        #expect(computed <= once && computed >= promptCounts.max() ?? 0)
        #expect(report["prompt_rows_shared"] as? Int == promptCounts.reduce(0, +) - computed)
        #expect(report["prompt_tokens"] as? Int == promptCounts.reduce(0, +))
        #expect(report["completions"] as? Int == 48)
        for first in stride(from: 0, to: lines.count, by: 4) {
            let worth = lines[first..<(first + 4)].compactMap { $0["advantage"] as? Double }
            #expect(worth.count == 4 && abs(worth.reduce(0, +)) < 1e-9)
        }
        let rewards = lines.compactMap { $0["reward"] as? Double }
        #expect(rewards.count == 48 && rewards.contains(1) && rewards.allSatisfy { $0 <= 1 })
    }

    /// `skein score` says of the drawn tokens what the lines say.
    private static func expectScores(of lines: [Line], in folder: ScratchFolder) async throws {
        let tokens = try lines.map { line in
            try #require(line["prompt_ids"] as? [Int])
                + #require(line["completion_ids"] as? [Int])
        }
        let file = try folder.write(
            String(
                decoding: try JSONSerialization.data(withJSONObject: ["prompts": tokens]),
                as: UTF8.self), to: "tokens.json")
        let run = try await SkeinProgram.run(["score", "--tokens-json", file, "--json"])
        try #require(run.status == 0, "\(run.errors)")
        let scores = try #require(try run.json()["prompts"] as? [[String: Any]])
        for (line, score) in zip(lines, scores) {
            let drawn = try #require(line["logprobs"] as? [Double])
            let scored = try #require(score["token_logprobs"] as? [Double]).suffix(drawn.count)
            let far = zip(drawn, scored).map { abs($0 - $1) }.max() ?? 0
            #expect(far < 1e-4 && !drawn.isEmpty, "\(line["prompt_index"] ?? ""): \(far)")
        }
    }

    /// Killed in the middle of its work, again and again, a run ends with the file that an
    /// undisturbed run writes, byte for byte.
    @Test func aRunThatIsKilledAgainAndAgainLosesAndRepeatsNothing() async throws {
        let folder = try ScratchFolder()
        let prompts = try Self.prompts(40, in: folder)
        let (whole, broken) = (folder.path + "/whole.jsonl", folder.path + "/broken.jsonl")
        let undisturbed = try await SkeinProgram.run(Self.arguments(prompts, whole))
        try #require(undisturbed.status == 0, "\(undisturbed.errors)")
        for percent in [10, 20, 40, 60, 80] {
            let run = try SkeinProgram.start(Self.arguments(prompts, broken))
            let line = "rolling out: \(percent) %"
            try #require(await run.waitForError(containing: line, secondsMax: 100), "\(run.errors)")
            run.signal(SIGKILL)
            #expect(try await run.finish(secondsMax: 10).status == 128 + SIGKILL)
            // What a crash may leave of a line that was being written.
            let file = try FileHandle(forWritingTo: URL(filePath: broken))
            try file.seekToEnd()
            try file.write(contentsOf: Data("{\"prompt_index\":".utf8))
            try file.close()
        }
        let last = try await SkeinProgram.run(Self.arguments(prompts, broken, "--json"))
        try #require(last.status == 0, "\(last.errors)")
        #expect(last.errors.contains("cut off"))
        #expect(try #require(try last.json()["prompts_found"] as? Int) >= 32)
        #expect(
            FileManager.default.contentsEqual(atPath: whole, andPath: broken),
            "\(broken) differs from the file of an undisturbed run")
        let again = try await SkeinProgram.run(Self.arguments(prompts, broken, "--json"))
        #expect(again.status == 0)
        #expect(try again.json()["completions"] as? Int == 0)
    }

    @Test func aCommandJudgesWithTheRowBeforeIt() async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/out.jsonl"
        // The answer's length, and no verdict on the second prompt.
        let command = "grep -q '\"prompt_index\":1,' && exit 9; echo 0.5"
        let run = try await SkeinProgram.run(
            Self.arguments(
                try Self.prompts(2, in: folder), out, "--reward", command, "--advantages",
                "dr-grpo", "--json"))
        try #require(run.status == 0, "\(run.errors)")
        let lines = try Self.lines(out)
        #expect(lines.prefix(4).allSatisfy { $0["reward"] as? Double == 0.5 })
        #expect(lines.prefix(4).allSatisfy { $0["advantage"] as? Double == 0 })
        #expect(lines.suffix(4).allSatisfy { $0["reward"] is NSNull && $0["advantage"] is NSNull })
        let report = try run.json()
        #expect(report["rewards_missing"] as? Int == 4)
        #expect((report["first_missing"] as? String)?.contains("exit code 9") == true)
    }

    @Test func severalRewardsAreAddedByTheirWeights() async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/out.jsonl"
        let command = "grep -q '\"completion_index\":2,' && exit 9; echo 8"
        let run = try await SkeinProgram.run(
            Self.arguments(
                try Self.prompts(3, in: folder), out, "--reward", "numeric", "--reward", command,
                "--reward-weights", "1,-0.25"))
        try #require(run.status == 0, "\(run.errors)")
        for line in try Self.lines(out) {
            let rewards = try #require(line["rewards"] as? [Any])
            let right = try #require(rewards.first as? Double)
            let isJudged = line["completion_index"] as? Int != 2
            #expect(rewards.last as? Double == (isJudged ? 8 : nil))
            #expect(line["reward"] as? Double == right - (isJudged ? 2 : 0))
        }
    }

    /// The lines are those that the model gives here, also where the server dies meanwhile.
    @Test func aServerDrawsTheSameLinesAndIsWaitedForWhenItIsStartedAgain() async throws {
        let folder = try ScratchFolder()
        let prompts = try Self.prompts(40, in: folder)
        let text = try folder.write(
            "{\"prompt\": \"One goose\", \"answer\": 1}\n", to: "text.jsonl")
        let port = try await FreePorts.take(1)[0]
        func serve() async throws -> RunningProgram {
            let server = try SkeinProgram.start([
                "serve", "--model", SkeinProgram.gosling, "--threads", "1", "--port", "\(port)",
            ])
            try #require(
                await server.waitForError(containing: "ready http", secondsMax: 60),
                "\(server.errors)")
            return server
        }
        let mortal = try await serve()
        defer { mortal.signal(SIGKILL) }
        let url = "http://127.0.0.1:\(port)"
        let served = folder.path + "/served.jsonl"
        let run = try SkeinProgram.start(Self.arguments(prompts, served, "--url", url))
        try #require(
            await run.waitForError(containing: "rolling out: 20 %", secondsMax: 100),
            "\(run.errors)")
        mortal.signal(SIGKILL)
        _ = try await mortal.finish(secondsMax: 10)
        let server = try await serve()
        defer { server.signal(SIGKILL) }
        let outcome = try await run.finish(secondsMax: 120)
        try #require(outcome.status == 0, "\(outcome.errors)")
        for (asked, file) in [(prompts, served), (text, folder.path + "/served-text.jsonl")] {
            let here = file + ".here"
            let embedded = try await SkeinProgram.run(Self.arguments(asked, here))
            try #require(embedded.status == 0, "\(embedded.errors)")
            let again = try await SkeinProgram.run(Self.arguments(asked, file, "--url", url))
            try #require(again.status == 0, "\(again.errors)")
            #expect(FileManager.default.contentsEqual(atPath: here, andPath: file))
        }
    }

    @Test func whatAServerDoesNotTellIsSaidInOneLine() async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/out.jsonl"
        let port = try await FreePorts.take(1)[0]
        let run = try await SkeinProgram.run(
            Self.arguments(
                try Self.prompts(1, in: folder), out, "--url", "http://127.0.0.1:\(port)"))
        #expect(run.status == 1)
        #expect(run.errors.contains("cannot be reached"), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test(arguments: [
        (["--temperature", "0.5"], "temperature: the file was begun with 1.0, found 0.5"),
        (["--seed", "6"], "seed: the file was begun with 5, found 6"),
        (["--advantages", "verl"], "advantages: the file was begun with \"trl\""),
    ])
    func anotherRunDoesNotGoOnWithTheFile(_ more: [String], _ wanted: String) async throws {
        let folder = try ScratchFolder()
        let prompts = try Self.prompts(1, in: folder)
        let out = folder.path + "/out.jsonl"
        let first = try await SkeinProgram.run(Self.arguments(prompts, out))
        try #require(first.status == 0, "\(first.errors)")
        let before = FileManager.default.contents(atPath: out)
        let other = try await SkeinProgram.run(Self.arguments(prompts, out) + more)
        #expect(other.status == 1)
        #expect(other.errors.contains(wanted), "\(other.errors)")
        #expect(FileManager.default.contents(atPath: out) == before)
    }

    @Test(arguments: [
        (["--reward", "numerik"], 2, "did you mean 'numeric'?"),
        (["--group", "0"], 2, "--group: expected 1"),
        (["--url", "ftp://x"], 2, "--url: found 'ftp://x'"),
        (["--url", "http://x", "--model", "y"], 2, "at most one of --model and --url"),
        (["--reward-weights", "1,2"], 2, "--reward-weights: expected a number for each of 1"),
        (["--pattern", "x"], 2, "--pattern: needs --reward regex"),
        (["--prompt-field", "question"], 1, "line 1: question: found nothing"),
        (["--answer-field", "solution"], 1, "line 1: solution: found nothing"),
        (["--reward", "no-such-checker -x"], 1, "cannot be run"),
    ])
    func whatCannotBeDoneIsSaidInOneLine(
        _ more: [String], _ status: Int32, _ wanted: String
    ) async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/out.jsonl"
        let run = try await SkeinProgram.run(
            Self.arguments(try Self.prompts(1, in: folder), out) + more)
        #expect(run.status == status)
        #expect(run.errors.contains(wanted), "\(run.errors)")
        #expect((FileManager.default.contents(atPath: out) ?? Data()).isEmpty)
    }
}
