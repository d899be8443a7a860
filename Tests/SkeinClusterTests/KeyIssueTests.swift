import Foundation
import SkeinCore
import Testing

@testable import SkeinCluster

/// Keys of a whole cluster, and the file that names the public ones.
@Suite struct KeyIssueTests {
    /// Two forms of entries, comments, and nothing that names a key.
    private static let unkeyed = """
        # The lab.
        cluster: lab-2   # two hosts
        model: /srv/models/v3
        placement: linear
        context: 4096
        pages: 4096   # all of them
        coordinator:
          address: tcp://192.0.2.10:7100  # the head
          http: 192.0.2.10:8080
        nodes:
          # Next to the head.
          - name: a
            address: 'tcp://192.0.2.10:7101'
          - {name: b, address: "tcp://192.0.2.11:7101", threads: 4}   # last
        """

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        try body(folder.path(percentEncoded: false))
    }

    /// Writes a cluster file, makes its keys, and writes what comes of it.
    @discardableResult
    private func issue(
        _ folder: String, _ text: String? = nil, replacesPairs: Bool = false
    ) throws -> KeyIssue.Outcome {
        let file = folder + "/lab.yaml"
        if let text { try Data(text.utf8).write(to: URL(fileURLWithPath: file)) }
        let outcome = try KeyIssue(clusterFile: file, replacesPairs: replacesPairs).run()
        if let text = outcome.clusterText {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        }
        return outcome
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func everyPeerGetsAPairInTheFolderOfItsHost() throws {
        try inFolder { folder in
            let outcome = try issue(folder, Self.unkeyed)
            #expect(outcome.pairs.map(\.name) == ["coordinator", "a", "b"])
            #expect(outcome.pairs.map(\.host) == ["192.0.2.10", "192.0.2.10", "192.0.2.11"])
            #expect(outcome.pairs.map(\.isNew) == [true, true, true])
            #expect(outcome.warnings == [])
            for pair in outcome.pairs {
                #expect(pair.file.hasSuffix("/keys/\(pair.host)/\(pair.name).secret"))
                #expect(try mode(pair.file) == 0o600)
            }
            #expect(try mode(folder + "/keys") == 0o700)
            #expect(try mode(folder + "/keys/192.0.2.11") == 0o700)
            let topology = try ClusterFile.read(path: folder + "/lab.yaml")
            #expect(topology.keysPath.map { URL(fileURLWithPath: $0).lastPathComponent } == "keys")
            #expect(topology.nodes.map(\.publicKey) == outcome.pairs.dropFirst().map(\.publicKey))
            for name in ["coordinator", "a", "b"] {
                #expect(try topology.checkedSecretFile(of: name) != nil)
            }
        }
    }

    @Test func commentsOrderAndFormOfTheFileStay() throws {
        try inFolder { folder in
            try issue(folder, Self.unkeyed)
            let text = try String(contentsOfFile: folder + "/lab.yaml", encoding: .utf8)
            let kept = text.split(separator: "\n").filter {
                !$0.contains("public_key") && !$0.hasPrefix("keys:")
            }
            let before = Self.unkeyed.split(separator: "\n").filter { !$0.contains("{name: b") }
            #expect(kept == before)
            #expect(text.contains("pages: 4096   # all of them\nkeys: keys\n"))
            #expect(text.contains("7101'\n    public_key: \""))
            #expect(text.contains(", public_key: \"") && text.contains("threads: 4}   # last"))
        }
    }

    @Test func aSecondRunChangesNothing() throws {
        try inFolder { folder in
            let first = try issue(folder, Self.unkeyed)
            let second = try issue(folder)
            #expect(second.clusterText == nil && second.changes == [] && second.warnings == [])
            #expect(second.pairs.map(\.publicKey) == first.pairs.map(\.publicKey))
            #expect(second.pairs.allSatisfy { !$0.isNew })
        }
    }

    @Test func aNodeThatIsAddedGetsAPairAndTheOthersKeepTheirs() throws {
        try inFolder { folder in
            let first = try issue(folder, Self.unkeyed)
            let text = try String(contentsOfFile: folder + "/lab.yaml", encoding: .utf8)
            let third = "\n  - {name: c, address: \"tcp://192.0.2.12:7101\"}\n"
            let second = try issue(folder, text + third)
            #expect(second.pairs.map(\.isNew) == [false, false, false, true])
            #expect(second.changes == ["node c: public_key"])
            #expect(second.pairs.prefix(3).map(\.publicKey) == first.pairs.map(\.publicKey))
        }
    }

    @Test func newPairsTakeThePlaceOfThoseThatAreThereWhenAskedFor() throws {
        try inFolder { folder in
            let first = try issue(folder, Self.unkeyed)
            let second = try issue(folder, replacesPairs: true)
            #expect(second.pairs.map(\.isNew) == [true, true, true])
            #expect(
                Set(second.pairs.map(\.publicKey)).isDisjoint(with: first.pairs.map(\.publicKey)))
            let topology = try ClusterFile.read(path: folder + "/lab.yaml")
            #expect(topology.nodes.map(\.publicKey) == second.pairs.dropFirst().map(\.publicKey))
        }
    }

    @Test func aSecretThatIsNotThePublishedKeysIsToldAndBothStay() throws {
        try inFolder { folder in
            let first = try issue(folder, Self.unkeyed)
            let text = try String(contentsOfFile: folder + "/lab.yaml", encoding: .utf8)
            let other = "SkeinExampleKeyOfNodeA000000000000000000"
            let outcome = try issue(
                folder, text.replacingOccurrences(of: first.pairs[1].publicKey, with: other))
            #expect(outcome.warnings.count == 1)
            #expect(outcome.warnings.first?.contains("a.secret: belongs to") == true)
            #expect(outcome.clusterText == nil)
        }
    }

    @Test func aPublishedKeyWhoseSecretIsElsewhereIsToldAndStays() throws {
        try inFolder { folder in
            let outcome = try issue(folder, hosts)
            #expect(outcome.pairs.isEmpty && outcome.clusterText == nil)
            #expect(outcome.warnings.count == 3)
            #expect(outcome.warnings.allSatisfy { !$0.contains("\n") })
        }
    }

    @Test func anOpenSecretIsRefused() throws {
        try inFolder { folder in
            let first = try issue(folder, Self.unkeyed)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o644], ofItemAtPath: first.pairs[2].file)
            let refusal = #expect(throws: Refusal.self) { try issue(folder) }
            #expect(refusal?.reason.contains("0644") == true)
        }
    }

    @Test func aFileInOtherLineEndsKeepsThem() throws {
        try inFolder { folder in
            let text = Self.unkeyed.replacingOccurrences(of: "\n", with: "\r\n")
            let outcome = try issue(folder, text)
            let after = outcome.clusterText ?? ""
            #expect(outcome.warnings == [])
            let lineEnds = after.unicodeScalars.filter { $0 == "\n" }.count
            let returns = after.unicodeScalars.filter { $0 == "\r" }.count
            #expect(lineEnds == returns)
        }
    }
}
