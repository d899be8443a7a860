import Foundation
import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinReference
@testable import SkeinWeights

/// The float32 reference is that of the oracle: its logits are Transformers' in float32.
@Suite struct ReferenceModelTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().path()

    static let cases: [String] = {
        do {
            let folder = root + "Golden/oracle"
            return try FileManager.default.contentsOfDirectory(atPath: folder).filter {
                FileManager.default.fileExists(atPath: "\(folder)/\($0)/expected.json")
            }.sorted()
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    /// Rows whose choices of experts or positions are closer than rounding may choose otherwise;
    /// all others are within the bound that the oracle names for arithmetic in float32.
    @Test(arguments: cases)
    func logitsAreThoseOfTheOracle(name: String) throws {
        let folder = Self.root + "Golden/oracle/" + name
        let bytes = Array(try Data(contentsOf: URL(filePath: folder + "/expected.json")))
        let expected = try JSONValue(parsing: bytes, subject: name, rules: .lenient)
        let prompts = try #require(expected["prompts"]?.array).map { prompt in
            try #require(prompt["ids"]?.array).compactMap(\.integer).map { TokenID($0) }
        }
        let file = try SafetensorsFile(path: folder + "/expected.safetensors")
        var layers: [Int] = []
        var worst: [Double] = []
        let reference = ReferenceModel(try Checkpoint.open(folder))
        try reference.run(prompts, onLayer: { done, _ in layers.append(done) }) { prompt, logits in
            let wanted = try Self.floats("prompt.\(prompt).logits", in: file)
            #expect(wanted.count == logits.count * logits[0].count)
            for (row, found) in logits.enumerated() {
                let other = wanted[row * found.count..<(row + 1) * found.count]
                let square = zip(found, other).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
                let size = other.reduce(0.0) { $0 + pow(Double($1), 2) }
                worst.append((square / size).squareRoot())
            }
        }
        worst.sort()
        let far = worst.filter { $0 > 1e-4 }
        #expect(far.count * 20 <= worst.count, "\(name): \(far.count) of \(worst.count): \(far)")
        #expect(layers == Array(1...layers.count))
    }

    @Test func aTokenThatTheVocabularyLacksIsRefused() throws {
        let reference = ReferenceModel(try Checkpoint.open(Self.root + "Golden/oracle/v3"))
        #expect {
            try reference.run([[TokenID(1_000_000)]]) { _, _ in }
        } throws: { ($0 as? Refusal)?.reason.contains("the vocabulary has") == true }
    }

    private static func floats(_ name: String, in file: SafetensorsFile) throws -> [Float] {
        let stored = try #require(file.header.tensors[name])
        let bytes = file.bytes(stored.range).copied()
        return stride(from: 0, to: bytes.count, by: 4).map { first in
            Float(
                bitPattern: (0..<4).reduce(UInt32(0)) {
                    $0 | UInt32(bytes[first + $1]) << UInt32(8 * $1)
                })
        }
    }
}
