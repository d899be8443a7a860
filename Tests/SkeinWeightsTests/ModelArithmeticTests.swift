import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("ModelArithmetic")
struct ModelArithmeticTests {
    private static let models: [String: JSONValue] = {
        do {
            let file = Golden.oracle.appendingPathComponent("vectors/params.json")
            let document = try JSONValue(
                parsing: Array(Data(contentsOf: file)), subject: "params.json")
            let models = document["models"]?.array ?? []
            return Dictionary(
                uniqueKeysWithValues: models.compactMap { model in
                    model["model"]?.string.map { ($0, model) }
                })
        } catch {
            return [:]
        }
    }()

    private func arithmetic(_ name: String) throws -> ModelArithmetic {
        try Self.arithmetic(name)
    }

    /// A published model's.
    static func arithmetic(_ name: String) throws -> ModelArithmetic {
        let document = try #require(models[name]?["config"])
        return ModelArithmetic(try ModelConfiguration(parsed: document, subject: name))
    }

    @Test(arguments: [
        "DeepSeek-V2-Lite", "DeepSeek-V2", "DeepSeek-V3", "DeepSeek-V3.2", "Kimi-K2-Instruct",
    ])
    func publishedModelsAreCountedExactly(_ name: String) throws {
        let model = try arithmetic(name)
        let fields = try #require(Self.models[name])
        func expect(_ key: String, _ value: Int) {
            #expect(fields[key] == .integer(value), "\(key)")
        }
        expect("tensors_main", model.main.tensorCount)
        expect("tensors", model.published.tensorCount)
        expect("parameters_total", model.main.parameterCount)
        expect("parameters_active_with_embedding_and_head", model.activeParameterCount)
        expect("parameters_active_without_input_embedding", model.multipliedParameterCount)
        expect("parameters_mtp_unique", model.nextTokenLayers.parameterCount)
        expect("parameters_mtp_duplicated", model.nextTokenCopies.parameterCount)
        expect("disk_bytes_main", model.main.totalBytes)
        expect(
            "disk_bytes_mtp", model.nextTokenLayers.totalBytes + model.nextTokenCopies.totalBytes)
        expect("disk_bytes_total", model.published.totalBytes)
        let perToken = try #require(fields["kv_bytes_per_token"])
        #expect(perToken["main_bf16"] == .integer(model.latentBytesPerToken()))
        if let indexer = perToken["indexer_fp8"] {
            let inFP8 = ModelArithmetic(model.configuration, latents: .fp8)
            #expect(indexer == .integer(inFP8.indexKeyBytesPerToken()))
            #expect(model.indexKeyBytesPerToken() == 61 * 256)
            #expect(model.cacheBytesPerToken() == model.latentBytesPerToken() + 61 * 256)
        }
    }

    /// Specification section 9, tables and worked example.
    @Test func theFiguresOfV3AreThePublishedOnes() throws {
        let model = try arithmetic("DeepSeek-V3")
        #expect(model.main.parameterCount == 671_026_419_200)
        #expect(model.main.float8Bytes == 669_065_609_216)
        #expect(model.main.scaleBytes == 163_352_928)
        #expect(model.main.bfloat16Bytes == 3_921_590_272)
        #expect(model.main.float32Bytes == 59_392)
        #expect(model.embedding.parameterCount == 926_679_040)
        #expect(model.routedExpert.parameterCount == 44_040_192)
        #expect(model.denseLayer.parameterCount == 187_107_328 + 14_336 + 396_361_728)
        #expect(model.nextTokenLayers.parameterCount == 11_610_068_224)
        #expect(model.flopsPerToken == 2 * 36_625_618_432)
        #expect(model.absorbedAttentionFlopsPerPosition == 61 * 278_528)
        #expect(model.latentBytesPerToken() == 70_272)
        #expect(model.expandedBytesPerToken == 4_997_120)
        let inFP8 = ModelArithmetic(model.configuration, latents: .fp8)
        #expect(inFP8.latentBytesPerToken() == 40_016)
        #expect(try arithmetic("DeepSeek-V2").expandedBytesPerToken == 4_915_200)
        #expect(try arithmetic("DeepSeek-V2-Lite").expandedBytesPerToken == 276_480)
        #expect(try arithmetic("Kimi-K2-Instruct").expandedBytesPerToken == 2_498_560)
    }

    @Test(arguments: ["DeepSeek-V2-Lite", "DeepSeek-V3"])
    func slicesSumToTheWhole(_ name: String) throws {
        let model = try arithmetic(name)
        let layerCount = model.configuration.layerCount
        for count in [1, 2, 3, 4, 7, layerCount] {
            let slices = Slice.even(layerCount: layerCount, count: count)
            let sum = slices.reduce(WeightTally()) { $0 + model.weights(of: $1) }
            #expect(sum == model.main)
            #expect(model.weights(of: slices) == model.main)
        }
    }

    @Test func theMemoryOfANodeIsTheSumOfItsParts() throws {
        let model = try arithmetic("DeepSeek-V3")
        let slices = [
            Slice(layers: 0..<8, holdsEmbedding: true, holdsHead: false),
            Slice(layers: 53..<61, holdsEmbedding: false, holdsHead: true),
        ]
        let memory = model.memory(of: slices, pageCount: 100, fixedBytes: 7)
        #expect(memory.latentBytes == 16 * 1_152 * 64 * 100)
        let inFP8 = ModelArithmetic(model.configuration, latents: .fp8)
            .memory(of: slices, pageCount: 100, fixedBytes: 7)
        #expect(memory.totalBytes - inFP8.totalBytes == 16 * (1_152 - 656) * 64 * 100)
        #expect(memory.weightBytes == model.weights(of: slices).totalBytes)
        #expect(memory.totalBytes == memory.weightBytes + memory.latentBytes + 7)
        #expect(
            model.memory(of: slices, pageCount: 0, weightBytes: 5, fixedBytes: 0).totalBytes == 5)
    }

    /// The prediction layer stands beside the head, with a cache of its own and the embedding.
    @Test func guessingAheadTakesMemoryOnTheNodeOfTheHead() throws {
        let plain = try arithmetic("DeepSeek-V3")
        let speculating = ModelArithmetic(plain.configuration, speculates: true)
        #expect(speculating.main == plain.main && speculating.published == plain.published)
        let slices = Slice.even(layerCount: 61, count: 2)
        let added = slices.map { slice in
            let with = speculating.memory(of: [slice], pageCount: 100)
            let without = plain.memory(of: [slice], pageCount: 100)
            return (
                weights: with.weightBytes - without.weightBytes,
                latents: with.latentBytes - without.latentBytes
            )
        }
        #expect(added[0] == (0, 0))
        let weights = plain.nextTokenLayers.totalBytes + plain.embedding.totalBytes
        #expect(added[1] == (weights, 1_152 * 64 * 100))
        let lite = try arithmetic("DeepSeek-V2-Lite").configuration
        #expect(!ModelArithmetic(lite, speculates: true).speculates, "it has no such layer")
    }

    /// The parts of attention and of the experts do not grow with the step; the rest does.
    @Test func activationsGrowByTheirUnpartedRowsOnly() throws {
        let model = try arithmetic("DeepSeek-V3")
        let configuration = model.configuration
        let limits = PartLimits(configuration)
        #expect(limits.attentionRowsMax == 64 && limits.expertRowsMax == (16 << 20) / (4 * 7_168))
        // Incoming, residual, norm, branch, rounded and BF16 both ways: 6 of 7,168, and 256 scores.
        #expect(
            model.activationBytes(rowCount: 512) - model.activationBytes(rowCount: 256)
                == 256 * 4 * (6 * 7_168 + 256))
        // A small step needs no parts.
        #expect(model.activationBytes(rowCount: 2) == 2 * model.activationBytes(rowCount: 1))
        #expect(model.activationBytes(rowCount: 0) == 0)
    }

    @Test func aHostOfExpertsKeepsRowsAndOutputsButNoAttention() throws {
        let model = try arithmetic("DeepSeek-V3")
        let memory = model.memory(of: [], pageCount: 0, activationRowCount: 1, fixedBytes: 0)
        #expect(memory.activationBytes == 7_168 * (4 + 2 + 8 * (4 + 2)))
    }
}
