import Foundation
import Testing

/// The load tester against a real server, both as a user would start them.
@Suite struct BenchServeTests {
    @Test(.timeLimit(.minutes(3)))
    func aServerIsMeasuredAndTwoMeasurementsAreCompared() async throws {
        let server = try SkeinProgram.start([
            "serve", "--model", SkeinProgram.gosling, "--stages", "2", "--threads", "1",
            "--port", "0",
        ])
        defer { server.signal(SIGKILL) }
        #expect(await server.waitForError(containing: "ready http", secondsMax: 60))
        let ready = server.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
        let url = try #require(ready?.split(separator: " ").last.map(String.init))
        let folder = try ScratchFolder()
        let report = folder.path + "/report.json"
        let page = folder.path + "/report.html"
        let first = try await SkeinProgram.run([
            "bench", "serve", "--base-url", url + "/v1/", "--max-concurrency", "3",
            "--num-prompts", "6",
            "--random-input-len", "24", "--random-output-len", "8", "--ignore-eos", "--json",
            "--goodput", "ttft:60000", "tpot:60000", "--result-file", report, "--html", page,
        ])
        #expect(first.status == 0, "\(first.errors)")
        let figures = try first.json()
        #expect(figures["completed"] as? Int == 6 && figures["failed"] as? Int == 0)
        // The server counts exactly the tokens that were asked for.
        #expect(figures["total_input_tokens"] as? Int == 144)
        #expect(figures["total_output_tokens"] as? Int == 48)
        #expect(figures["good_requests"] as? Int == 6)
        #expect(figures["model_id"] as? String == "gosling")
        let told = try #require(figures["server"] as? [String: Any])
        let stages = try #require(told["stages"] as? [[String: Any]])
        #expect(stages.count == 2)
        #expect(stages.allSatisfy { ($0["busy_share"] as? Double ?? 0) > 0 })
        #expect(
            FileManager.default.contents(atPath: page)?.starts(with: Array("<!DOCTYPE".utf8))
                == true)

        let chat = try await SkeinProgram.run([
            "bench", "serve", "--base-url", url, "--backend", "openai-chat", "--request-rate",
            "20", "--num-prompts", "4", "--random-input-len", "16", "--random-output-len", "4",
            "--no-single-stream", "--compare", report,
        ])
        #expect(chat.status == 0, "\(chat.errors)")
        #expect(chat.output.contains("settings that differ"))
        let compared = try await SkeinProgram.run(["bench", "compare", report, report, "--json"])
        let ratios = try #require(try compared.json()["figures"] as? [String: [String: Any]])
        #expect(ratios["p99_ttft_ms"]?["ratio"] as? Double == 1)
    }

    @Test(.timeLimit(.minutes(3)))
    func aServerOfAPrivateAuthorityIsMeasuredOverTLSWithAKey() async throws {
        let folder = try ScratchFolder()
        let (certificate, key) = (folder.path + "/cert.pem", folder.path + "/key.pem")
        let made = try await RunningProgram(command: [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
        ]).finish(secondsMax: 30)
        #expect(made.status == 0, "\(made.errors)")
        let keys = folder.path + "/keys"
        try Data("a-test-key\n".utf8).write(to: URL(filePath: keys))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keys)
        let server = try SkeinProgram.start([
            "serve", "--model", SkeinProgram.gosling, "--threads", "1", "--port", "0",
            "--tls-cert", certificate, "--tls-key", key, "--api-keys", keys,
        ])
        defer { server.signal(SIGKILL) }
        #expect(await server.waitForError(containing: "ready https", secondsMax: 60))
        let ready = server.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
        let port = try #require(ready?.split(separator: ":").last.map(String.init))
        let url = "https://localhost:\(port)/v1"
        let load = [
            "bench", "serve", "--base-url", url, "--num-prompts", "2", "--random-input-len", "8",
            "--random-output-len", "2", "--no-single-stream", "--json",
        ]
        for name in ["SKEIN_API_KEY", "OPENAI_API_KEY"] {
            for trust in [["--ca-cert", certificate], ["--insecure"]] {
                let outcome = try await SkeinProgram.run(
                    load + trust, environment: [name + "=a-test-key"])
                #expect(outcome.status == 0, "\(name) \(trust): \(outcome.errors)")
                guard outcome.status == 0 else { continue }
                #expect(try outcome.json()["completed"] as? Int == 2)
            }
        }
        let strange = try await SkeinProgram.run(load, environment: ["OPENAI_API_KEY=a-test-key"])
        #expect(strange.status == 1 && strange.errors.contains("--ca-cert"), "\(strange.errors)")
        let unknown = try await SkeinProgram.run(
            load + ["--insecure", "--api-key", "another"], environment: [])
        #expect(unknown.status == 1 && unknown.errors.contains("401"), "\(unknown.errors)")
    }

    @Test func aRunOfWhichNothingSucceedsEndsWithItsReason() async throws {
        let server = try SkeinProgram.start([
            "serve", "--model", SkeinProgram.gosling, "--threads", "1", "--port", "0",
        ])
        defer { server.signal(SIGKILL) }
        #expect(await server.waitForError(containing: "ready http", secondsMax: 60))
        let ready = server.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
        let url = try #require(ready?.split(separator: " ").last.map(String.init))
        // The context of 1,024 positions holds no such prompt.
        let outcome = try await SkeinProgram.run([
            "bench", "serve", "--base-url", url, "--num-prompts", "3", "--random-input-len", "2000",
            "--warmup", "0", "--no-single-stream", "--json",
        ])
        #expect(outcome.status == 1)
        let errors = outcome.errors.split(separator: "\n")
        #expect(errors.last?.contains("all 3 requests failed: 3 http_400") == true, "\(errors)")
        let report = try outcome.json()
        #expect(report["completed"] as? Int == 0 && report["failed"] as? Int == 3)
        for name in ["mean_ttft_ms", "median_itl_ms", "p99_e2el_ms", "output_throughput"] {
            #expect(report[name] is NSNull, "\(name)")
        }
    }

    /// An earlier report stays until there is another one.
    @Test func aMeasurementThatFailsLeavesFilesAsTheyWere() async throws {
        let folder = try ScratchFolder()
        let (old, new) = (folder.path + "/old.json", folder.path + "/new.html")
        try Data("before".utf8).write(to: URL(filePath: old))
        let outcome = try await SkeinProgram.run([
            "bench", "serve", "--port", "9", "--result-file", old, "--html", new,
        ])
        #expect(outcome.status == 1)
        #expect(FileManager.default.contents(atPath: old) == Data("before".utf8))
        #expect(!FileManager.default.fileExists(atPath: new))
    }

    @Test(arguments: [
        (["--request-rate", "0"], "--request-rate"), (["--goodput", "ttft"], "--goodput"),
        (["--base-url", "host:1"], "--base-url"), (["--extra-body", "[]"], "--extra-body"),
        (["--dataset-name", "custom", "--dataset-path", "/nowhere.jsonl"], "/nowhere.jsonl"),
        (["--sweep-rates", "1,x"], "--sweep-rates"), (["--header", "a"], "--header"),
        (["--compare", "/nowhere.json"], "/nowhere.json"), (["--duration", "5"], "--duration"),
        (["--metric-percentiles", "101"], "--metric-percentiles"),
        (["--result-file", "/nowhere/a.json"], "/nowhere/a.json"),
        (["--ca-cert", "/nowhere.pem"], "/nowhere.pem"), (["--api-key", "a b"], "--api-key"),
        (["--base-url", "ftp://host"], "--base-url"), (["--host", "a/b"], "--host"),
    ])
    func whatCannotBeMeasuredIsSaidInOneLine(_ arguments: [String], _ subject: String) async throws
    {
        // Port 9 discards what comes, where anything listens there at all.
        let outcome = try await SkeinProgram.run(["bench", "serve", "--port", "9"] + arguments)
        let isUnreachable = outcome.errors.contains("127.0.0.1:9/v1/models")
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.contains(subject) || isUnreachable, "\(outcome.errors)")
        #expect(outcome.errors.hasPrefix("skein: error: "))
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }
}
