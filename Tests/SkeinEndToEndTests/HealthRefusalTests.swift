import Foundation
import Hummingbird
import Testing

/// What `skein health` says where there is nothing to tell: exit code 3 and one line, whatever a
/// stranger answers.
@Suite struct HealthRefusalTests {
    /// A stranger's answer, and what the line must hold.
    struct Stranger: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let status: HTTPResponse.Status
        let body: String
        let part: String

        init(
            _ title: String, _ body: String, saying part: String,
            status: HTTPResponse.Status = .ok
        ) {
            testDescription = title
            self.body = body
            self.part = part
            self.status = status
        }
    }

    private static let fine = #""health": {"status": "ok", "reasons": []}"#

    static let strangers: [Stranger] = [
        Stranger("nothing", "", saying: "no JSON"),
        Stranger("a page", "<html>hello</html>", saying: "no JSON"),
        Stranger("a list", "[1, 2]", saying: "without its health"),
        Stranger(
            "deep nesting", String(repeating: "[", count: 100_000), saying: "no JSON"),
        Stranger("an unknown status", #"{"health": {"status": "great"}}"#, saying: "nodes"),
        Stranger("no nodes", "{\(fine), \"name\": \"x\", \"ready\": true}", saying: "nodes"),
        Stranger(
            "nodes of a wrong type",
            "{\(fine), \"name\": \"x\", \"ready\": true, \"nodes\": {\"a\": 1}}",
            saying: "nodes"),
        Stranger(
            "a node that is a number",
            "{\(fine), \"name\": \"x\", \"ready\": true, \"nodes\": [7]}", saying: "node 0"),
        Stranger(
            "a known table and an unknown verdict",
            "{\"health\": {\"status\": 3}, \"name\": \"x\", \"ready\": true, \"nodes\": "
                + "[{\"name\": \"a\", \"state\": \"ready\", \"stages\": []}]}",
            saying: "without a status"),
        Stranger(
            "more nodes than a cluster has",
            "{\(fine), \"name\": \"x\", \"ready\": true, \"nodes\": ["
                + [String](repeating: "{\"name\": \"a\"}", count: 129).joined(separator: ",")
                + "]}",
            saying: "nodes"),
        Stranger(
            "more bytes than an answer has", String(repeating: " ", count: 2 << 20),
            saying: "bytes"),
        Stranger("an error", "{}", saying: "status 500", status: .internalServerError),
        Stranger(
            "an error with two lines", #"{"error": {"message": "a\nb"}}"#,
            saying: "status 404: a?b",
            status: .notFound),
        Stranger("a redirect", "{}", saying: "status 302", status: .found),
    ]

    @Test(arguments: strangers)
    func aStrangersAnswerIsOneLineAndNeverATrap(stranger: Stranger) async throws {
        try await Self.serve(stranger) { url in
            let run = try await SkeinProgram.run(["health", "--url", url])
            #expect(run.status == 3, "\(run.output)\(run.errors)")
            #expect(run.output == "")
            let lines = run.errors.split(separator: "\n")
            #expect(lines.count == 1 && run.errors.contains(stranger.part), "\(run.errors)")
            #expect(run.errors.hasPrefix("skein: error: \(url): "))
            let json = try await SkeinProgram.run(["health", "--url", url, "--json"]).json()
            #expect(json["status"] as? String == "unknown" && json["exit_code"] as? Int == 3)
        }
    }

    /// Every number may be anything: the table shows what makes sense and a dash for the rest.
    @Test func strangeNumbersAreShownAsNothing() async throws {
        let node = """
            {"name": "a\\u001b[2J", "state": "ready", "stages": [{"index": -4}],
            "resident_bytes": -1, "pages_used": 1e300, "rows_per_second": -1e308,
            "up_seconds": "x", "last_error": 7, "step_seconds": {"p50": 1e308, "p99": null},
            "round_trip_seconds": 5}
            """
        let answer = Stranger(
            "strange numbers",
            "{\(Self.fine), \"name\": \"x\", \"ready\": true, \"nodes\": [\(node)]}", saying: "")
        try await Self.serve(answer) { url in
            let run = try await SkeinProgram.run(["health", "--url", url])
            #expect(run.status == 0, "\(run.errors)")
            #expect(!run.output.contains("\u{1B}"))
            #expect(run.output.contains("-/-"), "\(run.output)")
        }
    }

    @Test func whereNobodyListensNothingCanBeTold() async throws {
        let port = try await FreePorts.take(1)[0]
        let url = "http://127.0.0.1:\(port)"
        let run = try await SkeinProgram.run(["health", "--url", url])
        #expect(run.status == 3)
        #expect(run.errors == "skein: error: \(url): cannot be reached: Connection refused\n")
    }

    @Test func aClusterFileWithoutAnAddressCannotBeAsked() async throws {
        let folder = try ScratchFolder()
        let file = try folder.write(
            """
            cluster: mute
            model: m
            placement: linear
            context: 64
            pages: 1
            coordinator:
              address: tcp://127.0.0.1:7100
            nodes:
              - name: a
                address: tcp://127.0.0.1:7101

            """, to: "mute.yaml")
        let run = try await SkeinProgram.run(["health", "--cluster", file])
        #expect(run.status == 3)
        #expect(run.errors.hasPrefix("skein: error: \(file): coordinator.http: found nothing"))
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        [], ["--cluster", "a", "--url", "http://b"], ["--url", "ftp://a"], ["--url", "a b"],
        ["--url", "http://"], ["--url", "http://a", "--interval", "0"],
        ["--url", "http://u@a"], ["--url", "https://a", "--insecure", "--ca-cert", "x"],
    ])
    func wrongUsageIsTwo(arguments: [String]) async throws {
        let run = try await SkeinProgram.run(["health"] + arguments)
        #expect(run.status == 2 && run.output == "", "\(run.errors)")
    }

    // MARK: Rooms

    /// Answers every request with one answer while `work` runs.
    private static func serve(
        _ stranger: Stranger, _ work: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(
            of: Int.self, bufferingPolicy: .bufferingOldest(1))
        let application = Application(
            responder: CallbackResponder { (_, _: BasicRequestContext) in
                Response(
                    status: stranger.status,
                    headers: [.location: "http://127.0.0.1:1/"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: stranger.body)))
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.yield(channel.localAddress?.port ?? 0)
                port.finish()
            })
        let serving = Task { try await application.run() }
        for await number in ports { try await work("http://127.0.0.1:\(number)") }
        serving.cancel()
        _ = await serving.result
    }
}
