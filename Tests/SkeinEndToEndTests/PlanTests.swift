import Foundation
import Testing

/// What `skein plan` writes, `skein` reads; what it would not read is refused where it came from.
@Suite struct PlanTests {
    private static let host =
        "memory_gb: 8, cores: 2, read_gb_per_second: 10, bfloat16: {gflops: 50}, "
        + "float32: {gflops: 50}"

    /// A hosts file with a host for each name and address.
    private static func hosts(_ hosts: [(name: String, address: String)]) -> String {
        "link: {latency_ms: 0.1, gbit_per_second: 10}\nhosts:\n"
            + hosts.map { "  - {name: \($0.name), address: \"\($0.address)\", \(host)}\n" }.joined()
    }

    private static func plan(
        _ hosts: String, in folder: ScratchFolder, _ options: [String]
    ) async throws -> SkeinProgram.Outcome {
        try await SkeinProgram.run(
            [
                "plan", "--model", SkeinProgram.gosling, "--hosts",
                try folder.write(hosts, to: "hosts.yaml"), "--out",
                folder.path + "/cluster.yaml",
            ] + options)
    }

    @Test(arguments: [
        ["--stages", "2"], ["--stages", "3", "--placement", "vfold"],
        ["--stages", "2", "--experts", "1", "--latents", "fp8", "--hop", "fp8"],
        ["--context", "1000", "--concurrency", "3"],
    ])
    func whatIsPlannedIsReadBack(options: [String]) async throws {
        let folder = try ScratchFolder()
        let hosts = Self.hosts([
            ("a", "tcp://127.0.0.1:7100"), ("b", "tcp://127.0.0.1:8080"), ("c", "tcp://[::1]:7102"),
        ])
        let run = try await Self.plan(hosts, in: folder, options)
        try #require(run.status == 0, "\(run.errors)")
        let inspected = try await SkeinProgram.run([
            "inspect", "--cluster", folder.path + "/cluster.yaml", "--json",
        ])
        #expect(inspected.status == 0, "\(inspected.errors)")
        let again = try await SkeinProgram.run([
            "plan", "--model", SkeinProgram.gosling, "--hosts", folder.path + "/hosts.yaml",
            "--cluster", folder.path + "/cluster.yaml", "--json",
        ])
        #expect(again.status == 0, "\(again.errors)")
    }

    @Test func aPlanOfOneNodeSaysOneNodeAndNoRowTwice() async throws {
        let folder = try ScratchFolder()
        let run = try await Self.plan(
            Self.hosts([("a", "tcp://127.0.0.1:7101")]), in: folder, ["--concurrency", "1"])
        try #require(run.status == 0, "\(run.errors)")
        #expect(run.output.hasPrefix("1 node, "))
        #expect(run.output.contains("1 sequence at once"))
        let rows = run.output.split(separator: "\n").filter { $0.contains("vfold  ") }
        #expect(Set(rows).count == rows.count)
    }

    @Test(arguments: [
        (["--stages", "2"], [("a", "7101")], "plan: asks for 2 ring nodes, the hosts file has 1"),
        (
            ["--stages", "2", "--experts", "1"], [("a", "7101"), ("b", "7102")],
            "plan: asks for 1 expert host beside 2 ring nodes, the hosts file has 2 hosts"
        ),
        (
            ["--stages", "4", "--placement", "vfold"],
            [("a", "7101"), ("b", "7102"), ("c", "7103"), ("d", "7104")],
            "plan: asks for 4 ring nodes with 8 vfold stages, the model has 6 layers"
        ),
        (
            [], [("a", "7101"), ("b", "7101")],
            "hosts.yaml:4: hosts[1].address: found tcp://127.0.0.1:7101, which is node a's"
        ),
        ([], [("a", "7101"), ("a", "7102")], "hosts.yaml:4: hosts[1].name: found 'a'"),
        (["--name", "my cluster"], [("a", "7101")], "--name: found 'my cluster'"),
        (
            ["--context", "1025"], [("a", "7101")],
            "context: found 1025 positions, expected at most"
        ),
    ])
    func whatCannotBePlannedIsRefusedWithItsReasonAndNothingIsWritten(
        options: [String], hosts: [(String, String)], reason: String
    ) async throws {
        let folder = try ScratchFolder()
        let text = Self.hosts(hosts.map { ($0.0, "tcp://127.0.0.1:\($0.1)") })
        let run = try await Self.plan(text, in: folder, options)
        #expect(run.status == 1)
        #expect(run.errors.contains(reason), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/cluster.yaml"))
    }
}

/// The context and the latent cache that `skein serve` takes.
@Suite(.serialized) struct ServeCacheTests {
    @Test(arguments: [
        (["--pages", "32"], "1024 positions, all that the model allows", "32 pages"),
        (["--pages", "8"], "512 positions, the model allows 1024, but 8 pages", "8 pages"),
        (["--context", "100", "--pages", "5"], "100 positions, as asked for", "5 pages"),
        (["--cache-gb", "0.01"], "1024 positions, all that the model allows", "77 pages"),
    ])
    func whatIsChosenIsSaidAtTheStart(
        options: [String], positions: String, pages: String
    ) async throws {
        let program = try SkeinProgram.start(
            ["serve", "--model", SkeinProgram.gosling, "--port", "0", "--threads", "1"] + options)
        defer { program.signal(SIGKILL) }
        let isReady = await program.waitForError(containing: "ready http")
        try #require(isReady, "\(program.errors)")
        #expect(program.errors.contains("context: \(positions)"), "\(program.errors)")
        #expect(program.errors.contains(pages), "\(program.errors)")
    }

    @Test(arguments: [
        (["serve", "--context", "1025"], "--context: found 1025 positions, expected at most"),
        (["serve", "--context", "65", "--pages", "1"], "--context: found 65, expected at most 64"),
        (["serve", "--cache-gb", "0.000001"], "--cache-gb: "),
        (["generate", "--prompt", "a", "--context", "1025"], "--context: found 1025 positions"),
        (["inspect", "--context", "1025"], "--context: found 1025 positions"),
    ])
    func moreThanTheModelOrThePagesHoldIsRefusedAndNeverMadeLess(
        arguments: [String], reason: String
    ) async throws {
        let run = try await SkeinProgram.run(
            arguments + ["--model", SkeinProgram.gosling], secondsMax: 60)
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("skein: error: \(reason)"), "\(run.errors)")
    }

    @Test(arguments: [
        ["--pages", "1", "--cache-gb", "1"], ["--pages", "0"], ["--cache-gb", "0"],
        ["--cache-gb", "nan"], ["--context", "0"],
    ])
    func whatContradictsItselfIsWrongUsage(options: [String]) async throws {
        let run = try await SkeinProgram.run(["serve"] + options, secondsMax: 60)
        #expect(run.status == 2, "\(run.errors)")
    }
}
