import Foundation
import Testing

/// Nodes as processes of their own: the same answers, and nothing left behind.
@Suite(.serialized) struct ProcessTests {
    private static let question = [
        "generate", "--model", SkeinProgram.gosling, "--chat", "What is 47 + 85?", "--thinking",
        "on", "--temperature", "0",
    ]

    /// An answer that would take half a minute at least: the bundled model with room for more.
    private static func endless(in folder: ScratchFolder) throws -> [String] {
        let model = try Bent.gosling(in: folder) { $0["max_position_embeddings"] = 100_000 }
        return [
            "generate", "--model", model, "--prompt", "One goose", "--temperature", "0",
            "--ignore-eos", "--max-tokens", "50000",
        ]
    }

    /// Starts an endless answer on two nodes and waits until they run.
    private static func startEndless(
        in folder: ScratchFolder
    ) async throws -> (RunningProgram, nodes: [Int32]) {
        let program = try SkeinProgram.start(
            try endless(in: folder) + ["--stages", "2", "--processes"])
        let isRunning = await program.waitForOutput()
        try #require(isRunning, "\(program.errors)")
        let nodes = ProcessTable.children(of: program.processID)
        try #require(nodes.count == 2, "\(nodes)")
        return (program, nodes)
    }

    @Test(arguments: [
        ["--stages", "4", "--processes"],
        ["--stages", "3", "--placement", "vfold", "--processes"],
        ["--stages", "3", "--placement", "vfold"],
        ["--stages", "2", "--experts", "2", "--processes"],
    ])
    func severalNodesAnswerLikeOneProcess(layout: [String]) async throws {
        let alone = try await SkeinProgram.run(Self.question + ["--json"])
        let together = try await SkeinProgram.run(Self.question + ["--json"] + layout)
        try #require(alone.status == 0 && together.status == 0, "\(together.errors)")
        let expected = try #require(try alone.json()["tokens"] as? [Int])
        let found = try #require(try together.json()["tokens"] as? [Int])
        #expect(!expected.isEmpty)
        #expect(found == expected)
        #expect(together.errors == "")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func anInterruptEndsALongAnswerAndLeavesNoProcess(signal: Int32) async throws {
        let folder = try ScratchFolder()
        let (program, nodes) = try await Self.startEndless(in: folder)
        program.signal(signal)
        let outcome = try await program.finish(secondsMax: 15)
        #expect(outcome.status == 130, "\(outcome.errors)")
        #expect(nodes.filter(ProcessTable.isAlive) == [])
        #expect(!outcome.errors.contains("error"), "\(outcome.errors)")
    }

    @Test func aKilledParentLeavesNoNodeBehind() async throws {
        let folder = try ScratchFolder()
        let (program, nodes) = try await Self.startEndless(in: folder)
        program.signal(SIGKILL)
        _ = try await program.finish(secondsMax: 15)
        for node in nodes {
            let hasEnded = try await ProcessTable.waitForEnd(of: node, secondsMax: 10)
            #expect(hasEnded, "node \(node) outlives its parent")
        }
    }

    @Test func aKilledNodeEndsTheAnswerWithOneLine() async throws {
        let folder = try ScratchFolder()
        let (program, nodes) = try await Self.startEndless(in: folder)
        kill(nodes[1], SIGKILL)
        let outcome = try await program.finish(secondsMax: 15)
        #expect(outcome.status == 1)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(outcome.errors)")
        #expect(lines.last?.hasPrefix("skein: error: node node") == true, "\(outcome.errors)")
        #expect(nodes.filter(ProcessTable.isAlive) == [])
    }

    @Test(arguments: [[], ["--stages", "2", "--processes"]])
    func aReaderThatGoesAwayEndsTheAnswerWithOneLine(layout: [String]) async throws {
        let folder = try ScratchFolder()
        // The exit code of the program, not of `head`, is what the shell gives back.
        let command = "set -o pipefail; \"$0\" \"$@\" | head -c 4 > /dev/null"
        let program = try RunningProgram(
            command: ["bash", "-c", command, SkeinProgram.executable] + Self.endless(in: folder)
                + layout)
        let outcome = try await program.finish(secondsMax: 30)
        #expect(outcome.status == 1)
        #expect(
            outcome.errors
                == "skein: error: standard output: cannot be written, its reader may have gone "
                + "away\n"
        )
    }
}

/// What the system tells of running processes.
enum ProcessTable {
    /// The numbers of a process's children.
    static func children(of parent: Int32) -> [Int32] {
        let folder = "/proc/\(parent)/task"
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return tasks.flatMap { task in
            (try? String(contentsOfFile: "\(folder)/\(task)/children", encoding: .utf8))?
                .split(separator: " ").compactMap { Int32($0) } ?? []
        }.sorted()
    }

    /// Whether a process runs; one that has ended and waits to be asked for does not.
    static func isAlive(_ process: Int32) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        return status.map { !$0.contains("State:\tZ") && !$0.contains("State:\tX") } ?? false
    }

    /// Bytes of a process in memory.
    static func residentBytes(of process: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first
            .flatMap { Int($0) }.map { $0 * 1_024 } ?? 0
    }

    /// Waits until a process of somebody else has ended.
    static func waitForEnd(of process: Int32, secondsMax: Int) async throws -> Bool {
        guard isAlive(process) else { return true }
        let waiter = try RunningProgram(
            command: [
                "timeout", "\(secondsMax)", "tail", "-s", "0.05", "-f", "--pid=\(process)",
                "/dev/null",
            ])
        _ = try await waiter.finish(secondsMax: Double(secondsMax + 5))
        return !isAlive(process)
    }
}
