import SkeinTensor
import Testing

@testable import SkeinCore
@testable import SkeinModel

@Suite struct YarnRotaryTests {
    private struct Vectors: Decodable {
        struct Angle: Decodable {
            let position: Int
            let cos: [Float]
            let sin: [Float]
        }

        struct Scaling: Decodable {
            let factor: Double
            let original_max_position_embeddings: Int
            let beta_fast: Double
            let beta_slow: Double
            let mscale: Double?
            let mscale_all_dim: Double?
        }

        struct Model: Decodable {
            let model: String
            let qk_nope_head_dim: Int
            let qk_rope_head_dim: Int
            let rope_theta: Double
            let rope_scaling: Scaling?
            let inverse_frequencies: [Double]
            let softmax_scale: Double
            let cos_sin_multiplier: Double
            let angles: [Angle]

            var rotary: YarnRotary {
                YarnRotary(
                    headSize: qk_nope_head_dim + qk_rope_head_dim, ropeSize: qk_rope_head_dim,
                    theta: rope_theta,
                    yarn: rope_scaling.map {
                        ModelConfiguration.Yarn(
                            factor: $0.factor,
                            originalPositionCount: $0.original_max_position_embeddings,
                            betaFast: $0.beta_fast, betaSlow: $0.beta_slow, mscale: $0.mscale,
                            mscaleAllDim: $0.mscale_all_dim)
                    })
            }
        }

        struct Rotation: Decodable {
            let position: Int
            let frequencies: [Double]
            let x: [Float]
            let interleaved: [Float]
        }

        let models: [Model]
        let rotation: Rotation
    }

    private func vectors() throws -> Vectors {
        try Golden.decode(Vectors.self, Golden.oracle + "/vectors/yarn.json")
    }

    @Test func frequenciesAndScalesArePublished() throws {
        for expected in try vectors().models {
            let rotary = expected.rotary
            #expect(rotary.inverseFrequencies.count == expected.inverse_frequencies.count)
            for (actual, wanted) in zip(
                rotary.inverseFrequencies, expected.inverse_frequencies)
            {
                // Both are double arithmetic; only the order of a few roundings may differ.
                #expect(abs(actual / wanted - 1) < 1e-12, "\(expected.model)")
            }
            #expect(
                abs(rotary.softmaxScale / expected.softmax_scale - 1) < 1e-12, "\(expected.model)")
            #expect(
                abs(rotary.magnitude / expected.cos_sin_multiplier - 1) < 1e-12,
                "\(expected.model)")
        }
    }

    @Test func cosinesAndSinesAreRightAtEveryPosition() throws {
        for expected in try vectors().models {
            for angle in expected.angles {
                let row = expected.rotary.table.row(position: angle.position)
                // The vectors' note: float32 angles far out are off by about 0.01.
                let bound: Float = angle.position > 100_000 ? 2e-2 : 1e-3
                for pair in angle.cos.indices {
                    #expect(abs(row.cosines[pair] - angle.cos[pair]) < bound)
                    #expect(abs(row.sines[pair] - angle.sin[pair]) < bound)
                }
            }
        }
    }

    @Test func pairsThatLieTogetherRotateTogether() throws {
        let rotation = try vectors().rotation
        let rows = Tensor([rotation.x])
        let pool = ComputePool(threadCount: 1)
        Rotary.rotate(
            rows, layout: .interleaved, firstColumn: 0, headCount: 1,
            headStride: rotation.x.count,
            by: RotaryTable(frequencies: rotation.frequencies)
                .angles(of: [rotation.position], on: pool), on: pool)
        for (actual, wanted) in zip(rows.row(0), rotation.interleaved) {
            #expect(abs(actual - wanted) < 1e-6)
        }
    }

    /// Specification section 3.6 prints these.
    @Test func theSpecificationsCheckValuesHold() throws {
        let models = try vectors().models
        let v3 = try #require(models.first { $0.model == "DeepSeek-V3" }).rotary
        #expect(abs(v3.inverseFrequencies[11] / 0.0390069266 - 1) < 1e-8)
        #expect(abs(v3.softmaxScale - 0.135233779) < 1e-9)
        let kimi = try #require(models.first { $0.model == "Kimi-K2-Instruct" }).rotary
        #expect(abs(kimi.inverseFrequencies[22] / 1.83784188e-5 - 1) < 1e-8)
    }
}
