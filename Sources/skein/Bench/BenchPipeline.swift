import ArgumentParser
import Foundation
import SkeinBench
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinTelemetry
import SkeinWeights

/// Measures a ring under decode, beside what the arithmetic predicts.
struct BenchPipeline: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline",
        abstract: "Measures a ring under decode: streams together and alone, bubbles, a long "
            + "prompt's arrival.")

    @OptionGroup var model: ModelOption
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var log: LogOption

    @Option(
        help: """
            A cluster file whose head this command is, instead of a cluster on this machine; its \
            nodes are started by 'skein node'.
            """)
    var cluster: String?

    @Option(help: "Streams that decode together.")
    var concurrency = 8

    @Option(name: .customLong("prompt-tokens"), help: "Tokens of each stream's prompt.")
    var promptTokens = 32

    @Option(name: .customLong("new-tokens"), help: "Tokens that each stream produces.")
    var newTokens = 128

    @Option(
        name: .customLong("arrival-tokens"),
        help: "Tokens of a prompt that arrives while all streams decode; 0 for none.")
    var arrivalTokens = 0

    @Option(
        name: .customLong("prefix-tokens"),
        help: "Tokens of a prompt that is asked twice, alone; 0 for none.")
    var prefixTokens = 0

    @Option(help: "Seed of the prompts' random tokens.")
    var seed: UInt64 = 0

    @OptionGroup var required: BenchThresholdOptions

    @Option(help: "A file for what every node did meanwhile, as 'skein trace' writes it.")
    var trace: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...Limits.microBatchSpansMax).contains(concurrency) else {
            throw ValidationError("--concurrency: expected 1 to \(Limits.microBatchSpansMax)")
        }
        guard (1...Limits.positionsMax).contains(promptTokens) else {
            throw ValidationError("--prompt-tokens: expected 1 to \(Limits.positionsMax)")
        }
        guard (16...Limits.positionsMax).contains(newTokens) else {
            throw ValidationError("--new-tokens: expected 16 to \(Limits.positionsMax)")
        }
        guard cluster == nil || model.path == nil else {
            throw ValidationError("--cluster: expected no --model beside it; the file names one")
        }
        guard (0...Limits.positionsMax).contains(arrivalTokens) else {
            throw ValidationError("--arrival-tokens: expected 0 to \(Limits.positionsMax)")
        }
        guard (0...Limits.positionsMax).contains(prefixTokens) else {
            throw ValidationError("--prefix-tokens: expected 0 to \(Limits.positionsMax)")
        }
    }

    func run() async throws {
        let topology = try cluster.map { path throws(Refusal) in try ClusterFile.read(path: path) }
        let folder = try topology?.modelPath ?? model.folder()
        let configuration = try Checkpoint.open(folder).configuration
        let load = PipelineBench.Load(
            streamCount: concurrency, promptTokenCount: promptTokens, newTokenCount: newTokens,
            arrivalTokenCount: arrivalTokens, prefixTokenCount: prefixTokens, seed: seed)
        guard load.positionCount <= configuration.positionCountMax else {
            throw Refusal(
                "--prompt-tokens and --new-tokens",
                "ask for \(load.positionCount) positions, the model's context has "
                    + "\(configuration.positionCountMax)")
        }
        if let topology, let cluster, load.positionCount > topology.serving.positionCount {
            throw Refusal(
                "\(cluster): context",
                "is \(topology.serving.positionCount), the load needs \(load.positionCount)")
        }
        let positions = min(
            load.positionCountWanted,
            topology?.serving.positionCount ?? configuration.positionCountMax)
        let bounds = try required.bounds()
        let file = trace
        let measure: Measurement = { coordinator in
            let bench = PipelineBench(
                coordinator: coordinator, vocabularySize: configuration.vocabularySize,
                positionCountMax: positions, load: load)
            return try await bounds.measure { attempt in
                try await bench.run(
                    attempt: attempt, onProgress: { Console.standardError($0) },
                    onTrace: { if let file { try ChromeTrace($0).write(to: file) } })
            }
        }
        let (report, misses) = try await run(
            measure, folder: folder, topology, positions: positions)
        if json {
            try Console.json(report)
        } else {
            try Console.standardOutput(report.text)
        }
        try bounds.check(misses)
    }

    private typealias Measurement =
        @Sendable (Coordinator) async throws -> BenchBounds.Outcome<PipelineReport>

    /// Measures the cluster of the file, or one of this machine's own.
    private func run(
        _ measure: @escaping Measurement, folder: String, _ topology: Topology?,
        positions: Int
    ) async throws -> BenchBounds.Outcome<PipelineReport> {
        if let cluster, let topology {
            return try await HeadRun(clusterFile: cluster, topology: topology, log: log)
                .run(measure)
        }
        return try await EmbeddedRun(
            folder: folder, layout: layout,
            serving: layout.serving(positionCount: positions, sequenceCount: concurrency + 1),
            log: log
        ).run { try await measure($0.coordinator) }
    }
}

extension PipelineReport {
    /// The report for people.
    var text: String {
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        func percent(_ value: Double) -> String { String(format: "%5.1f %%", value * 100) }
        var lines = [
            "one stream          \(number(singleStreamTokensPerSecond)) tokens/s, first token "
                + "after \(number(singleStreamTtftMs)) ms",
            "\(concurrency) streams together  \(number(outputTokensPerSecond)) tokens/s, "
                + "\(number(batchingGain)) times one",
            "between tokens      \(number(medianItlMs)) ms median, \(number(p99ItlMs)) ms p99",
        ]
        if let p99ItlWithArrivalMs, let arrivalTtftMs {
            lines.append(
                "with the arrival    \(number(p99ItlWithArrivalMs)) ms p99, "
                    + "\(String(format: "%.2f", p99ItlRatioWithArrival ?? 0)) times as long; "
                    + "its first token after \(number(arrivalTtftMs / 1_000)) s")
        }
        if let prefixTtftMs, let repeatedPrefixTtftMs, let prefixTtftGain {
            lines.append(
                "a prompt twice      first token after \(number(prefixTtftMs)) ms, then "
                    + "\(number(repeatedPrefixTtftMs)) ms: \(number(prefixTtftGain)) times sooner")
        }
        lines.append(
            "the ring            \(decodeMicroBatches) decode micro-batches, "
                + "\(number(wayMs)) ms on the way")
        lines.append("")
        lines.append(
            "stage  node    layers   step ms   busy (predicted)     bubble (predicted)   "
                + "hidden (predicted)")
        for stage in stages {
            let layers = "\(stage.firstLayer)-\(stage.firstLayer + stage.layerCount - 1)"
            lines.append(
                String(stage.stage).padded(to: 7) + stage.node.padded(to: 8)
                    + layers.padded(to: 9) + number(stage.stepMs).padded(to: 10)
                    + "\(percent(stage.busyShare)) (\(percent(stage.predictedBusyShare)))   "
                    + "\(percent(stage.bubbleShare)) (\(percent(stage.predictedBubbleShare)))   "
                    + "\(percent(stage.hiddenCommunicationShare)) "
                    + "(\(percent(stage.predictedHiddenCommunicationShare)))")
        }
        let waits = stages.filter { $0.expertWaitMs > 0 }
        if !waits.isEmpty {
            lines.append(
                "remote experts   "
                    + waits.map { "stage \($0.stage) waits \(number($0.expertWaitMs)) ms" }
                    .joined(separator: ", ") + " for them in each step")
        }
        lines.append(
            "hidden              \(percent(hiddenCommunicationShare)) of the communication, under "
                + "compute of the same node")
        return lines.joined(separator: "\n") + "\n"
    }
}

extension String {
    /// The text with spaces behind it, for a column of a table.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
