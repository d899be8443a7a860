import Foundation
import SkeinCore
import Synchronization
import Testing

@testable import SkeinWeights

@Suite struct FolderHashesTests {
    /// Of the bytes `abc` (FIPS 180-2, B.1).
    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())")
        let below = folder.appending(path: "below")
        try FileManager.default.createDirectory(at: below, withIntermediateDirectories: true)
        try Data("abc".utf8).write(to: folder.appending(path: "b.bin"))
        try Data().write(to: below.appending(path: "a.bin"))
        try Data("x".utf8).write(to: folder.appending(path: ".hidden"))
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        try await body(folder.path(percentEncoded: false))
    }

    @Test func everyFileIsReadWholeAndNamedByItsPath() async throws {
        try await inFolder { folder in
            let hashes = try FolderHashes(folder: folder)
            #expect(hashes.byteCount == 3)
            let told = Mutex(0)
            let files = try await hashes.compute(
                onProgress: { count in told.withLock { $0 = max($0, count) } }, onFile: { _ in })
            #expect(files.map(\.name) == ["b.bin", "below/a.bin"])
            #expect(files.map(\.sha256) == [Self.abc, Self.empty])
            #expect(told.withLock { $0 } == 3)
        }
    }

    @Test func filesThatAreUnchangedSinceAnEarlierRunAreNotReadAgain() async throws {
        try await inFolder { folder in
            let hashes = try FolderHashes(folder: folder)
            let first = try await hashes.compute(onProgress: { _ in }, onFile: { _ in })
            try Data("abcd".utf8).write(to: URL(fileURLWithPath: folder + "/b.bin"))
            let read = Mutex<[String]>([])
            let second = try await FolderHashes(folder: folder).compute(
                known: first, onProgress: { _ in },
                onFile: { file in read.withLock { $0.append(file.name) } })
            #expect(read.withLock { $0 } == ["b.bin"])
            #expect(second[1] == first[1] && second[0].sha256 != first[0].sha256)
        }
    }

    @Test(arguments: ["\n", "\r\n"])
    func aListOfSha256sumIsRead(_ end: String) throws {
        let text = ["\(Self.abc)  b.bin", "\(Self.empty.uppercased()) *./below/a.bin", "", ""]
            .joined(separator: end)
        let list = try HashList(parsing: text, subject: "sums")
        #expect(list.hashes == ["b.bin": Self.abc, "below/a.bin": Self.empty])
    }

    @Test(arguments: [
        ("", "sums"), ("abc  b.bin", "sums:1"), ("\(abc) b.bin", "sums:1"),
        ("\(abc)  ", "sums:1"), ("\(abc)  ./", "sums:1"), ("\(abc)  a\n\(empty)  a", "sums:2"),
        ("\(String(repeating: "g", count: 64))  a", "sums:1"),
    ])
    func whatIsNoListIsRefusedByItsLine(_ text: String, _ subject: String) {
        let refusal = #expect(throws: Refusal.self) {
            try HashList(parsing: text, subject: "sums")
        }
        #expect(refusal?.subject == subject)
    }
}
