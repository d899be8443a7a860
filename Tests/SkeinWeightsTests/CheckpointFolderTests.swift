import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("Checkpoint folders")
struct CheckpointFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func refusal(of path: String) throws -> String {
        let refusal = #expect(throws: Refusal.self) { try readWhole(path) }
        let line = try #require(refusal).description
        #expect(!line.contains("\n"))
        return line
    }

    @Test func aMissingFolderIsRefused() throws {
        #expect(try refusal(of: folder.path("none")).contains("none: does not exist"))
        #expect(try refusal(of: "").contains("path"))
        #expect(try refusal(of: "a\u{0}b").contains("path"))
    }

    @Test func anEmptyFolderIsRefused() throws {
        #expect(try refusal(of: folder.path).contains("is empty"))
    }

    @Test func aFileInPlaceOfTheFolderIsRefused() throws {
        try folder.write([1], to: "model.gguf")
        #expect(try refusal(of: folder.path("model.gguf")).contains("is a GGUF file"))
    }

    @Test func aFolderWithoutConfigurationIsRefused() throws {
        try folder.write([1], to: "model.safetensors")
        #expect(try refusal(of: folder.path).hasSuffix("config.json: does not exist"))
    }

    @Test func aFolderWithoutWeightsIsRefused() throws {
        var draft = try Draft()
        draft.shards = [:]
        try draft.write(to: folder)
        try FileManager.default.removeItem(atPath: folder.path(Draft.index))
        #expect(try refusal(of: folder.path).contains("has neither model.safetensors nor"))
    }

    @Test func aFolderWhereAFileShouldBeIsRefused() throws {
        try Draft().write(to: folder)
        try FileManager.default.removeItem(atPath: folder.path(Draft.second))
        try FileManager.default.createDirectory(
            atPath: folder.path(Draft.second), withIntermediateDirectories: false)
        let line = try refusal(of: folder.path)
        #expect(line.contains(Draft.second) && line.contains("a folder"))
    }

    @Test func aLoopOfLinksIsRefused() throws {
        try Draft().write(to: folder)
        for (name, target) in [(Draft.second, "b"), ("b", Draft.second)] {
            if name == Draft.second {
                try FileManager.default.removeItem(atPath: folder.path(name))
            }
            try FileManager.default.createSymbolicLink(
                atPath: folder.path(name), withDestinationPath: target)
        }
        let line = try refusal(of: folder.path)
        #expect(line.contains(Draft.second) && line.contains("loop"))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("self"), withDestinationPath: "self")
        #expect(try refusal(of: folder.path("self")).contains("loop"))
    }

    @Test func aBrokenLinkIsRefused() throws {
        try Draft().write(to: folder)
        try FileManager.default.removeItem(atPath: folder.path(Draft.first))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(Draft.first), withDestinationPath: "gone")
        let line = try refusal(of: folder.path)
        #expect(line.contains(Draft.first) && line.contains("does not exist"))
    }

    /// The Hugging Face store keeps contents elsewhere and fills its folders with links.
    @Test func linksAreFollowed() throws {
        let store = try TemporaryFolder()
        try Draft().write(to: store)
        for name in try FileManager.default.contentsOfDirectory(atPath: store.path) {
            try FileManager.default.createSymbolicLink(
                atPath: folder.path(name), withDestinationPath: store.path(name))
        }
        let checkpoint = try readWhole(folder.path)
        #expect(try checkpoint.fingerprint() == Checkpoint.open(store.path).fingerprint())
        try FileManager.default.createSymbolicLink(
            atPath: store.path("whole"), withDestinationPath: folder.path)
        try readWhole(store.path("whole"))
        try readWhole(folder.path + "/")
    }

    @Test func anUnreadableFileIsRefused() throws {
        try Draft().write(to: folder)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0], ofItemAtPath: folder.path(Draft.first))
        // The superuser reads it nevertheless; there is nothing to see then.
        guard !FileManager.default.isReadableFile(atPath: folder.path(Draft.first)) else { return }
        #expect(try refusal(of: folder.path).contains(Draft.first))
    }
}
