import Foundation
import Testing

/// The headline promise: however a prompt is run, its logits are the same bytes.
@Suite struct SamenessTests {
    /// A way to run a prompt, and whether the machine's kernels are replaced by their twins.
    struct Way: CustomTestStringConvertible, Sendable {
        var arguments: [String] = []
        var instructionSet: String?
        var isInCrowd = false

        var testDescription: String {
            ([instructionSet, isInCrowd ? "beside 15 others" : nil].compactMap(\.self)
                + arguments).joined(separator: " ")
        }
    }

    static let ways: [Way] =
        [1, 2, 3, 4].map { Way(arguments: ["--stages", "\($0)"]) }
        + [1, 2, 3].map { Way(arguments: ["--stages", "\($0)", "--placement", "vfold"]) }
        + [
            Way(arguments: ["--stages", "4", "--processes"]),
            Way(arguments: ["--stages", "3", "--placement", "vfold", "--processes"]),
        ]
        + [
            Way(arguments: ["--experts", "1"]),
            Way(arguments: ["--stages", "2", "--experts", "3", "--chunk", "64"]),
            Way(arguments: [
                "--stages", "2", "--experts", "2", "--placement", "vfold", "--processes",
            ]),
        ]
        + [1, 2].map { Way(arguments: ["--threads", "\($0)"]) }
        + [1, 7, 64, 4096].map { Way(arguments: ["--chunk", "\($0)", "--stages", "2"]) }
        + [
            Way(isInCrowd: true),
            Way(arguments: ["--stages", "3", "--chunk", "7", "--processes"], isInCrowd: true),
            Way(instructionSet: "scalar"),
            Way(arguments: ["--stages", "2"], instructionSet: "avx2"),
        ]

    static let waysOverFP8Latents = [
        Way(arguments: ["--stages", "3", "--chunk", "7", "--processes"], isInCrowd: true),
        Way(arguments: ["--stages", "2", "--placement", "vfold", "--threads", "2"]),
        Way(
            arguments: ["--stages", "2", "--experts", "2", "--chunk", "64"],
            instructionSet: "scalar"),
    ]

    /// Every row beyond the sixteenth selects what it attends to.
    static let waysOfSparseAttention = [
        Way(arguments: ["--stages", "3", "--chunk", "7", "--processes"], isInCrowd: true),
        Way(arguments: ["--stages", "2", "--placement", "vfold", "--threads", "2"]),
        Way(arguments: ["--experts", "2", "--chunk", "64"], instructionSet: "scalar"),
        Way(arguments: ["--chunk", "1"], isInCrowd: true),
    ]

    /// The bytes of a way to run some three hundred tokens of text.
    static func logits(_ way: Way) async throws -> [UInt8] {
        let text = try Data(
            contentsOf: URL(filePath: SkeinProgram.golden("gosling/eval_text.json")))
        let whole = try #require(
            try JSONSerialization.jsonObject(with: text) as? [String: Any])
        let documents = try #require(whole["documents"] as? [[Int]])
        // Long enough to cross several pages of the latent cache.
        var prompts = [Array(documents.joined().prefix(300))]
        if way.isInCrowd { prompts += documents.prefix(15) }
        return try await logits(way, of: prompts, model: SkeinProgram.gosling)
    }

    /// The bytes of the first of some prompts.
    private static func logits(
        _ way: Way, of prompts: [[Int]], model: String
    ) async throws -> [UInt8] {
        let scratch = try ScratchFolder()
        let file = try scratch.write(
            String(
                decoding: try JSONSerialization.data(withJSONObject: ["prompts": prompts]),
                as: UTF8.self), to: "prompts.json")
        let out = scratch.path + "/out.safetensors"
        let environment = way.instructionSet.map { ["SKEIN_ISA=\($0)"] } ?? []
        let run = try await SkeinProgram.run(
            [
                "score", "--model", model, "--tokens-json", file, "--out", out,
            ] + way.arguments, environment: environment)
        try #require(run.status == 0, "\(run.errors)")
        return try ScoredTensors(out).bytes("logits.0")
    }

    @Test(arguments: ways)
    func logitsAreTheSameBytesWhicheverWayAPromptIsRun(way: Way) async throws {
        let plain = try await Self.logits(Way(arguments: ["--threads", "1", "--chunk", "4096"]))
        let bytes = try await Self.logits(way)
        #expect(bytes.count == 300 * 4_096 * 4)
        #expect(bytes == plain)
    }

    @Test(arguments: waysOverFP8Latents)
    func logitsOverLatentsInFP8AreTheSameBytesToo(way: Way) async throws {
        let form = ["--latents", "fp8"]
        let plain = try await Self.logits(
            Way(arguments: ["--threads", "1", "--chunk", "4096"] + form))
        var way = way
        way.arguments += form
        #expect(try await Self.logits(way) == plain)
    }

    @Test(arguments: waysOfSparseAttention, ["bf16", "fp8"])
    func logitsOfSparseAttentionAreTheSameBytesToo(way: Way, latents: String) async throws {
        let model = SkeinProgram.golden("oracle/v32")
        let crowd = (0..<16).map { prompt in
            (0..<150 - 3 * prompt).map { ($0 * 37 + prompt * 11) % 520 }
        }
        let form = ["--latents", latents]
        let plain = try await Self.logits(
            Way(arguments: ["--threads", "1", "--chunk", "4096"] + form), of: [crowd[0]],
            model: model)
        var way = way
        way.arguments += form
        let bytes = try await Self.logits(
            way, of: way.isInCrowd ? crowd : [crowd[0]], model: model)
        #expect(bytes.count == 150 * 520 * 4)
        #expect(bytes == plain)
    }
}
