import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("Checkpoint fingerprint")
struct CheckpointFingerprintTests {
    private func fingerprint(
        of folder: String
    ) throws -> String { try Checkpoint.open(folder).fingerprint() }

    private func fingerprint(_ change: (inout Draft) -> Void) throws -> String {
        let folder = try TemporaryFolder()
        var draft = try Draft()
        change(&draft)
        try draft.write(to: folder)
        return try fingerprint(of: folder.path)
    }

    @Test func aCopyHasTheSameAndADifferentCheckpointAnother() throws {
        let original = try fingerprint { _ in }
        #expect(original.count == 64)
        #expect(try fingerprint { _ in } == original)
        #expect(
            try fingerprint {
                let text = JSONValue.object($0.configuration).text
                $0.files["config.json"] = Array(("  " + text).utf8)
            } == original)
        let others = [
            try fingerprint { $0.configuration["rope_theta"] = .integer(50_000) },
            try fingerprint { $0.configuration["unknown"] = .string("key") },
            try fingerprint { $0.change(WeightName.finalNorm) { $0.bytes[3] ^= 1 } },
            try fingerprint { $0.change(CheckpointRefusalTests.scale) { $0.bytes[0] ^= 1 } },
            try fingerprint { $0.add("more", DraftTensor("U8", [1], [0])) },
            try fingerprint {
                $0.shards["model-00003.safetensors"] = $0.shards.removeValue(forKey: Draft.second)
            },
        ]
        #expect(Set(others + [original]).count == others.count + 1)
    }

    /// Nodes of two versions that load one checkpoint must agree.
    @Test(arguments: [
        ("cluster/models/gosling", "9e1297d6a41160f3"),
        ("Tests/Golden/oracle/v2", "a1fd8b66cebc8cd8"),
        ("Tests/Golden/oracle/v3", "4804754d43cff893"),
        ("Tests/Golden/oracle/v32", "710952fd1305a1b5"),
        ("Tests/Golden/oracle/v3fp8", "065064f7fd6838e0"),
        ("Tests/Golden/oracle/kimi", "0cc633e48b21a2c0"),
    ])
    func aKnownCheckpointKeepsItsFingerprint(_ folder: String, _ first: String) throws {
        let top = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        #expect(try fingerprint(of: top.appendingPathComponent(folder).path).hasPrefix(first))
    }

    @Test func sixteenSamplesAreSpreadOverAFile() {
        let ranges = Checkpoint.sampleRanges(of: 100..<(100 + 10 << 20))
        #expect(ranges.count == 16)
        #expect(ranges.first?.lowerBound == 100)
        #expect(ranges.last?.upperBound == 100 + 10 << 20)
        #expect(ranges.allSatisfy { $0.count == 4_096 })
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        #expect(Checkpoint.sampleRanges(of: 8..<(8 + 65_536)) == [8..<(8 + 65_536)])
        #expect(Checkpoint.sampleRanges(of: 8..<(9 + 65_536)).count == 16)
    }

    @Test func theOracleFoldersAllDiffer() throws {
        let all = try Golden.oracleCases.map { try fingerprint(of: Golden.folder($0)) }
        #expect(Set(all).count == Golden.oracleCases.count)
    }

    /// Reading by the file, not by the mapping: pages of other slices never become the node's own.
    @Test func nothingIsMappedForIt() throws {
        let checkpoint = try Checkpoint.open(Golden.folder("v3fp8"))
        _ = try checkpoint.fingerprint()
        #expect(checkpoint.openFileCount == 0)
    }
}
