import NIOCore
import SkeinCore
import Synchronization
import Testing

@testable import SkeinBench

@Suite(.serialized) struct ServingBenchTests {
    private static func options(_ server: ScriptedServer, _ shape: LoadShape) -> ServingOptions {
        var lengths = PromptOrigin.RandomLengths()
        lengths.inputTokenCount = 8
        var options = ServingOptions(
            target: ServingTarget(baseURL: server.url, interface: .text),
            origin: .random(lengths), shape: shape)
        options.warmupCount = 0
        options.singleStreamCount = 0
        options.target.timeout = .seconds(30)
        return options
    }

    private static func measure(
        _ server: ScriptedServer, _ shape: LoadShape,
        _ change: (inout ServingOptions) -> Void = { _ in }
    ) async throws -> ServingReport {
        var options = options(server, shape)
        change(&options)
        return try await bench(options, server).run()
    }

    /// A load tester on the server's own loop: where the machine is busy both are late together,
    /// and what is left between them is what the load tester gets wrong.
    private static func bench(_ options: ServingOptions, _ server: ScriptedServer) -> ServingBench {
        ServingBench(options, client: ServingClient(options.target, loop: server.loop))
    }

    // MARK: Latencies

    /// Delays of a mixture: most tokens come evenly, some late, a few after a stall.
    private static func delays(_ number: Int) -> [Duration] {
        var numbers = SeededNumbers(seed: 11, purpose: UInt64(number))
        return (0..<10).map { index in
            let draw = numbers.uniform()
            if index == 0 { return .milliseconds(Int(600 + 400 * draw)) }
            return .milliseconds(draw < 0.85 ? 100 : draw < 0.96 ? 250 : 900)
        }
    }

    private static func ms(_ from: NIODeadline, _ to: NIODeadline) -> Duration {
        .nanoseconds((to - from).nanoseconds)
    }

    /// What the load tester says beside what the server itself saw, as the largest difference.
    private static func largestError(_ figures: ServingFigures, _ times: [ScriptedServer.Times])
        -> Double
    {
        // The last entry of a request is its end, which brings no token.
        let truths: [(LatencyFigures, [Duration])] = [
            (figures.timeToFirstToken, times.map { ms($0.received, $0.sent[0]) }),
            (figures.latency, times.map { ms($0.received, $0.sent[$0.sent.count - 1]) }),
            (
                figures.interTokenLatency,
                times.flatMap { time in
                    let sent = time.sent.dropLast()
                    return zip(sent, sent.dropFirst()).map { ms($0, $1) }
                }
            ),
            (
                figures.timePerOutputToken,
                times.map { ms($0.sent[0], $0.sent[$0.sent.count - 1]) / ($0.sent.count - 2) }
            ),
        ]
        var largest = 0.0
        for (found, truth) in truths {
            let sorted = truth.sorted()
            for percent in [50.0, 90, 95, 99] {
                let place = Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1
                let wanted = sorted[max(0, place)] / .milliseconds(1)
                largest = max(largest, abs((found.percentileMs(percent) ?? 0) / wanted - 1))
            }
            let mean = truth.reduce(.zero, +) / truth.count / .milliseconds(1)
            largest = max(largest, abs((found.meanMs ?? 0) / mean - 1))
            if found.count != truth.count { largest = .infinity }
        }
        return largest
    }

    @Test(.timeLimit(.minutes(1)))
    func percentilesAreThoseThatTheServerSaw() async throws {
        var errors: [Double] = []
        // A machine that gives this process no time for 20 ms makes the client late, not wrong: it
        // may try again, and has to be right once.
        for _ in 0..<3 where errors.allSatisfy({ $0 > 0.02 }) {
            let server = try await ScriptedServer { number, _ in
                ScriptedServer.answer(Self.delays(number))
            }
            let report = try await Self.measure(
                server, LoadShape(concurrencyMax: 12, end: .requestCount(24)))
            let load = try #require(report.load)
            #expect(load.figures.completedCount == 24 && load.figures.runningCountPeak == 12)
            #expect(load.figures.outputTokenCount == 240 && load.figures.emissionCount == 240)
            errors.append(Self.largestError(load.figures, server.times))
            try await server.stop()
        }
        #expect(errors.contains { $0 <= 0.02 }, "\(errors)")
    }

    @Test(.timeLimit(.minutes(1)))
    func aFreezeShowsInTheTailOfAnOpenLoop() async throws {
        // One request at a time, 4 ms each; the fortieth takes a second, and all others wait.
        let freeAt = Mutex(NIODeadline.uptimeNanoseconds(0))
        let server = try await ScriptedServer { number, received in
            let end = freeAt.withLock { freeAt in
                let start = max(freeAt, received)
                freeAt = start + (number == 39 ? .seconds(1) : .milliseconds(4))
                return freeAt
            }
            return ScriptedServer.answer([Self.ms(received, end)])
        }
        let report = try await Self.measure(
            server, LoadShape(requestRate: 40, burstiness: 20, end: .requestCount(120), seed: 3))
        let load = try #require(report.load)
        // What a user saw: from the time at which a request was due, whenever it was sent.
        let due = load.records.map(\.due).sorted()
        let truth = zip(server.times, due).map { time, due in
            Self.ms(load.start, time.sent[0]) - due
        }.sorted()
        let found = load.figures.timeToFirstToken
        for percent in [90.0, 95, 99] {
            let place = Int((percent / 100 * Double(truth.count)).rounded(.up)) - 1
            let wanted = truth[place] / .milliseconds(1)
            let told = try #require(found.percentileMs(percent))
            #expect(told.isClose(to: wanted, share: 0.02), "p\(percent)")
        }
        // A third of all requests came in the second in which nothing was answered; a client that
        // waits for its answers would have seen it once in 120 requests.
        #expect(try #require(found.percentileMs(99)) > 850)
        #expect(try #require(found.percentileMs(90)) > 600)
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func theWaitForASlotIsPartOfTheLatency() async throws {
        let server = try await ScriptedServer { _, _ in
            ScriptedServer.answer([.milliseconds(100), .milliseconds(100)])
        }
        let report = try await Self.measure(
            server, LoadShape(requestRate: 50, concurrencyMax: 2, end: .requestCount(20)))
        let load = try #require(report.load)
        // Twenty requests come within half a second, two leave every 200 ms: the last waits 1.5 s.
        #expect(try #require(load.figures.timeToFirstToken.maxMs) > 1_300)
        let fromSend = try #require(load.figures.timeToFirstTokenFromSend.percentileMs(50))
        #expect(fromSend * 2 < (try #require(load.figures.timeToFirstToken.percentileMs(50))))
        #expect(load.figures.runningCountPeak == 2)
        #expect(report.allWarnings.contains { $0.contains("waited longer for a slot") })
        try await server.stop()
    }

    // MARK: Failures

    @Test(.timeLimit(.minutes(1)))
    func everyFailureIsCountedByItsKind() async throws {
        let server = try await ScriptedServer { number, _ in
            var answer = ScriptedServer.Answer()
            let text = ScriptedServer.text()
            switch number {
            case 0: answer = ScriptedServer.answer([.zero, .zero])
            case 1: answer = .init(status: 500, type: "application/json")
            case 2: (answer.steps, answer.isCutOff) = ([(.zero, text)], true)
            case 3: answer.steps = [(.zero, text)]
            case 4:
                answer.steps = [(.zero, text), (.zero, "data: {\"error\": {\"message\": 1}}\n\n")]
            case 5: answer.steps = [(.zero, "data: no\n\n")]
            case 6: (answer.type, answer.steps) = ("application/json", [(.zero, "{}")])
            case 7: answer.isSilent = true
            default: answer = .init(status: 503, headers: [("retry-after", "1")])
            }
            return answer
        }
        let report = try await Self.measure(
            server, LoadShape(concurrencyMax: 1, end: .requestCount(9))
        ) { $0.target.timeout = .milliseconds(700) }
        let figures = try #require(report.load).figures
        #expect(figures.completedCount == 1)
        #expect(
            figures.failures == [
                "http_500": 1, "cut_off": 2, "error_event": 1, "malformed_event": 1,
                "not_a_stream": 1, "timeout": 1, "http_503": 1,
            ])
        #expect(figures.outputTokenCount == 2)
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func aServerThatIsFullIsAskedAgainAndTheWaitCounts() async throws {
        let server = try await ScriptedServer { number, _ in
            number < 2
                ? .init(status: 503, headers: [("Retry-After", "0.4")])
                : ScriptedServer.answer([.milliseconds(50)])
        }
        let report = try await Self.measure(
            server, LoadShape(concurrencyMax: 1, end: .requestCount(2))
        ) { $0.target.retryCountMax = 5 }
        let figures = try #require(report.load).figures
        #expect(figures.completedCount == 2 && figures.retryCount == 2)
        #expect(try #require(figures.timeToFirstToken.maxMs) > 845)
        try await server.stop()
    }

    @Test func aServerThatIsNotThereIsNamed() async throws {
        let server = try await ScriptedServer { _, _ in .init() }
        let options = Self.options(server, LoadShape(end: .requestCount(1)))
        try await server.stop()
        let refusal = await #expect(throws: Refusal.self) {
            try await Self.bench(options, server).run()
        }
        #expect(refusal?.subject == server.url + "/v1/models")
        #expect(refusal?.reason.contains("cannot connect") == true, "\(refusal?.reason ?? "")")
    }

    @Test func aFirstRequestThatFailsEndsTheMeasurement() async throws {
        let server = try await ScriptedServer { _, _ in
            .init(status: 400, type: "application/json", steps: [(.zero, "{\"error\": \"no\"}")])
        }
        let refusal = await #expect(throws: Refusal.self) {
            try await Self.measure(server, LoadShape(end: .requestCount(1))) { $0.warmupCount = 2 }
        }
        #expect(refusal?.reason.contains("http_400") == true, "\(refusal?.reason ?? "")")
        try await server.stop()
    }

    // MARK: What is counted

    @Test(.timeLimit(.minutes(1)))
    func tokensAreThoseOfTheUsageElseThoseThatWereSeen() async throws {
        let server = try await ScriptedServer { number, _ in
            var answer = ScriptedServer.Answer()
            let end = ScriptedServer.end(tokens: number == 0 ? 9 : nil)
            answer.steps =
                (0..<3).map { _ in (.milliseconds(5), ScriptedServer.text()) } + [(.zero, end)]
            return answer
        }
        let report = try await Self.measure(
            server, LoadShape(concurrencyMax: 1, end: .requestCount(2)))
        let figures = try #require(report.load).figures
        #expect(figures.outputTokenCount == 12 && figures.emissionCount == 6)
        #expect(figures.countedAnswerCount == 1 && figures.inputTokenCount == 16)
        #expect(report.allWarnings.contains { $0.contains("did not tell the tokens of 1 ") })
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func aSweepFindsTheRateThatTheServerKeepsUpWith() async throws {
        // One request at a time, 20 ms each: fifty a second.
        let freeAt = Mutex(NIODeadline.uptimeNanoseconds(0))
        let server = try await ScriptedServer { _, received in
            let end = freeAt.withLock { freeAt in
                freeAt = max(freeAt, received) + .milliseconds(20)
                return freeAt
            }
            return ScriptedServer.answer([Self.ms(received, end)])
        }
        let shape = LoadShape(burstiness: 50, end: .requestCount(1), seed: 2)
        let report = try await Self.measure(server, shape) { options in
            options.sweep = .listed([10, 200])
            options.sweepPointDuration = .seconds(1)
        }
        #expect(report.sweep.map(\.figures.completedCount) == [20, 200])
        let completed = try #require(report.sweep[1].figures.completionRate)
        #expect(completed < 52)
        #expect(report.saturationRate != 200)
        #expect(report.page.contains("Throughput by rate"))
        #expect(report.table.contains("kept up") && report.table.contains("saturation"))
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func aMeasurementThatIsBrokenOffReportsWhatThereIs() async throws {
        let (started, start) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingOldest(1))
        let server = try await ScriptedServer { number, _ in
            guard number >= 3 else { return ScriptedServer.answer([.milliseconds(5)]) }
            start.yield()
            return .init(isSilent: true)
        }
        let options = Self.options(server, LoadShape(concurrencyMax: 1, end: .requestCount(50)))
        let measurement = Task { try await Self.bench(options, server).run() }
        for await _ in started { break }
        measurement.cancel()
        let report = try await measurement.value
        let figures = try #require(report.load).figures
        #expect(report.wasInterrupted && figures.completedCount == 3)
        #expect(figures.interruptedCount == 1 && figures.failedCount == 0)
        #expect(report.table.contains("broken off"))
        try await server.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func theServersOwnWordsAreInTheReport() async throws {
        var documents = ScriptedServer.models
        documents["/v1/cluster"] = """
            {"name": "c", "placement": "linear", "pages": {"total": 8, "owned": 2}, "nodes": [
            {"name": "n<b>", "stages": [{"index": 0, "busy_seconds": 4.5}]}]}
            """
        let server = try await ScriptedServer(documents: documents) { _, _ in
            ScriptedServer.answer([.milliseconds(5), .milliseconds(5)])
        }
        let report = try await Self.measure(
            server, LoadShape(concurrencyMax: 2, end: .requestCount(4))
        ) { options in
            options.singleStreamCount = 1
            options.serviceLevel = try? ServiceLevel(words: ["ttft:10000"])
        }
        let fields = try #require(report.json.fields)
        for name in [
            "request_throughput", "output_throughput", "total_token_throughput", "mean_ttft_ms",
            "median_tpot_ms", "std_itl_ms", "p99_e2el_ms", "p95_ttft_ms", "completed", "duration",
            "total_input_tokens", "total_output_tokens", "request_goodput",
            "single_stream_output_throughput", "single_stream_ttft_ms", "max_concurrent_requests",
            "p99_ttft_from_send_ms",
        ] {
            #expect(fields[name]?.double != nil, "\(name)")
        }
        let stages = fields["server"]?.fields?["stages"]?.array
        #expect(stages?.first?.fields?["busy_share"] == .number(0))
        #expect(report.table.contains("stage 0 busy (n<b>)"))
        #expect(report.page.contains("n&lt;b&gt;") && !report.page.contains("<b>"))
        #expect(!report.page.contains("<script") && !report.page.contains("src="))
        #expect(report.timeline.split(separator: "\n").count == 4)
        let comparison = try ServingComparison(before: report.json, after: report.json)
        #expect(comparison.rows.allSatisfy { $0.ratio == nil || $0.ratio == 1 })
        #expect(comparison.rows.allSatisfy { [.noise, .none].contains($0.verdict) })
        #expect(comparison.differences.isEmpty)
        #expect(comparison.table(isWhole: false).contains("p99_ttft_ms"))
        try await server.stop()
    }
}
