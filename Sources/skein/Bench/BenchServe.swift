import ArgumentParser
import Foundation
import SkeinBench
import SkeinCore

/// Measures a server under load.
struct BenchServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Measures an OpenAI-compatible server under load.",
        discussion: """
            Without --request-rate and --max-concurrency all requests go out at once. With a rate \
            they come by a clock that does not wait for answers, and latencies count from the time \
            at which each was due. With --max-concurrency alone, that many are always running.
            """)

    @OptionGroup(title: "Server") var target: BenchTargetOptions
    @OptionGroup(title: "Load") var load: BenchLoadOptions
    @OptionGroup(title: "Prompts") var prompts: BenchPromptOptions
    @OptionGroup(title: "Sampling") var sampling: BenchSamplingOptions
    @OptionGroup(title: "Report") var output: BenchReportOptions

    func validate() throws {
        guard !(load.wantsSweep && load.requestRate != nil) else {
            throw ValidationError("--request-rate: a sweep sets the rates itself")
        }
    }

    func run() async throws {
        let output = output
        let options = try options()
        try output.checkFiles()
        let progress = BenchProgress()
        let bench = ServingBench(options) { progress.show($0) }
        try await Interruptible.run {
            let report: ServingReport
            do {
                report = try await bench.run()
            } catch {
                progress.finish()
                throw error
            }
            progress.finish()
            try output.write(report)
            if let failure = report.failure { throw failure }
        }
    }

    /// What all flags together ask for.
    private func options() throws -> ServingOptions {
        var server = try target.target()
        server.fields = try sampling.fields()
        var options = ServingOptions(
            target: server, origin: try prompts.origin(), shape: try load.shape())
        options.warmupCount = load.warmup
        options.singleStreamCount = load.noSingleStream ? 0 : load.singleStreamRequests
        if !load.goodput.isEmpty { options.serviceLevel = try ServiceLevel(words: load.goodput) }
        options.sweep = try load.sweepRatesOrSearch()
        options.sweepPointDuration = .seconds(load.sweepDuration)
        options.percentiles = try output.percentiles()
        options.metrics = try output.metrics()
        options.tool = "skein \(SoftwareVersion.text)"
        options.commandLine = Self.shown(CommandLine.arguments)
        return options
    }

    /// A command line as a shell takes it, without the secrets in it.
    static func shown(_ words: [String]) -> String {
        let secretNames = ["--api-key", "--header"]
        var isSecret = false
        let shown = words.enumerated().map { index, word -> String in
            if index == 0 { return URL(filePath: word).lastPathComponent }
            if isSecret {
                isSecret = false
                return "…"
            }
            isSecret = secretNames.contains(word)
            if let name = secretNames.first(where: { word.hasPrefix($0 + "=") }) {
                return name + "=…"
            }
            let isPlain = word.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:=,+@%".contains($0))
            }
            return isPlain && !word.isEmpty
                ? word : "'" + word.replacing("'", with: "'\\''") + "'"
        }
        return shown.joined(separator: " ")
    }
}

/// What is reported, and where.
struct BenchReportOptions: ParsableArguments {
    @Option(
        name: .customLong("percentile-metrics"),
        help: "Latencies to report, separated by commas: ttft, tpot, itl, e2el.")
    var percentileMetrics = ServingOptions.allMetrics.joined(separator: ",")

    @Option(
        name: .customLong("metric-percentiles"),
        help: "Percentiles to report, separated by commas.")
    var metricPercentiles = "50,90,95,99"

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(name: .customLong("result-file"), help: "Write the JSON object to this file too.")
    var resultFile: String?

    @Option(help: "Write a page of HTML with plots to this file.")
    var html: String?

    @Option(help: "Write one JSON object for every request to this file.")
    var timeline: String?

    @Option(help: "Compare with this earlier report, after the figures.")
    var compare: String?

    /// The percentiles to report.
    func percentiles() throws -> [Double] {
        try metricPercentiles.split(separator: ",").map { word in
            guard let percent = Double(word), percent > 0, percent <= 100 else {
                throw Refusal(
                    "--metric-percentiles", "found '\(word)', expected above 0 and at most 100")
            }
            return percent
        }
    }

    /// The latencies to report.
    func metrics() throws -> [String] {
        try percentileMetrics.split(separator: ",").map { word in
            guard ServingOptions.allMetrics.contains(String(word)) else {
                throw Refusal(
                    "--percentile-metrics", "found '\(word)', expected ttft, tpot, itl or e2el")
            }
            return String(word)
        }
    }

    /// Refuses before the measurement what would fail after it.
    func checkFiles() throws {
        if let compare { _ = try ServingComparison.report(path: compare) }
        for path in [resultFile, html, timeline].compactMap({ $0 }) {
            try Console.checkWritable(path)
        }
    }

    /// Writes everything that is asked for.
    func write(_ report: ServingReport) throws {
        let text = report.json.text
        if let resultFile { try Console.write(text, to: resultFile) }
        if let html { try Console.write(report.page, to: html) }
        if let timeline { try Console.write(report.timeline, to: timeline) }
        try Console.standardOutput(json ? text : report.table)
        if let compare {
            let comparison = try ServingComparison(
                before: try ServingComparison.report(path: compare), after: report.json)
            if json {
                Console.standardError(comparison.table(isWhole: false))
            } else {
                try Console.standardOutput("\n" + comparison.table(isWhole: false))
            }
        }
    }
}
