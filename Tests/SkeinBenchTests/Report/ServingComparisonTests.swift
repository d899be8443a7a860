import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct ServingComparisonTests {
    private static func compare(
        _ before: [String: JSONValue], _ after: [String: JSONValue]
    ) throws -> ServingComparison {
        try ServingComparison(before: .object(before), after: .object(after))
    }

    private static func intervals(
        _ name: String, _ low: Double, _ high: Double
    ) -> JSONValue { .object([name: .array([.number(low), .number(high)])]) }

    @Test(arguments: [
        ("request_throughput", 10.0, 12.0, ServingComparison.Verdict.better),
        ("request_throughput", 10, 8, .worse), ("request_throughput", 10, 10.4, .noise),
        ("median_ttft_ms", 100, 60, .better), ("median_ttft_ms", 100, 160, .worse),
        ("p99_itl_ms", 100, 97, .noise), ("failed", 0, 5, .worse), ("retries", 4, 0, .better),
        ("total_output_tokens", 100, 900, .none), ("duration", 1, 9, .none),
        ("request_goodput", 0, 1, .better), ("request_goodput", 0, 0, .noise),
    ])
    func aChangeIsBetterOrWorseOrNoise(
        _ name: String, _ before: Double, _ after: Double, _ verdict: ServingComparison.Verdict
    ) throws {
        let row = try #require(
            try Self.compare([name: .number(before)], [name: .number(after)]).rows.first)
        #expect(row.verdict == verdict)
    }

    @Test(arguments: [(80.0, 130.0, true), (105, 130, false)])
    func aChangeWithinTheIntervalsOfBothIsNoise(
        _ low: Double, _ high: Double, _ isNoise: Bool
    ) throws {
        let name = "mean_ttft_ms"
        let row = try #require(
            try Self.compare(
                [name: .number(90), "intervals": Self.intervals(name, 80, 100)],
                [name: .number(115), "intervals": Self.intervals(name, low, high)]
            ).rows.first)
        #expect(row.verdict == (isNoise ? .noise : .worse))
    }

    @Test func settingsThatDifferComeFirst() throws {
        let comparison = try Self.compare(
            [
                "request_throughput": .number(4), "random_output_len": .integer(512),
                "seed": .integer(0), "ignore_eos": .bool(true), "date": .string("a"),
                "model_id": .string("m"), "max_concurrency": .null,
            ],
            [
                "request_throughput": .number(9), "random_output_len": .integer(64),
                "seed": .integer(0), "ignore_eos": .bool(false), "date": .string("b"),
                "model_id": .string("m"), "max_concurrency": .integer(8),
            ])
        #expect(
            comparison.differences == [
                .init(name: "ignore_eos", before: "true", after: "false"),
                .init(name: "max_concurrency", before: "–", after: "8"),
                .init(name: "random_output_len", before: "512", after: "64"),
            ])
        let table = comparison.table(isWhole: false)
        #expect(table.hasPrefix("settings that differ"))
        #expect(comparison.rows.map(\.name) == ["request_throughput"])
    }

    @Test func aFigureThatOneReportDoesNotHaveHasNoRatio() throws {
        let comparison = try Self.compare(
            ["median_tpot_ms": .null, "failed": .integer(0), "request_throughput": .number(1)],
            ["median_tpot_ms": .number(5), "failed": .integer(0), "request_throughput": .number(1)])
        let row = try #require(comparison.rows.first { $0.name == "median_tpot_ms" })
        #expect(row.before == nil && row.ratio == nil && row.verdict == .none)
        #expect(comparison.table(isWhole: false).contains("–"))
        let json = comparison.json.fields?["figures"]?.fields?["median_tpot_ms"]?.fields
        #expect(json?["before"] == .null && json?["verdict"] == .null)
    }

    @Test func ratesThatBothSweepsHaveAreComparedWithEachOther() throws {
        func report(_ rates: [Double], _ tokens: Double) -> [String: JSONValue] {
            [
                "knee_request_rate": .number(4),
                "sweep": .array(
                    rates.map {
                        .object(["request_rate": .number($0), "output_throughput": .number(tokens)])
                    }),
            ]
        }
        let rows = try Self.compare(report([2, 4, 8], 10), report([4, 2, 16], 20)).rows
        #expect(
            rows.map(\.name) == [
                "knee_request_rate", "at 2/s output_throughput", "at 4/s output_throughput",
            ])
        #expect(rows.last?.verdict == .better)
    }

    @Test(arguments: ["[]", "{}", "4", #"{"a": "b"}"#, #"{"sweep": []}"#])
    func whatIsNoReportIsRefused(_ text: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8), subject: "report")
        #expect(throws: Refusal.self) { try ServingComparison(before: value, after: value) }
    }

    @Test func aReportOfAnotherProgramCanBeCompared() throws {
        let report = try JSONValue(
            parsing: Array(
                #"{"request_throughput": 5, "ttfts": [1, 2], "seed": "0", "label": null}"#.utf8),
            subject: "report")
        let comparison = try ServingComparison(before: report, after: report)
        #expect(comparison.rows.count == 1 && comparison.differences.isEmpty)
    }
}
