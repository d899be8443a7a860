import Foundation
import Testing

/// `skein eval` as a user runs it, with the bundled model.
@Suite struct EvalTests {
    private static let questions = """
        {"question": "What is 47 + 85?", "thinking": true, "answer": "132", "kind": "numeric"}
        {"question": "What is 21 * 5?", "answer": "21 * 5 = 105", "kind": "mul"}
        {"question": "What is 30 + 4?", "choices": ["30 + 4 = 34", "30 + 4 = 43"], "answer": "A"}
        {"question": "What is 30 + 5?", "choices": ["30 + 5 = 35", "x"], "answer": "B"}
        {"question": "What?", "kind": "choice", "choices": ["one"], "answer": 0}

        """

    private static let text =
        "What is 47 + 85? 47 + 85 = 132. What is 21 * 5? 21 * 5 = 105. One goose, two geese. "

    private static func form(_ name: String, in report: [String: Any]) throws -> [String: Any] {
        let forms = try #require(report["forms"] as? [[String: Any]])
        return try #require(forms.first { $0["form"] as? String == name })
    }

    private static func task(_ name: String, in form: [String: Any]) throws -> [String: Any] {
        let tasks = try #require(form["tasks"] as? [[String: Any]])
        return try #require(tasks.first { $0["task"] as? String == name })
    }

    @Test func everyFormIsHeldAgainstTheReference() async throws {
        let folder = try ScratchFolder()
        let out = folder.path + "/results.json"
        let run = try await SkeinProgram.run([
            "eval", "--questions", try folder.write(Self.questions, to: "questions.jsonl"),
            "--text-file",
            try folder.write(String(repeating: Self.text, count: 8), to: "text.txt"),
            "--window", "128", "--max-tokens", "64", "--out", out, "--json",
        ])
        try #require(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains("questions.jsonl line 5: choices: expected two texts"))
        let report = try run.json()
        #expect(report["questions_skipped"] as? Int == 1)
        let yardstick = try Self.form("f32", in: report)
        #expect(yardstick["perplexity_deviation_percent"] as? Double == 0)
        #expect(yardstick["kl_nats"] == nil)
        for (name, percentMax, divergenceMax) in [
            ("stored", 0.5, 1e-3), ("bf16", 1.0, 1e-2), ("int8", 3.0, 1e-2),
            ("fp8-latents", 3.0, 1e-2), ("fp8-hops", 5.0, 2e-2), ("speculation", 0.5, 1e-3),
        ] {
            let form = try Self.form(name, in: report)
            let deviation = try #require(form["perplexity_deviation_percent"] as? Double)
            #expect(abs(deviation) < percentMax, "\(name)")
            let divergence = try #require(form["kl_nats"] as? Double)
            #expect(divergence >= -1e-9 && divergence < divergenceMax, "\(name)")
            #expect(try #require(form["top1_agreement"] as? Double) > 0.9, "\(name)")
        }
        let stored = try Self.form("stored", in: report)
        let guessing = try Self.form("speculation", in: report)
        #expect(stored["perplexity"] as? Double == guessing["perplexity"] as? Double)
        #expect(try Self.task("numeric", in: stored)["accuracy"] as? Double == 1)
        #expect(try Self.task("mul", in: stored)["accuracy"] as? Double == 1)
        for form in [stored, yardstick] {
            let choice = try Self.task("choice", in: form)
            #expect(choice["accuracy"] as? Double == 0.5 && choice["questions"] as? Int == 2)
            #expect(choice["normalized_accuracy"] as? Double == 0.5)
        }
        let results = try #require(
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: out))) as? [String: Any])
        let scores = try #require(results["results"] as? [String: [String: Any]])
        #expect(scores["numeric_stored"]?["acc,none"] as? Double == 1)
        #expect(scores["choice_f32"]?["acc_norm,none"] as? Double == 0.5)
    }

    @Test func aServerIsMeasuredAsTheModelItServes() async throws {
        let folder = try ScratchFolder()
        let questions = try folder.write(Self.questions, to: "questions.jsonl")
        let text = try folder.write(Self.text, to: "text.txt")
        let server = try SkeinProgram.start([
            "serve", "--model", SkeinProgram.gosling, "--threads", "1", "--port", "0",
        ])
        defer { server.signal(SIGKILL) }
        try #require(await server.waitForError(containing: "ready http", secondsMax: 60))
        let ready = server.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
        let url = try #require(ready?.split(separator: " ").last.map(String.init))
        let asked = ["eval", "--questions", questions, "--text-file", text, "--json"]
        let served = try await SkeinProgram.run(asked + ["--url", url])
        try #require(served.status == 0, "\(served.errors)")
        let here = try await SkeinProgram.run(asked + ["--forms", "stored"])
        try #require(here.status == 0, "\(here.errors)")
        let (one, other) = (
            try Self.form("served", in: served.json()), try Self.form("stored", in: here.json())
        )
        let loss = try #require(one["nats_per_token"] as? Double)
        #expect(abs(loss - (try #require(other["nats_per_token"] as? Double))) < 1e-6)
        for task in ["numeric", "mul", "choice"] {
            #expect(
                try Self.task(task, in: one)["accuracy"] as? Double
                    == Self.task(task, in: other)["accuracy"] as? Double)
        }
    }

    @Test(arguments: [
        (["--forms", "f16"], 1, "--forms: found 'f16', expected of f32"),
        (["--forms", "dense"], 1, "--forms: found 'dense'"),
        (["--url", "http://x", "--forms", "f32"], 2, "a server has the one that it runs"),
        (["--question-field", "prompt"], 1, "line 1: prompt: found nothing"),
    ])
    func whatCannotBeDoneIsSaidInOneLine(
        _ more: [String], _ status: Int32, _ wanted: String
    ) async throws {
        let folder = try ScratchFolder()
        let questions = try folder.write(Self.questions, to: "questions.jsonl")
        let run = try await SkeinProgram.run(["eval", "--questions", questions] + more)
        #expect(run.status == status)
        #expect(run.errors.contains(wanted), "\(run.errors)")
    }
}
