import Foundation
import Testing

/// `skein score` and `skein generate`, as users run them, against Hugging Face transformers in
/// float32; bounds are what transformers loses in bfloat16.
@Suite struct OracleTests {
    static let cases = [
        "v2lite", "v2", "v3", "v3fp8", "v3fp8_ue8m0", "v32", "kimi", "glm4_moe_lite",
    ]

    private struct Expected: Decodable {
        struct Prompt: Decodable {
            let ids: [Int]
            let greedy: [Int]
            let greedyMargin: [Double]
        }
        struct Yardstick: Decodable {
            let rmsRelative: Double
            let maxAbsolute: Double
            let medianPositionRmsRelative: Double
        }
        let prompts: [Prompt]
        let detailPrompt: Int
        let bfloat16ErrorAll: Yardstick
        let bfloat16ErrorForced: Yardstick

        init(_ folder: String) throws {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let bytes = try Data(contentsOf: URL(filePath: folder + "/expected.json"))
            self = try decoder.decode(Expected.self, from: bytes)
        }
    }

    @Test(arguments: cases)
    func scoredLogitsRoutesAndHiddenStatesAgreeWithTheReference(name: String) async throws {
        let folder = SkeinProgram.golden("oracle/\(name)")
        let expected = try Expected(folder)
        let wanted = try ScoredTensors(folder + "/expected.safetensors")
        let scratch = try ScratchFolder()
        let prompts = ["prompts": expected.prompts.map(\.ids)]
        let file = try scratch.write(
            String(decoding: try JSONSerialization.data(withJSONObject: prompts), as: UTF8.self),
            to: "prompts.json")
        let out = scratch.path + "/out.safetensors"
        let run = try await SkeinProgram.run([
            "score", "--model", folder, "--tokens-json", file, "--out", out, "--dump",
            "hidden,router", "--stages", "2", "--json",
        ])
        try #require(run.status == 0, "\(run.errors)")
        let found = try ScoredTensors(out)
        var errors: [(difference: Double, size: Double)] = []
        for (index, prompt) in expected.prompts.enumerated() {
            errors += Self.rows(
                try found.floats("logits.\(index)"), try wanted.floats("prompt.\(index).logits"),
                rowCount: prompt.ids.count)
        }
        let yardstick = expected.bfloat16ErrorAll
        let rms = Self.rms(errors)
        let median = errors.map { ($0.difference / $0.size).squareRoot() }.sorted()[
            errors.count / 2]
        // A few flipped experts decide the rms; the oracle allows half as much again.
        #expect(rms <= 1.5 * yardstick.rmsRelative)
        #expect(median <= yardstick.medianPositionRmsRelative)
        try checkDetails(expected, found: found, wanted: wanted)
    }

    /// Layer by layer up to the first choice that differs: from there on the numbers belong to
    /// other experts, and only a choice with hardly a margin may differ.
    private func checkDetails(
        _ expected: Expected, found: ScoredTensors, wanted: ScoredTensors
    ) throws {
        let detail = expected.detailPrompt
        let bound = expected.bfloat16ErrorForced.rmsRelative
        let rowCount = expected.prompts[detail].ids.count
        var layer = 0
        while wanted.contains("detail.hidden.\(layer)") {
            let reference = try wanted.floats("detail.hidden.\(layer)")
            if wanted.contains("detail.router.\(layer).indices") {
                let indices = try wanted.integers("detail.router.\(layer).indices")
                let margins = try wanted.floats("detail.router.\(layer).margin")
                let choices = try found.integers("router.indices.\(detail).\(layer)")
                let slotCount = indices.count / rowCount
                let flipped = (0..<rowCount).filter { row in
                    let slots = (row * slotCount)..<((row + 1) * slotCount)
                    return choices[slots] != indices[slots]
                }
                for row in flipped { #expect(margins[row] < 0.005, "layer \(layer), row \(row)") }
                if !flipped.isEmpty { return }
            }
            let rows = Self.rows(
                try found.floats("hidden.\(detail).\(layer)"), reference, rowCount: rowCount)
            #expect(Self.rms(rows) <= bound, "layer \(layer)")
            layer += 1
        }
        let final = Self.rows(
            try found.floats("hidden.\(detail).final"), try wanted.floats("detail.final_norm"),
            rowCount: rowCount)
        #expect(Self.rms(final) <= bound)
    }

    /// Up to the first step where the reference's lead is small, its tokens are the only answer.
    @Test(arguments: cases)
    func generatedTokensFollowTheReferenceWhileItsLeadIsClear(name: String) async throws {
        let folder = SkeinProgram.golden("oracle/\(name)")
        let expected = try Expected(folder)
        let unclear = 4 * expected.bfloat16ErrorForced.maxAbsolute
        for prompt in expected.prompts {
            let run = try await SkeinProgram.run([
                "generate", "--model", folder, "--tokens",
                prompt.ids.map(String.init).joined(separator: ","), "--max-tokens",
                "\(prompt.greedy.count)", "--temperature", "0", "--ignore-eos", "--json",
            ])
            try #require(run.status == 0, "\(run.errors)")
            let tokens = try #require(try run.json()["tokens"] as? [Int])
            #expect(tokens.count == prompt.greedy.count)
            let clear =
                prompt.greedyMargin.firstIndex { $0 < unclear } ?? prompt.greedy.count
            #expect(tokens.prefix(clear) == prompt.greedy.prefix(clear))
        }
    }

    private static func rows(
        _ found: [Float], _ wanted: [Float], rowCount: Int
    ) -> [(difference: Double, size: Double)] {
        let width = wanted.count / rowCount
        return (0..<rowCount).map { row in
            var (difference, size) = (0.0, 0.0)
            for place in (row * width)..<((row + 1) * width) {
                let gap = Double(found[place]) - Double(wanted[place])
                difference += gap * gap
                size += Double(wanted[place]) * Double(wanted[place])
            }
            return (difference, size)
        }
    }

    private static func rms(_ rows: [(difference: Double, size: Double)]) -> Double {
        let difference = rows.reduce(0) { $0 + $1.difference }
        return (difference / rows.reduce(0) { $0 + $1.size }).squareRoot()
    }
}
