import Foundation
import SkeinTensor
import Testing

/// Golden values are what they were when somebody vouched for them.
@Suite struct GoldenManifestTests {
    private struct Manifest: Decodable {
        struct Entry: Decodable {
            let path: String
            let bytes: Int
            let sha256: String
            let source: String
        }

        let files: [Entry]
    }

    private static let folder = "Tests/Golden/"
    private static let script = "run Tests/Golden/make-manifest"

    @Test func everyGoldenFileIsListedAndUnchanged() throws {
        let bytes = SourceTree.bytes("\(Self.folder)manifest.json")
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
        #expect(manifest.files.map(\.path) == manifest.files.map(\.path).sorted())
        for entry in manifest.files {
            let content = SourceTree.bytes(Self.folder + entry.path)
            #expect(
                content.count == entry.bytes && SHA256.hex(of: content) == entry.sha256,
                "\(Self.folder)\(entry.path):1: differs from the manifest; \(Self.script) if meant")
            #expect(!entry.source.isEmpty, "\(Self.folder)\(entry.path):1: has no source")
        }
        let listed = Set(manifest.files.map(\.path))
        for path in SourceTree.paths where Self.isGolden(path) {
            let name = String(path.dropFirst(Self.folder.count))
            #expect(listed.contains(name), "\(path):1: is not in the manifest; \(Self.script)")
        }
    }

    private static func isGolden(_ path: String) -> Bool {
        path.hasPrefix(folder) && path != "\(folder)manifest.json"
            && path != "\(folder)make-manifest"
    }
}
