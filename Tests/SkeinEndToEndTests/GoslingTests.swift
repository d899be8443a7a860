import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinText
import Testing

/// The bundled model answers its evaluation questions as well as the float32 reference does.
@Suite struct GoslingTests {
    private struct Entry: Decodable {
        let kind: String
        let question: String
        let answer: String
        let thinking: Bool
        let referenceAnswer: String
        let referenceRight: Bool
    }

    private static func entries() throws -> [Entry] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let text = try String(
            contentsOfFile: SkeinProgram.golden("gosling/eval.jsonl"), encoding: .utf8)
        return try text.split(separator: "\n").map {
            try decoder.decode(Entry.self, from: Data($0.utf8))
        }
    }

    @Test func theShareOfRightAnswersEqualsTheReference() async throws {
        let entries = try Self.entries()
        let setup = try Tokenizer.fromFolder(SkeinProgram.gosling)
        let cluster = try await EmbeddedCluster.start(
            model: SkeinProgram.gosling,
            layout: ClusterLayout(nodeCount: 4, positionCountMax: 512, fullSequenceCount: 16),
            softwareVersion: "test", logger: Logger(label: "test"))
        let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (index, entry) in entries.enumerated() {
                group.addTask {
                    (index, try await Self.answer(entry, setup: setup, cluster: cluster))
                }
            }
            var answers = [String](repeating: "", count: entries.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
        await cluster.stop()
        let right = zip(entries, answers).count { $0.answer == $1 }
        let reference = entries.count { $0.referenceRight }
        let same = zip(entries, answers).count { $0.referenceAnswer == $1 }
        print(
            "gosling: \(right) of \(entries.count) right, the reference \(reference); "
                + "\(same) answers are the reference's own")
        let points = abs(Double(right - reference)) / Double(entries.count) * 100
        #expect(points <= 2)
    }

    private static func answer(
        _ entry: Entry, setup: TextSetup, cluster: EmbeddedCluster
    ) async throws -> String {
        let format = try #require(setup.chatFormat?.format)
        let prompt = try format.prompt(
            [ChatMessage(.user, entry.question)], options: ChatOptions(isThinking: entry.thinking))
        let request = GenerationRequest(
            promptTokens: setup.tokenizer.encode(prompt.segments), newTokensMax: 300,
            stopTokens: setup.endTokens)
        var reader = try AnswerReader(
            tokenizer: setup.tokenizer, stopTokens: setup.endTokens, stopStrings: [],
            reasoningIsOpen: prompt.opensReasoning)
        var pieces: [AnswerReader.Piece] = []
        let (_, events) = try await cluster.coordinator.submit(request)
        for try await event in events {
            if case .token(let token) = event { pieces += reader.push(token.token) }
        }
        pieces += reader.finish()
        let content = pieces.map { piece in
            if case .content(let text) = piece { text } else { "" }
        }
        return content.joined().trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Nats a token over all documents, by `skein score`, against the float32 reference; the bound
    /// is 1.5 times what bfloat16 arithmetic loses, or 0.05 %, whichever is larger.
    @Test(
        arguments: [
            ("fp8", "native", "bf16"), ("bf16", "native", "bf16"), ("fp8", "int8", "bf16"),
            ("fp8", "native", "fp8"),
        ])
    func theLossStaysAtTheReference(
        weights: String, form: String, latents: String
    ) async throws {
        let file = SkeinProgram.golden("gosling/eval_text.json")
        let whole = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: file)))
                as? [String: Any])
        let references = try #require(whole["reference"] as? [String: [String: Double]])
        let reference = try #require(references[weights])
        let scratch = try ScratchFolder()
        let prompts = ["prompts": try #require(whole["documents"] as? [[Int]])]
        let promptsFile = try scratch.write(
            String(decoding: try JSONSerialization.data(withJSONObject: prompts), as: UTF8.self),
            to: "prompts.json")
        let folder =
            weights == "fp8" ? SkeinProgram.gosling : SkeinProgram.golden("gosling/bf16")
        let run = try await SkeinProgram.run([
            "score", "--model", folder, "--tokens-json", promptsFile, "--stages", "2",
            "--weights", form, "--latents", latents, "--json",
        ])
        try #require(run.status == 0, "\(run.errors)")
        let total = try #require(try run.json()["total"] as? [String: Double])
        let sum = try #require(total["negative_log_likelihood"])
        let loss = sum / (try #require(total["tokens"]))
        let exact = try #require(reference["nll_per_token"])
        let coarse = try #require(reference["nll_per_token_in_bfloat16_arithmetic"])
        let deviation = abs(loss / exact - 1)
        print(
            "gosling \(weights) as \(form), latents in \(latents): \(loss) nats a token, "
                + "\(deviation * 100) % off float32")
        #expect(deviation <= max(0.0005, 1.5 * abs(coarse / exact - 1)))
    }
}
