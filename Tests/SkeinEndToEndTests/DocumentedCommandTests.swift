import Foundation
import Testing

/// What the documents tell people to type exists, and runs.
@Suite(.serialized) struct DocumentedCommandTests {
    private static let blocks = CommandDocument.all.flatMap(\.blocks).filter { block in
        block.language == "sh" && (block.need == nil || block.need == "a server")
    }

    @Test func everyCommandAndOptionThatADocumentShowsExists() async throws {
        let outline = try await Self.outline()
        let commands = CommandDocument.all.flatMap(\.commands)
        #expect(commands.count > 50)
        for command in commands {
            if let fault = outline.fault(in: command.words) { Issue.record("\(command): \(fault)") }
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: blocks)
    func aBlockOfCommandsRunsAsItIs(_ block: DocumentedBlock) async throws {
        let folder = try ScratchFolder()
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/cluster",
            withDestinationPath: SkeinProgram.root.appending(path: "cluster").path())
        var script = block.lines.joined(separator: "\n")
        var server: RunningProgram?
        defer { server?.signal(SIGKILL) }
        if block.need == "a server" {
            let started = try SkeinProgram.start(["serve", "--threads", "1", "--port", "0"])
            server = started
            try #require(await started.waitForError(containing: "ready http", secondsMax: 120))
            let ready = started.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
            let address = try #require(ready?.split(separator: " ").last.map(String.init))
            script = script.replacing("http://127.0.0.1:8080", with: address)
        }
        let place = URL(filePath: SkeinProgram.executable).deletingLastPathComponent().path()
        let outcome = try await RunningProgram(
            command: [
                "bash", "-euo", "pipefail", "-c", "cd \"$1\"; PATH=\"$2:$PATH\"; eval \"$3\"",
                "bash", folder.path, place, script,
            ]
        ).finish(secondsMax: 500)
        #expect(outcome.status == 0, "\(block): \(outcome.output.suffix(2_000))\(outcome.errors)")
    }

    @Test func aBlockThatNeedsWhatATestDoesNotHaveSaysSo() {
        let needs = Set(CommandDocument.all.flatMap(\.blocks).compactMap(\.need))
        let known: Set = [
            "a server", "a cluster", "several hosts", "an idle machine", "root", "Slurm",
        ]
        #expect(needs.isSubset(of: known), "\(needs.subtracting(known))")
    }

    @Test func commandsAreFoundInBlocksAndInBackQuotes() async throws {
        let document = CommandDocument(
            path: "a.md",
            text: """
                Run `skein serve --port 1` and `skein`, not `skeins serve`.
                   ```sh
                   # needs a server
                   skein bench \\
                       serve --seed 1   # says how fast
                   ```
                ```
                .build/release/skein up a.yaml     starts --it
                ```
                """)
        #expect(
            document.commands.map { $0.words.joined(separator: " ") } == [
                "serve --port 1", "bench serve --seed 1", "up a.yaml",
            ])
        #expect(document.blocks.map(\.need) == ["a server", nil])
        #expect(document.blocks.map(\.language) == ["sh", ""])
    }

    @Test(arguments: [
        ("serve --port 1", nil), ("bench serve --seed 1", nil), ("keys", nil), ("--version", nil),
        ("serve --help", nil), ("plan [--out FILE] --hosts=h.yaml", nil),
        ("swim --far", "no command 'swim'"), ("bench swim", "no command 'swim'"),
        ("serve --prot 1", "no option '--prot'"), ("keys new --seed 1", "no option '--seed'"),
        ("bench serve --stages 2", "no option '--stages'"),
    ])
    func namesThatDoNotExistAreFound(_ command: String, _ wanted: String?) async throws {
        let words = command.split(separator: " ").map(String.init)
        let fault = try await Self.outline().fault(in: words)
        if let wanted {
            #expect(fault?.contains(wanted) == true, "\(fault ?? "none")")
        } else {
            #expect(fault == nil)
        }
    }

    private static func outline() async throws -> CommandOutline {
        let outcome = try await SkeinProgram.run(["--experimental-dump-help"])
        return try CommandOutline.program(outcome.output)
    }
}
