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
            layout: ClusterLayout(
                nodeCount: 4, serving: ServingSettings(positionCount: 512, sequenceCount: 16)),
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
            setup, answering: prompt, options: .init(stopTokens: setup.endTokens))
        var pieces: [AnswerPiece] = []
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
        let reference = try Self.reference(weights)
        let folder =
            weights == "fp8" ? SkeinProgram.gosling : SkeinProgram.golden("gosling/bf16")
        let loss = try await Self.loss(
            of: folder, ["--stages", "2", "--weights", form, "--latents", latents])
        let exact = try #require(reference["nll_per_token"])
        let coarse = try #require(reference["nll_per_token_in_bfloat16_arithmetic"])
        let deviation = abs(loss / exact - 1)
        print(
            "gosling \(weights) as \(form), latents in \(latents): \(loss) nats a token, "
                + "\(deviation * 100) % off float32")
        #expect(deviation <= max(0.0005, 1.5 * abs(coarse / exact - 1)))
    }

    /// Activations in FP8 between stages lose something at each hop; the bound is that of a loss
    /// that nobody would see in an answer.
    @Test(arguments: [1, 2, 3, 5])
    func theLossOfHopsInFP8StaysNear(hopCount: Int) async throws {
        let exact = try #require(try Self.reference("fp8")["nll_per_token"])
        let loss = try await Self.loss(
            of: SkeinProgram.gosling, ["--stages", "\(hopCount + 1)", "--hop", "fp8"])
        let deviation = abs(loss / exact - 1)
        print(
            "gosling with \(hopCount) hops in FP8: \(loss) nats a token, \(deviation * 100) % off "
                + "float32")
        #expect(deviation <= 0.0025)
    }

    private static func reference(_ weights: String) throws -> [String: Double] {
        let references = try #require(try texts()["reference"] as? [String: [String: Double]])
        return try #require(references[weights])
    }

    private static func texts() throws -> [String: Any] {
        let file = URL(filePath: SkeinProgram.golden("gosling/eval_text.json"))
        let value = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        return try #require(value as? [String: Any])
    }

    /// Nats a token over all documents.
    private static func loss(of folder: String, _ arguments: [String]) async throws -> Double {
        let scratch = try ScratchFolder()
        let prompts = ["prompts": try #require(try texts()["documents"] as? [[Int]])]
        let promptsFile = try scratch.write(
            String(decoding: try JSONSerialization.data(withJSONObject: prompts), as: UTF8.self),
            to: "prompts.json")
        let run = try await SkeinProgram.run(
            ["score", "--model", folder, "--tokens-json", promptsFile, "--json"] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        let total = try #require(try run.json()["total"] as? [String: Double])
        return try #require(total["negative_log_likelihood"]) / (try #require(total["tokens"]))
    }
}
