import Foundation
import Testing

/// A file in the Trace Event Format.
enum TraceFile {
    /// The events of a file; each must have what its phase asks for.
    static func events(of path: String) throws -> [[String: Any]] {
        let bytes = try #require(FileManager.default.contents(atPath: path))
        let file = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        let events = try #require(file["traceEvents"] as? [[String: Any]])
        for event in events {
            let phase = try #require(event["ph"] as? String)
            #expect(event["name"] is String && event["pid"] is Int && event["tid"] is Int)
            switch phase {
            case "M": #expect(event["args"] is [String: Any])
            case "X": #expect(event["ts"] is Int && (event["dur"] as? Int ?? -1) >= 0)
            case "b", "e": #expect(event["ts"] is Int && event["id2"] is [String: Any])
            case "s", "t", "f": #expect(event["ts"] is Int && event["id"] is Int)
            default: Issue.record("an event of the unknown phase \(phase)")
            }
        }
        return events
    }
}

/// `skein trace` against a head whose nodes are processes of their own.
@Suite struct TraceTests {
    @Test(.timeLimit(.minutes(3)))
    func theFileShowsEveryMicroBatchOnBothStages() async throws {
        let server = try SkeinProgram.start([
            "serve", "--model", SkeinProgram.gosling, "--stages", "2", "--processes", "--threads",
            "1", "--port", "0",
        ])
        defer { server.signal(SIGTERM) }
        try #require(await server.waitForError(containing: "ready http", secondsMax: 60))
        let ready = server.errors.split(separator: "\n").last { $0.hasPrefix("ready ") }
        let url = try #require(ready?.split(separator: " ").last.map(String.init))
        let folder = try ScratchFolder()
        // The load lasts until the server ends.
        let load = try SkeinProgram.start([
            "bench", "serve", "--base-url", url, "--max-concurrency", "4", "--num-prompts",
            "1000", "--random-input-len", "16", "--random-output-len", "16", "--ignore-eos",
            "--no-single-stream",
        ])
        defer { load.signal(SIGKILL) }
        let path = folder.path + "/trace.json"
        var summary: [String: Any] = [:]
        repeat {
            let run = try await SkeinProgram.run([
                "trace", "--url", url, "--seconds", "1", "--out", path, "--json",
            ])
            try #require(run.status == 0, "\(run.errors)")
            summary = try run.json()
            // The load tester may not have begun.
        } while (summary["stages"] as? [[String: Any]])?.first?["steps"] as? Int ?? 0 < 10

        let stages = try #require(summary["stages"] as? [[String: Any]])
        #expect(stages.count == 2)
        for stage in stages {
            for share in ["busy_share", "bubble_share", "hidden_communication_share"] {
                #expect((0...1).contains(try #require(stage[share] as? Double)), "\(share)")
            }
            let parts = ["busy_share", "waiting_in_share", "waiting_out_share", "sending_share"]
            let sum = try parts.reduce(0) { try $0 + #require(stage[$1] as? Double) }
            #expect((0.9...1.02).contains(sum), "a stage is always in one of these: \(sum)")
        }
        #expect(try #require(summary["clock_error_ms"] as? Double) < 50)
        #expect(summary["missed_intervals"] as? Int == 0)

        let events = try TraceFile.events(of: path)
        let processes = events.filter { $0["name"] as? String == "process_name" }
        #expect(processes.count == 3)
        let slices = events.filter { $0["ph"] as? String == "X" }
        let names = Set(slices.compactMap { $0["name"] as? String })
        for name in ["decode", "prefill", "waiting_in", "waiting_out", "sending", "receiving"] {
            #expect(names.contains(name), "\(name)")
        }
        // Each micro-batch that both stages computed: first on the one, then on the other.
        var begins: [Int: [Int: Int]] = [:]
        for slice in slices where ["decode", "prefill"].contains(slice["name"] as? String) {
            let number = try #require((slice["args"] as? [String: Any])?["micro_batch"] as? Int)
            let process = try #require(slice["pid"] as? Int)
            begins[number, default: [:]][process] = slice["ts"] as? Int
        }
        let both = begins.values.filter { $0.count == 2 }
        #expect(both.count > 5)
        let error = try #require(summary["clock_error_ms"] as? Double) * 1_000
        for moments in both {
            let (first, second) = (try #require(moments[1]), try #require(moments[2]))
            #expect(Double(second - first) + error >= 0, "\(moments)")
        }
        #expect(events.contains { $0["cat"] as? String == "hop" })
        let named = slices.compactMap { $0["args"] as? [String: Any] }.filter {
            ($0["requests"] as? String)?.hasPrefix("req_") == true
        }
        #expect(named.count > 10 && named.allSatisfy { $0["rows"] as? Int ?? 0 > 0 })
    }

    @Test(arguments: [
        (["--url", "host"], 2, "--url"),
        (["--url", "http://127.0.0.1:9", "--seconds", "0"], 2, "--seconds"),
        (["--url", "http://127.0.0.1:9", "--seconds", "61"], 2, "--seconds"),
        (["--url", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9"),
    ])
    func wrongUseIsOneLineThatNamesTheField(
        arguments: [String], status: Int32, field: String
    ) async throws {
        let run = try await SkeinProgram.run(["trace"] + arguments)
        #expect(run.status == status && run.output == "", "\(run.errors)")
        #expect(run.errors.contains(field), "\(run.errors)")
    }
}
