import SkeinCore
import SkeinModel
import SkeinTensor
import Testing

/// The bundled model's loss on tokenised documents against float32.
@Suite struct GoslingTests {
    private struct Expected: Decodable {
        struct Reference: Decodable {
            let nllPerToken: Double
            let tokens: Int
            let nllPerTokenInBFloat16: Double

            enum CodingKeys: String, CodingKey {
                case tokens
                case nllPerToken = "nll_per_token"
                case nllPerTokenInBFloat16 = "nll_per_token_in_bfloat16_arithmetic"
            }
        }

        let reference: [String: Reference]
        let documents: [[Int]]
    }

    @Test(arguments: [
        ("fp8", Golden.goslingFP8), ("bf16", Golden.gosling + "/bf16"),
    ])
    func theLossIsTheReferences(name: String, folder: String) throws {
        let expected = try Golden.decode(Expected.self, Golden.gosling + "/eval_text.json")
        let rig = try PipelineRig(folder: folder, sliceCount: 2)
        var (loss, count) = (0.0, 0)
        for document in expected.documents {
            var span = PipelineRig.span(0, document.dropLast(), from: 0)
            span.targets = document.dropFirst().map { TokenID($0) }
            let first = try rig.slices[0].run([span])
            let logits = try #require(
                try rig.slices[1].run([span], hidden: first.residual).logits)
            for (row, target) in span.targets.enumerated() {
                let logit = logits[row, Int(target.rawValue)]
                loss -= Double(logit - Softmax.logSumExp(logits, row: row))
            }
            count += span.targets.count
        }
        let reference = try #require(expected.reference[name])
        let deviation = abs(loss / Double(count) / reference.nllPerToken - 1)
        let yardstick = abs(reference.nllPerTokenInBFloat16 / reference.nllPerToken - 1)
        print(
            "gosling \(name): loss \(loss / Double(count)), \(deviation * 100) % from float32; "
                + "bfloat16 is \(yardstick * 100) % away")
        #expect(count == reference.tokens)
        #expect(deviation <= max(1.5 * yardstick, 0.0005))
    }
}
