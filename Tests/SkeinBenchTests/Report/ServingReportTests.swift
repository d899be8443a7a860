// What a report says of a measurement, from real answers over real sockets.
import Foundation
import NIOCore
import SkeinCore
import Testing

@testable import SkeinBench

@Suite(.serialized) struct ServingReportTests {
    private static let latencyNames = ["ttft", "tpot", "itl", "e2el"]

    private static func options(
        _ server: ScriptedServer, count: Int = 4, _ change: (inout ServingOptions) -> Void
    ) -> ServingOptions {
        var lengths = PromptOrigin.RandomLengths()
        (lengths.inputTokenCount, lengths.outputTokenCount) = (8, 3)
        var options = ServingOptions(
            target: ServingTarget(baseURL: server.url, interface: .text),
            origin: .random(lengths),
            shape: LoadShape(concurrencyMax: 1, end: .requestCount(count), seed: 5))
        (options.warmupCount, options.singleStreamCount) = (0, 0)
        options.target.timeout = .seconds(30)
        change(&options)
        return options
    }

    /// Measures a server each of whose answers is one and the same.
    private static func measure(
        _ answer: ScriptedServer.Answer,
        documents: ScriptedServer.Documents = ScriptedServer.models,
        count: Int = 4, _ change: (inout ServingOptions) -> Void = { _ in }
    ) async throws -> ServingReport {
        let server = try await ScriptedServer(documents: documents) { _, _ in answer }
        let options = options(server, count: count, change)
        let bench = ServingBench(options, client: ServingClient(options.target, loop: server.loop))
        let report = try await bench.run()
        try await server.stop()
        return report
    }

    private static func stream(_ events: [String]) -> ScriptedServer.Answer {
        ScriptedServer.Answer(
            steps: events.map { (.milliseconds(5), "data: \($0)\n\n") }
                + [(.zero, "data: [DONE]\n\n")])
    }

    private static func figure(_ report: ServingReport, _ name: String) -> JSONValue? {
        report.json.fields?[name]
    }

    // MARK: - Absent figures

    /// A stream, and the latencies that can be measured of it.
    struct Kind: Sendable {
        let name: String
        let events: [String]
        let latencies: [String]
        /// Output tokens of an answer.
        let tokens: Int?
    }

    private static let usage =
        #"{"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3}}"#
    private static let end = #"{"choices": [{"text": "", "finish_reason": "length"}]}"#
    private static let text = #"{"choices": [{"text": "a", "finish_reason": null}]}"#

    @Test(arguments: [
        Kind(name: "one token", events: [text, end], latencies: ["ttft", "e2el"], tokens: 1),
        Kind(
            name: "one event of three tokens", events: [text, end, usage],
            latencies: ["ttft", "e2el"], tokens: 3),
        Kind(
            name: "no usage", events: [text, text, end], latencies: latencyNames, tokens: 2),
        Kind(name: "usage without text", events: [end, usage], latencies: ["e2el"], tokens: 3),
        Kind(name: "neither text nor usage", events: [end], latencies: ["e2el"], tokens: nil),
        Kind(
            name: "an answer of nothing",
            events: [
                end, #"{"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 0}}"#,
            ], latencies: ["e2el"], tokens: 0),
    ])
    func aFigureThatWasNotMeasuredIsAbsent(_ kind: Kind) async throws {
        let report = try await Self.measure(Self.stream(kind.events))
        #expect(report.failure == nil)
        let fields = try #require(report.json.fields)
        for name in Self.latencyNames {
            for figure in ["mean", "median", "p90", "p99", "max"] {
                let value = try #require(fields["\(figure)_\(name)_ms"])
                let isMeasured = kind.latencies.contains(name)
                #expect((value != .null) == isMeasured, "\(kind.name): \(figure) \(name)")
                #expect(value.double != 0, "\(kind.name): \(figure) \(name)")
            }
        }
        #expect(fields["total_output_tokens"] == .counted(kind.tokens.map { $0 * 4 }))
        #expect((fields["output_throughput"] == .null) == (kind.tokens == nil))
        if !kind.latencies.contains("ttft") {
            #expect(fields["max_output_tokens_per_s"] == .null)
            #expect(fields["tokens_per_emission"] == .null)
            #expect(report.table.contains("TTFT" + String(repeating: " ", count: 9) + "–"))
            #expect(report.allWarnings.contains { $0.contains("neither text nor token ids") })
        }
        #expect(!report.page.contains(">nan") && !report.page.contains("\"nan"))
        let isWhole = kind.latencies == Self.latencyNames
        #expect(report.page.contains("<td>–</td>") != isWhole)
    }

    @Test(arguments: [
        ScriptedServer.Answer(status: 503, type: "application/json"),
        ScriptedServer.Answer(steps: [(.zero, "data: [DONE]\n\n")]),
        ScriptedServer.Answer(steps: []),
        ScriptedServer.Answer(
            steps: [(.zero, ScriptedServer.text()), (.zero, "data: {\"error\": \"died\"}\n\n")]),
        ScriptedServer.Answer(steps: [(.zero, ScriptedServer.text())], isCutOff: true),
        ScriptedServer.Answer(type: "text/html", steps: [(.zero, "<html>")]),
        ScriptedServer.Answer(steps: [(.zero, "data: {oops\n\n")]),
    ])
    func aRunOfWhichNothingSucceedsHasAReasonAndNoLatencies(
        _ answer: ScriptedServer.Answer
    ) async throws {
        let report = try await Self.measure(answer)
        let reason = try #require(report.failure?.reason)
        #expect(reason.contains("all 4 requests failed: 4 "), "\(reason)")
        let fields = try #require(report.json.fields)
        #expect(fields["completed"] == .integer(0) && fields["failed"] == .integer(4))
        for name in ["median_ttft_ms", "p99_e2el_ms", "mean_itl_ms", "output_throughput"] {
            #expect(fields[name] == .null, "\(name)")
        }
        #expect(report.table.contains("4 of 4 requests failed"))
    }

    @Test func failuresBesideAnswersAreWarnedOf() async throws {
        let server = try await ScriptedServer { number, _ in
            number == 1 ? .init(status: 500) : ScriptedServer.answer([.zero, .milliseconds(2)])
        }
        let options = Self.options(server) { _ in }
        let report = try await ServingBench(
            options, client: ServingClient(options.target, loop: server.loop)
        ).run()
        #expect(report.failure == nil)
        #expect(report.allWarnings.contains { $0.hasPrefix("1 of 4 requests failed: 1 http_500") })
        try await server.stop()
    }

    @Test func answersWithoutTextAreCountedByTheirTokenIDs() async throws {
        // As a model without a tokenizer answers: ids only where they are asked for.
        let ids = #"{"choices": [{"text": "", "token_ids": [7], "finish_reason": null}]}"#
        let silent = #"{"choices": [{"text": "", "finish_reason": null}]}"#
        let server = try await ScriptedServer { number, _ in
            Self.stream(Array(repeating: number == 0 ? silent : ids, count: 3) + [Self.end])
        }
        let options = Self.options(server) { $0.warmupCount = 1 }
        let report = try await ServingBench(
            options, client: ServingClient(options.target, loop: server.loop)
        ).run()
        let figures = try #require(report.load).figures
        #expect(figures.outputTokenCount == 12 && figures.interTokenLatency.count == 8)
        #expect(figures.timePerOutputToken.count == 4)
        let isAsked = server.times.map { $0.body.contains("\"return_token_ids\":true") }
        #expect(isAsked == [false] + Array(repeating: true, count: 5))
        #expect(!report.allWarnings.contains { $0.contains("neither text") })
        try await server.stop()
    }

    @Test func aServerThatRefusesToSendTokenIDsIsMeasuredWithoutThem() async throws {
        let server = try await ScriptedServer { number, _ in
            number == 1 ? .init(status: 400) : Self.stream([Self.end, Self.usage])
        }
        let options = Self.options(server) { $0.warmupCount = 1 }
        let report = try await ServingBench(
            options, client: ServingClient(options.target, loop: server.loop)
        ).run()
        #expect(report.load?.figures.completedCount == 4)
        #expect(report.load?.figures.timeToFirstToken.meanMs == nil)
        #expect(server.times.last?.body.contains("return_token_ids") == false)
        try await server.stop()
    }

    // MARK: - What is told

    @Test func aReportSaysWhatWasMeasured() async throws {
        var documents = ScriptedServer.models
        documents["/version"] = #"{"version": "9.8.7"}"#
        let answer = ScriptedServer.answer([.milliseconds(2), .milliseconds(2), .milliseconds(2)])
        let report = try await Self.measure(answer, documents: documents) { options in
            options.target.fields = [
                "temperature": .number(0), "ignore_eos": .bool(true), "top_k": .integer(4),
            ]
            options.tool = "skein 1.2.3"
            options.commandLine = "skein bench serve --seed 5"
        }
        let fields = try #require(report.json.fields)
        let expected: [String: JSONValue] = [
            "random_input_len": .integer(8), "random_output_len": .integer(3),
            "dataset_name": .string("random"), "ignore_eos": .bool(true),
            "temperature": .number(0), "seed": .integer(5), "model_id": .string("script"),
            "request_rate": .string("inf"), "max_concurrency": .integer(1),
            "tool_version": .string("skein 1.2.3"), "server_version": .string("9.8.7"),
            "command": .string("skein bench serve --seed 5"),
            "extra_fields": .object(["top_k": .integer(4)]), "mean_input_tokens": .number(8),
            "mean_output_tokens": .number(3), "mean_wanted_output_tokens": .number(3),
        ]
        for (name, value) in expected { #expect(fields[name] == value, "\(name)") }
        #expect(try #require(fields["client_cores"]?.count) > 0 && fields["date"]?.string != nil)
        for text in [report.table, report.page] {
            for word in ["9.8.7", "skein 1.2.3", "--seed 5", "input tokens wanted"] {
                #expect(text.contains(word), "\(word)")
            }
        }
        #expect(report.page.contains("<table") && !report.page.contains("<pre>"))
    }

    @Test func rowsOfAFileAreToldWithThoseThatWereSkipped() async throws {
        let file = try WrittenFile("{\"prompt\": \"a\"}\n{\"oops\": 1}\n{\"prompt\": \"b\"}\n")
        defer { file.remove() }
        let report = try await Self.measure(ScriptedServer.answer([.zero])) {
            $0.origin = .lines(path: file.path, outputTokenCount: 1)
        }
        #expect(Self.figure(report, "dataset_path") == .string(file.path))
        #expect(Self.figure(report, "dataset_rows_used") == .integer(2))
        #expect(Self.figure(report, "dataset_rows_skipped") == .integer(1))
        #expect(report.allWarnings.contains { $0.contains("1 of 3 rows were skipped: line 2: ") })
    }

    @Test(arguments: [(4, true, true), (4, false, true), (3, false, false), (3, true, false)])
    func answersThatEndEarlyAreWarnedOf(
        _ wanted: Int, _ ignoresEnd: Bool, _ isWarned: Bool
    ) async throws {
        let answer = ScriptedServer.answer([.zero, .milliseconds(2), .milliseconds(2)])
        let report = try await Self.measure(answer) { options in
            guard case .random(var lengths) = options.origin else { return }
            lengths.outputTokenCount = wanted
            options.origin = .random(lengths)
            if ignoresEnd { options.target.fields["ignore_eos"] = .bool(true) }
        }
        let warning = report.allWarnings.first { $0.contains("ended early") }
        #expect((warning != nil) == isWarned)
        if let warning {
            #expect(warning.contains("4 of 4 answers ended early: 12 of 16 wanted output tokens"))
            #expect(warning.contains("--ignore-eos") != ignoresEnd)
        }
    }

    @Test(arguments: [(8, 0, true), (1, 0, true), (0, 0, false), (8, 8, false), (12, 8, true)])
    func promptsThatWereInTheCacheAreWarnedOf(
        _ cached: Int, _ prefix: Int, _ isWarned: Bool
    ) async throws {
        let usage = """
            {"choices": [], "usage": {"prompt_tokens": \(8 + prefix), "completion_tokens": 3, \
            "prompt_tokens_details": {"cached_tokens": \(cached)}}}
            """
        let report = try await Self.measure(
            Self.stream([Self.text, Self.text, Self.end, usage])
        ) { options in
            guard case .random(var lengths) = options.origin else { return }
            lengths.prefixTokenCount = prefix
            options.origin = .random(lengths)
        }
        let warning = report.allWarnings.first { $0.contains("prefix cache") }
        #expect((warning != nil) == isWarned)
        #expect(warning.map { $0.contains("--seed 5") } ?? true)
    }

    // MARK: - Lateness

    private static func load(rate: Double?, lagMs: Int, gapMs: Int) throws -> ServingLoad {
        var run = ServingRun.Outcome()
        run.records = [
            ServingFiguresTests.record(0, emissions: [10, 10 + gapMs, 10 + 2 * gapMs], tokens: 3)
        ]
        run.duration = .seconds(1)
        run.lag = LatencyFigures([.milliseconds(lagMs)])
        return ServingLoad(
            shape: LoadShape(requestRate: rate, end: .requestCount(1)),
            figures: ServingFigures(run, serviceLevel: nil), lag: run.lag, clientSeconds: 0,
            server: nil, wasInterrupted: false, records: run.records, start: run.start)
    }

    @Test(arguments: [(1, 1, false), (2, 100, false), (2, 30, true), (40, 30, true)])
    func theLoadTesterIsLateOnlyWhereThatMatters(
        _ lagMs: Int, _ gapMs: Int, _ isWarned: Bool
    ) throws {
        var report = ServingReport(
            ServingOptions(
                target: ServingTarget(baseURL: "http://a", interface: .text),
                origin: .random(.init()), shape: LoadShape(end: .requestCount(1))),
            card: ModelCard(name: "m"))
        report.load = try Self.load(rate: nil, lagMs: lagMs, gapMs: gapMs)
        #expect(report.allWarnings.contains { $0.contains("was late") } == isWarned)
    }

    @Test func aSweepTellsAFaultOnceWithItsRates() throws {
        var report = ServingReport(
            ServingOptions(
                target: ServingTarget(baseURL: "http://a", interface: .text),
                origin: .random(.init()), shape: LoadShape(end: .requestCount(1))),
            card: ModelCard(name: "m"))
        report.sweep = try [8.0, 2, 4].map { try Self.load(rate: $0, lagMs: 20, gapMs: 30) }
        let late = report.allWarnings.filter { $0.contains("was late") }
        #expect(late.count == 1 && late.first?.contains("(at 2, 4, 8 requests/s)") == true)
        // Whatever the order in which rates were measured, they are shown by their size.
        let rates = report.json.fields?["sweep"]?.array?.map { $0.fields?["request_rate"] }
        #expect(rates == [.number(2), .number(4), .number(8)])
        let places = [2, 4, 8].compactMap {
            report.page.range(of: "<h2>\($0) requests")?.lowerBound
        }
        #expect(places.count == 3 && places == places.sorted())
        #expect(report.page.contains("against throughput"))
        #expect(report.page.contains("Time per output token by rate"))
    }
}
