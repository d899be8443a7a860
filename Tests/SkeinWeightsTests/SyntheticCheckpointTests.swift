import Foundation
import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinWeights

@Suite("SyntheticCheckpoint")
struct SyntheticCheckpointTests {
    private func json(_ name: String) throws -> [UInt8] {
        let file = Golden.oracle.appendingPathComponent(name).appendingPathComponent("config.json")
        return Array(try Data(contentsOf: file))
    }

    private func bytes(in folder: String) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return Dictionary(
            uniqueKeysWithValues: try names.map {
                ($0, try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")))
            })
    }

    /// Formats in which any width can be stored.
    private static let anyWidth: [SyntheticCheckpoint.Format] = [.fp8, .bf16]

    @Test(arguments: Golden.configured, anyWidth)
    func everyFamilyIsWrittenAndReadBack(
        _ name: String, _ format: SyntheticCheckpoint.Format
    ) async throws {
        let folder = try TemporaryFolder()
        let synthetic = try SyntheticCheckpoint(json: json(name), subject: name, format: format)
        try await synthetic.write(to: folder.path("model"), shardBytesMax: 500_000)
        let checkpoint = try readWhole(folder.path("model"))
        let model = checkpoint.configuration
        #expect(model == synthetic.configuration)
        #expect((model.quantization != nil) == (format == .fp8))
        #expect(checkpoint.fileNames.count > 1)
        let tally = try checkpoint.verify(
            WeightPlan(
                configuration: model,
                slices: [
                    Slice(layers: 0..<model.layerCount, holdsEmbedding: true, holdsHead: true)
                ], includesNextTokenLayers: true))
        let arithmetic = ModelArithmetic(model)
        #expect(tally == arithmetic.main + arithmetic.nextTokenLayers)
        #expect(checkpoint.tensorNames.count == arithmetic.published.tensorCount)
    }

    @Test(
        arguments: ["kimi_k25_int4", "kimi_k2_thinking_int4"],
        [nil, SyntheticCheckpoint.Format.int4])
    func expertsAreWrittenInINT4(
        _ name: String, _ format: SyntheticCheckpoint.Format?
    ) async throws {
        let folder = try TemporaryFolder()
        let synthetic = try SyntheticCheckpoint(json: json(name), subject: name, format: format)
        try await synthetic.write(to: folder.path("model"), shardBytesMax: 500_000)
        let checkpoint = try readWhole(folder.path("model"))
        let model = checkpoint.configuration
        #expect(model == synthetic.configuration)
        #expect(try checkpoint.verify(.whole(model)) == ModelArithmetic(model).main)
        let inner = try #require(model.routing).expertIntermediateSize
        let matrix = try checkpoint.matrix(
            WeightName.layer(1).expert(0).gate, rows: inner, columns: model.hiddenSize)
        #expect(matrix.format == .i4Group(columns: 32))
        let square = (0..<inner).flatMap(matrix.decodedRow).reduce(Float(0)) { $0 + $1 * $1 }
        #expect(abs(square / Float(inner) - 1) < 0.2)
    }

    @Test func widthsThatFillNoWordsAreRefusedInINT4() throws {
        let refusal = #expect(throws: Refusal.self) {
            try SyntheticCheckpoint(json: json("glm5"), subject: "glm5", format: .int4)
        }
        #expect(refusal?.reason.contains("cannot be INT4") == true)
    }

    @Test func theSeedDecidesEveryByte() async throws {
        let folder = try TemporaryFolder()
        let config = try json("v3fp8_ue8m0")
        for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] as [(String, UInt64)] {
            let synthetic = try SyntheticCheckpoint(json: config, subject: "config", seed: seed)
            try await synthetic.write(to: folder.path(name))
        }
        let (first, second) = (try bytes(in: folder.path("a")), try bytes(in: folder.path("b")))
        #expect(first == second)
        #expect(try bytes(in: folder.path("c")) != first)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
    }

    @Test func weightsHaveTheDeviationOfTheirInputs() async throws {
        let folder = try TemporaryFolder()
        for format in Self.anyWidth {
            let synthetic = try SyntheticCheckpoint(
                json: json("v3fp8_ue8m0"), subject: "config", format: format)
            try await synthetic.write(to: folder.path(format.rawValue))
            let checkpoint = try Checkpoint.open(folder.path(format.rawValue))
            let matrix = try checkpoint.matrix(
                WeightName.layer(0).dense.gate, rows: 192, columns: 320)
            let numbers = (0..<192).flatMap(matrix.decodedRow)
            let square = numbers.reduce(Float(0)) { $0 + $1 * $1 } / Float(numbers.count)
            // Scales that are powers of two lie up to a factor of two below the wanted deviation.
            let share = square.squareRoot() * Float(320).squareRoot()
            #expect(share > 0.45 && share < 1.1, "\(share)")
            let norm = try checkpoint.vector(WeightName.finalNorm, count: 320)
            #expect(norm.allSatisfy { $0 > 0.7 && $0 < 1.3 })
        }
    }

    @Test func copiesInThePredictionLayerEqualTheirOriginals() async throws {
        let folder = try TemporaryFolder()
        let synthetic = try SyntheticCheckpoint(json: json("v3"), subject: "config")
        try await synthetic.write(to: folder.path("model"))
        let checkpoint = try Checkpoint.open(folder.path("model"))
        let names = WeightName.layer(4)
        for (copy, original) in [
            (names.predictionEmbeddingCopy, WeightName.embedding),
            (names.predictionHeadCopy, WeightName.head),
        ] {
            let left = try checkpoint.matrix(copy, rows: 514, columns: 112)
            let right = try checkpoint.matrix(original, rows: 514, columns: 112)
            #expect(left.decodedRow(513) == right.decodedRow(513))
        }
    }

    @Test func theNumberOfLayersCanBeChanged() throws {
        let config = try json("v3")
        let more = try SyntheticCheckpoint(json: config, subject: "config", layerCount: 9)
        #expect(more.configuration.layerCount == 9)
        let one = try SyntheticCheckpoint(json: config, subject: "config", layerCount: 1)
        #expect(one.configuration.layerIsMixture == [false])
        let zero = #expect(throws: Refusal.self) {
            try SyntheticCheckpoint(json: config, subject: "config", layerCount: 0)
        }
        #expect(zero?.subject == "config: num_hidden_layers")
    }

    @Test func whatIsThereIsNotOverwritten() async throws {
        let folder = try TemporaryFolder()
        let synthetic = try SyntheticCheckpoint(json: json("v2lite"), subject: "config")
        try folder.write([1], to: "file")
        let onFile = await #expect(throws: Refusal.self) {
            try await synthetic.write(to: folder.path("file"))
        }
        #expect(onFile?.description.contains("is no folder") == true)
        let onFolder = await #expect(throws: Refusal.self) {
            try await synthetic.write(to: folder.path)
        }
        #expect(onFolder?.description.contains("not empty") == true)
        let under = await #expect(throws: Refusal.self) {
            try await synthetic.write(to: folder.path("file/inside"))
        }
        #expect(under?.description.contains("file") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
        let empty = folder.path("empty")
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
        try await synthetic.write(to: empty)
        try readWhole(empty)
    }

    @Test func aCancelledWritingLeavesNothing() async throws {
        let folder = try TemporaryFolder()
        let synthetic = try SyntheticCheckpoint(json: json("v2lite"), subject: "config")
        let path = folder.path("model")
        let writing = Task { try await synthetic.write(to: path) }
        writing.cancel()
        let outcome = await writing.result
        // The task may have been through before it was cancelled; then the folder is whole.
        switch outcome {
        case .success: try readWhole(path)
        case .failure(let error):
            #expect("\(error)".contains("cancelled"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
