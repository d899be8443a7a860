import Foundation
import SkeinCore
import Testing

@testable import SkeinTransport

@Suite struct CurveKeyPairTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "skein-keys-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func write(_ text: String, mode: Int = 0o600, to name: String) throws -> String {
        let path = path(name)
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    @Test func aWrittenKeyIsReadBackAndIsItsOwnersAlone() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let keys = CurveKeyPair()
        try keys.writeSecret(to: path("node.key"))
        let attributes = try FileManager.default.attributesOfItem(atPath: path("node.key"))
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let read = try CurveKeyPair(readingSecretFrom: path("node.key"))
        #expect(read.publicKey == keys.publicKey)
        #expect(read.secretKey == keys.secretKey)
    }

    @Test func anExistingKeyIsNeverOverwritten() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try CurveKeyPair().writeSecret(to: path("node.key"))
        let before = try Data(contentsOf: URL(filePath: path("node.key")))
        #expect(throws: Refusal.self) { try CurveKeyPair().writeSecret(to: path("node.key")) }
        #expect(try Data(contentsOf: URL(filePath: path("node.key"))) == before)
    }

    @Test(arguments: [0o640, 0o604, 0o644, 0o660, 0o601])
    func aKeyFileThatOthersMayUseIsRefused(mode: Int) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try write(CurveKeyPair().secretKey, mode: mode, to: "node.key")
        let refusal = #expect(throws: Refusal.self) {
            try CurveKeyPair(readingSecretFrom: path)
        }
        #expect(refusal?.reason.contains("0600") == true)
    }

    @Test(arguments: [
        ("", "found 0"), ("short", "found 5"),
        (String(repeating: "a", count: 41), "found 41"),
        (String(repeating: "\"", count: 40), "no Z85"),
        (String(repeating: "#", count: 40), "no Z85"),  // each five would exceed 32 bits
        (String(repeating: "a", count: 2_000), "longer than"),
        (String(repeating: "ü", count: 20), "no Z85"),
    ])
    func aFileWithoutAKeyIsRefusedWithoutRepeatingIt(text: String, reason: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try write(text, to: "node.key")
        let refusal = #expect(throws: Refusal.self) {
            try CurveKeyPair(readingSecretFrom: path)
        }
        #expect(refusal?.reason.contains(reason) == true, "\(String(describing: refusal))")
        #expect(text.isEmpty || refusal?.reason.contains(text) == false)
    }

    @Test func aMissingFileAndAFolderAreRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: Refusal.self) { try CurveKeyPair(readingSecretFrom: path("none.key")) }
        #expect(throws: Refusal.self) { try CurveKeyPair(readingSecretFrom: folder.path) }
    }
}
