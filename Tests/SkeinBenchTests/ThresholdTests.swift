import Foundation
import SkeinBench
import SkeinCore
import Testing

@Suite struct ThresholdTests {
    private struct Report: Encodable {
        var batchingGain = 3.5
        var p99ItlRatio = 2.5
    }

    private static func thresholds(_ text: String) throws -> [Threshold] {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "thresholds-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try Threshold.read(file: file.path(percentEncoded: false))
    }

    @Test func whatMissesIsNamedWithBothNumbers() throws {
        let thresholds = try Self.thresholds(
            #"{"batching_gain": {"at_least": 4}, "p99_itl_ratio": {"at_most": 2.0}, "#
                + #""other": {"at_least": 1}}"#)
        #expect(
            try Threshold.misses(of: thresholds, in: Report()) == [
                "batching_gain: found 3.500, expected at least 4.0",
                "other: is not in the report",
                "p99_itl_ratio: found 2.500, expected at most 2.0",
            ])
    }

    @Test func whatReachesItsBoundIsSilent() throws {
        let thresholds = try Self.thresholds(
            #"{"batching_gain": {"at_least": 3.5}, "p99_itl_ratio": {"at_most": 2.5}}"#)
        #expect(try Threshold.misses(of: thresholds, in: Report()).isEmpty)
    }

    @Test(arguments: ["", "[]", "{}", #"{"a": 1}"#, #"{"a": {"at_least": "3"}}"#])
    func aFileOfAnotherFormIsRefused(_ text: String) {
        #expect(throws: Refusal.self) { try Self.thresholds(text) }
    }
}
