import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore
import SkeinTelemetry
import Testing

@testable import skein

/// The commands by which a cluster is deployed.
@Suite struct DeploymentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static let cluster = """
        cluster: here
        model: MODEL
        placement: linear
        context: 256
        pages: 8
        coordinator:
          address: tcp://127.0.0.1:47100
        nodes:
          - {name: a, address: "tcp://127.0.0.1:47101", status: "127.0.0.1:47102"}
        """

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skein-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        try await body(folder.path(percentEncoded: false))
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func findings(_ text: String) throws -> [CheckFinding] {
        let topology = try ClusterFile.parse(Array(text.utf8), path: "/lab/here.yaml")
        return HostCheck(topology: topology, share: try HostShare.local(in: topology)).findings()
    }

    // MARK: What is asked for

    @Test(arguments: [
        ("up", "a cluster file or --slurm"), ("up c.yaml --slurm --model m", "one of them"),
        ("up --slurm", "--model"), ("up c.yaml --model m", "--slurm"),
        ("up c.yaml --node a", "--discover"), ("up c.yaml --discover mdns", "mdns"),
        ("up --slurm --model m --discover dns", "no --discover"),
        ("up c.yaml --status here", "--status"),
        ("node --cluster c --name a --status :", "--status"),
        ("up --slurm --model m --concurrency 0", "--concurrency"), ("check", "cluster-file"),
        ("keys init", "cluster-file"), ("inspect m --against f", "--verify"),
        ("inspect --verify --stages 2", "--verify"), ("inspect --verify --config c", "--verify"),
        ("plan --compare http://h", "--cluster"), ("plan", "--hosts"),
        ("plan --compare http://h --cluster c --hosts h", "--hosts"),
    ])
    func aWrongUseNamesWhatIsWrong(_ line: String, _ words: String) throws {
        let error = try #require(
            #expect(throws: (any Error).self) {
                try Skein.parseAsRoot(line.split(separator: " ").map(String.init))
            })
        #expect(Skein.exitCode(for: error) == .validationFailure)
        #expect(Skein.message(for: error).contains(words), "\(Skein.message(for: error))")
    }

    @Test(arguments: [
        "up c.yaml --discover dns --node a", "up --slurm --model m --print", "check c.yaml --json",
        "keys init c.yaml --out k --force", "inspect m --verify --against SHA256SUMS",
        "plan --compare http://h:1 --cluster c.yaml --seconds 5", "up c.yaml --status [::1]:9470",
    ])
    func theFormsOfTheManualAreTaken(_ line: String) throws {
        _ = try Skein.parseAsRoot(line.split(separator: " ").map(String.init))
    }

    // MARK: The check of a host

    @Test func aHostThatHasWhatItNeedsHasNoError() throws {
        let model = Self.root.appending(path: "cluster/models/gosling").path(percentEncoded: false)
        let found = try findings(Self.cluster.replacingOccurrences(of: "MODEL", with: model))
        #expect(found.filter { $0.level == .error } == [])
        for subject in CheckFinding.Subject.allCases where subject != .disk {
            #expect(found.contains { $0.subject == subject }, "\(subject)")
        }
        #expect(found.allSatisfy { !$0.message.contains("\n") })
        #expect(found.contains { $0.message.contains("fingerprint") })
    }

    @Test func aCheckpointThatIsNotThereIsAnError() throws {
        let found = try findings(Self.cluster.replacingOccurrences(of: "MODEL", with: "/nowhere"))
        let errors = found.filter { $0.level == .error }
        #expect(errors.map(\.subject) == [.memory, .checkpoint])
        #expect(errors.last?.message.contains("/nowhere") == true)
    }

    @Test func filesThatGitHasNotFetchedAreNamed() async throws {
        try await inFolder { folder in
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
            for name in ["model-1.safetensors", "tokenizer.json"] {
                try write(pointer, folder + "/" + name)
            }
            let found = try findings(Self.cluster.replacingOccurrences(of: "MODEL", with: folder))
            let error = found.first { $0.subject == .checkpoint }
            #expect(error?.level == .error)
            #expect(error?.message.contains("model-1.safetensors, tokenizer.json") == true)
        }
    }

    @Test func aSecretThatOthersMayReadIsAnError() async throws {
        try await inFolder { folder in
            let file = folder + "/c.yaml"
            try write(
                Self.cluster.replacingOccurrences(of: "127.0.0.1", with: "192.0.2.1"), file)
            let outcome = try KeyIssue(clusterFile: file).run()
            try write(outcome.clusterText ?? "", file)
            let topology = try ClusterFile.read(path: file)
            let check = HostCheck(
                topology: topology, share: HostShare(nodeNames: ["a"], isHead: true))
            func keys() -> [CheckFinding] { check.findings().filter { $0.subject == .keys } }
            #expect(keys().map(\.level) == [.ok, .ok])
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640], ofItemAtPath: outcome.pairs[1].file)
            #expect(keys().map(\.level) == [.ok, .error])
            #expect(keys().last?.message.contains("0640") == true)
        }
    }

    // MARK: Hashes

    @Test func aRunThatWasBrokenOffIsGoneOnWithAndLeavesNothingBehind() async throws {
        try await inFolder { folder in
            let model = folder + "/m"
            try FileManager.default.createDirectory(
                atPath: model, withIntermediateDirectories: true)
            try write("abc", model + "/a")
            let options = try VerifyOptions.parse(["--verify"])
            let report = try await Verification(folder: model, options: options).report()
            #expect(report.text == "\(Self.abc)  a\n")
            try write(report.text.replacingOccurrences(of: "ba78", with: "0000"), folder + "/sums")
            try write("x", model + "/b")
            let compared = try await Verification(
                folder: model,
                options: try VerifyOptions.parse(["--verify", "--against", folder + "/sums"])
            ).report()
            #expect(compared.files.map(\.outcome) == [.differs, .unlisted])
            #expect(compared.failedCount == 1)
            #expect(!FileManager.default.fileExists(atPath: model + ".verify"))
        }
    }

    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func aFileThatIsInTheWayOfTheHashesStays() async throws {
        try await inFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder + "/m", withIntermediateDirectories: true)
            try write("mine", folder + "/m.verify")
            let options = try VerifyOptions.parse(["--verify"])
            await #expect(throws: Refusal.self) {
                try await Verification(folder: folder + "/m", options: options).report()
            }
            #expect(try String(contentsOfFile: folder + "/m.verify", encoding: .utf8) == "mine")
        }
    }

    // MARK: Forecast and measurements

    private static let forecast = """
        {"concurrency": 4, "predicted_output_tokens_per_second": 10, "predicted_ttft_ms": 100,
         "predicted_tpot_ms": 50, "more": {}, "nodes": [
         {"name": "a", "total_bytes": 1000, "predicted_busy_share": 0.5}]}
        """

    private static func page(_ tokens: Int, _ busy: Double) -> PrometheusSamples {
        PrometheusSamples(
            parsing: """
                skein_answers_total{finish_reason="stop"} \(tokens / 10)
                skein_completion_tokens_total{model="m"} \(tokens)
                gen_ai_server_time_per_output_token_seconds_sum \(Double(tokens) / 1000)
                gen_ai_server_time_per_output_token_seconds_count \(tokens / 10)
                skein_node_resident_bytes{node="a"} 800
                skein_stage_busy_seconds_total{node="a",stage="0"} \(busy)
                skein_stage_waiting_seconds_total{node="a",stage="0"} \(busy * 3)
                """)
    }

    @Test func whatGrewBetweenTwoPagesStandsBesideTheForecast() async throws {
        try await inFolder { folder in
            try write(Self.forecast, folder + "/c.yaml.forecast.json")
            let comparison = ForecastComparison(
                try KeptForecast(beside: folder + "/c.yaml"), from: Self.page(100, 1),
                to: Self.page(200, 2), seconds: 5, url: "http://h")
            #expect(
                comparison.rows.map(\.quantity) == [
                    "output_tokens_per_second", "mean_ttft_ms", "mean_tpot_ms", "memory_bytes",
                    "busy_share",
                ])
            #expect(comparison.rows.map(\.measured) == [20, nil, 10, 800, 0.25])
            #expect(comparison.rows.map(\.ratio) == [2, nil, 0.2, 0.8, 0.5])
            let words = comparison.text.split(separator: "\n")[1].split(separator: " ")
            #expect(words == ["output", "tokens/s", "10.0", "20.0", "2.00"])
            let idle = ForecastComparison(
                try KeptForecast(beside: folder + "/c.yaml"), from: Self.page(100, 1),
                to: Self.page(100, 1), seconds: 5, url: "http://h")
            #expect(idle.rows.map(\.measured) == [nil, nil, nil, 800, nil])
            #expect(idle.text.contains("no answer ended"))
        }
    }

    @Test func aFileThatIsNoForecastIsNamed() async throws {
        try await inFolder { folder in
            try write("{}", folder + "/c.yaml.forecast.json")
            for name in ["/c.yaml", "/none.yaml"] {
                let refusal = #expect(throws: Refusal.self) {
                    try KeptForecast(beside: folder + name)
                }
                #expect(refusal?.subject == folder + name + ".forecast.json")
            }
        }
    }
}
