import Foundation
import Testing

/// The generated C is committed, so that a build needs no protoc-c; it must not drift from proto/.
@Suite struct ProtoFreshTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// Another protoc-c writes other comments; the one whose output is committed is compared.
    private static var hasSameGenerator: Bool {
        (try? run(["protoc-c", "--version"]))?.output.contains("protobuf-c 1.4.1") ?? false
    }

    @Test(.enabled(if: hasSameGenerator, "protoc-c 1.4.1 is not installed"))
    func theGeneratedSourcesAreWhatProtoSays() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "skein-proto-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = Self.root.appending(path: "proto/generate.sh").path
        let outcome = try Self.run([script, folder.path])
        #expect(outcome.status == 0, "\(outcome.output)")
        let committed = Self.root.appending(path: "Sources/CSkeinProto")
        for part in ["include/skein/v1", "skein/v1"] {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: folder.appending(path: part).path)
            let kept = try FileManager.default.contentsOfDirectory(
                atPath: committed.appending(path: part).path)
            #expect(names.sorted() == kept.sorted())
            for name in names {
                let fresh = try Data(contentsOf: folder.appending(path: part).appending(path: name))
                let old = try Data(
                    contentsOf: committed.appending(path: part).appending(path: name))
                #expect(fresh == old, "\(name) is stale: run proto/generate.sh")
            }
        }
    }
}
