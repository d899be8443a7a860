import ArgumentParser
import Foundation
import SkeinCore
import Testing

@testable import skein

/// Files that a person names on the command line, and what is written for programs.
@Suite struct CommandFilesTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())")

    private func inFolder(_ body: (URL) throws -> Void) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        try body(folder)
    }

    @Test func promptsAreListsOfTokens() throws {
        try inFolder { folder in
            let file = folder.appending(path: "p.json")
            try Data(#"{"prompts": [[1, 2], [3]]}"#.utf8).write(to: file)
            #expect(
                try PromptsFile.read(file.path()) == [[TokenID(1), TokenID(2)], [TokenID(3)]])
        }
    }

    @Test(arguments: [
        ("", "is empty"), ("[[1]]", "expected {\"prompts\""), ("{}", "expected {\"prompts\""),
        (#"{"prompts": []}"#, "prompts: is empty"), (#"{"prompts": [[]]}"#, "prompts[0]"),
        (#"{"prompts": [[1], 2]}"#, "prompts[1]"), (#"{"prompts": [[1, -1]]}"#, "prompts[0][1]"),
        (#"{"prompts": [[1.0]]}"#, "found 1.0, expected a token id"),
        (#"{"prompts": [["a"]]}"#, "found \"a\""), (#"{"prompts": [[1]], "prompts": 2}"#, "twice"),
        (#"{"prompts": [[9999999999]]}"#, "found 9999999999"),
    ])
    func whatIsNoListOfPromptsIsRefusedByItsPlace(_ text: String, _ words: String) throws {
        try inFolder { folder in
            let file = folder.appending(path: "p.json")
            try Data(text.utf8).write(to: file)
            let refusal = #expect(throws: Refusal.self) { try PromptsFile.read(file.path()) }
            #expect(refusal?.description.hasPrefix(file.path()) == true)
            #expect(refusal?.description.contains(words) == true, "\(refusal?.description ?? "")")
        }
    }

    @Test func aTextThatIsNoTextIsRefused() throws {
        try inFolder { folder in
            let file = folder.appending(path: "t.txt")
            try Data([0xFF, 0xFE]).write(to: file)
            for path in [file.path(), folder.path(), folder.appending(path: "none").path()] {
                let refusal = #expect(throws: Refusal.self) { try TextFile.read(path) }
                #expect(refusal?.subject == path)
            }
        }
    }

    @Test(arguments: [
        ("a\nb", "a?b"), ("\u{1B}[2Jx", "?[2Jx"), ("\u{202E}x", "?x"), ("é🪿", "é🪿"),
        (String(repeating: "x", count: 5_000), String(repeating: "x", count: 400)),
    ])
    func foreignTextCannotMoveTheCursor(_ text: String, _ expected: String) {
        #expect(PlainText(text).description == expected)
    }

    @Test func aKeyIsWrittenWithTheFoldersThatAreMissing() async throws {
        try inFolder { _ in }
        let file = folder.appending(path: "keys/of/a.secret").path()
        let command = try #require(
            try Skein.parseAsRoot(["keys", "new", "--out", file, "--json"]) as? Keys.New)
        try await command.run()
        let attributes = FileManager.default.attributesOfItem
        for (path, permissions) in [
            (file, 0o600), (folder.appending(path: "keys/of").path(), 0o700),
            (folder.appending(path: "keys").path(), 0o700),
        ] {
            #expect(try attributes(path)[.posixPermissions] as? Int == permissions, "\(path)")
        }
        await #expect(throws: Refusal.self) { try await command.run() }
        try FileManager.default.removeItem(at: folder)
    }
}
