import Foundation
import Testing

/// What fuzzing found, and valid bytes from which it began, in every run of the tests.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpora")

    @Test(arguments: FuzzTarget.all.map(\.name))
    func theCorpusOfEachTargetKeepsItsPromises(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let files = try FileManager.default.contentsOfDirectory(
            at: Self.folder.appending(path: name), includingPropertiesForKeys: nil
        ).sorted { $0.path() < $1.path() }
        var acceptedCount = 0
        for file in files {
            do {
                try target.read(Array(try Data(contentsOf: file)))
                acceptedCount += 1
            } catch let broken as BrokenPromise {
                Issue.record("\(name)/\(file.lastPathComponent): \(broken)")
            } catch {
                #expect(!"\(error)".contains("\n"), "\(name)/\(file.lastPathComponent)")
            }
        }
        // Bytes that are all refused at once would test nothing behind the refusal.
        #expect(acceptedCount > 0, "\(name) accepts none of its \(files.count) files")
    }

    @Test func everyCorpusHasItsTargetAndIsSmall() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path())
        #expect(names.sorted() == FuzzTarget.all.map(\.name).sorted())
        var byteCount = 0
        for case let file as URL in try #require(
            FileManager.default.enumerator(
                at: Self.folder, includingPropertiesForKeys: [.fileSizeKey]))
        {
            byteCount += try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
        }
        #expect(byteCount < 300_000, "\(byteCount) bytes of corpora")
    }
}
