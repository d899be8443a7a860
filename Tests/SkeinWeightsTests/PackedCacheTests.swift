import Foundation
import SkeinCore
import SkeinTensor
import Testing

@testable import SkeinWeights

/// A folder that keeps packed weights from one start to the next.
@Suite struct PackedCacheTests {
    private static let pool = ComputePool(threadCount: 2)

    private func load(
        _ checkpoint: Checkpoint, as form: WeightForm = .native, keptIn folder: String
    ) throws -> Checkpoint {
        try checkpoint.loaded(
            .whole(checkpoint.configuration), as: form, cacheFolder: folder, on: Self.pool
        ) { _, _ in }
    }

    private func rows(_ checkpoint: Checkpoint) -> [String: [[Float]]] {
        var rows: [String: [[Float]]] = [:]
        for (name, parts) in checkpoint.packed {
            rows["\(name)"] = parts.flatMap { part in (0..<part.rowCount).map(part.decodedRow) }
        }
        return rows
    }

    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
    }

    @Test(arguments: ["v3fp8", "v2lite", "v32"], WeightForm.allCases)
    func theNextStartMapsTheSameNumbers(_ name: String, form: WeightForm) throws {
        let folder = try TemporaryFolder()
        let kept = folder.path("cache")
        let checkpoint = try Checkpoint.open(Golden.folder(name))
        let packed = try checkpoint.loaded(
            .whole(checkpoint.configuration), as: form, on: Self.pool
        ) { _, _ in }
        let expected = rows(packed)
        #expect(rows(try load(checkpoint, as: form, keptIn: kept)) == expected)
        #expect(try files(kept).count == 1)
        let first = try FileManager.default.attributesOfItem(atPath: files(kept)[0])
        #expect(rows(try load(checkpoint, as: form, keptIn: kept)) == expected)
        let later = try FileManager.default.attributesOfItem(atPath: files(kept)[0])
        #expect(first[.modificationDate] as? Date == later[.modificationDate] as? Date)
    }

    @Test func eachFormHasAFileOfItsOwn() throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Checkpoint.open(Golden.folder("v3fp8"))
        for form in WeightForm.allCases { _ = try load(checkpoint, as: form, keptIn: folder.path) }
        #expect(try files(folder.path).count == WeightForm.allCases.count)
    }

    @Test func aChangedCheckpointIsPackedAgain() throws {
        let folder = try TemporaryFolder()
        let (model, kept) = (folder.path("model"), folder.path("cache"))
        try FileManager.default.copyItem(atPath: Golden.folder("v2lite"), toPath: model)
        _ = try load(Checkpoint.open(model), keptIn: kept)
        let file = "\(model)/model.safetensors"
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes[bytes.count - 100] ^= 0x10
        try bytes.write(to: URL(filePath: file))
        let changed = try Checkpoint.open(model)
        let loaded = try load(changed, keptIn: kept)
        let expected = try changed.loaded(
            .whole(changed.configuration), as: .native, on: Self.pool
        ) { _, _ in }
        #expect(rows(loaded) == rows(expected))
        #expect(try files(kept).count == 2)
    }

    /// Each fault is one line that names the file.
    @Test(arguments: ["cut", "grown", "emptied", "other", "magic"])
    func aFileThatIsNotWhatItsNameSaysIsRefused(fault: String) throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Checkpoint.open(Golden.folder("v2lite"))
        _ = try load(checkpoint, keptIn: folder.path)
        let file = try files(folder.path)[0]
        var bytes = try Data(contentsOf: URL(filePath: file))
        switch fault {
        case "cut": bytes.removeLast(64)
        case "grown": bytes += Data(repeating: 0, count: 64)
        case "emptied": bytes = Data()
        case "other": bytes[40] ^= 1
        default: bytes[0] ^= 1
        }
        try bytes.write(to: URL(filePath: file))
        do {
            _ = try load(checkpoint, keptIn: folder.path)
            Issue.record("\(fault): was taken")
        } catch let refusal as Refusal {
            #expect(refusal.subject == file && refusal.reason.contains("remove it"))
        }
    }

    @Test func aFolderThatCannotBeWrittenIsRefused() throws {
        let folder = try TemporaryFolder()
        try folder.write([1], to: "file")
        let checkpoint = try Checkpoint.open(Golden.folder("v2lite"))
        #expect(throws: Refusal.self) {
            try load(checkpoint, keptIn: folder.path("file") + "/under")
        }
    }
}
