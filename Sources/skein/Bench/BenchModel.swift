import ArgumentParser
import Foundation
import SkeinBench
import SkeinCluster
import SkeinCore
import SkeinTensor
import SkeinWeights

/// Measures a model's prefill and decode, beside what the machine can do at most.
struct BenchModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Measures prefill and decode, beside read bandwidth and multiply-add peaks of "
            + "the same run. --context sets the positions that are in the cache when decode "
            + "begins.")

    @OptionGroup var model: ModelOption
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var log: LogOption

    @Option(
        name: .customLong("prompt-tokens"),
        help: "Tokens of the prompt whose prefill is timed; 0 for none.")
    var promptTokens = 512

    @Option(name: .customLong("new-tokens"), help: "Tokens that each stream produces.")
    var newTokens = 32

    @Option(name: .customLong("batch"), help: "Streams that decode together.")
    var streams = 1

    @Option(
        name: .customLong("context"),
        help: "Positions in the latent cache of each stream when decode begins.")
    var cachedPositions = 32

    @Option(help: "Seed of the prompts' random tokens.")
    var seed: UInt64 = 0

    @OptionGroup var required: BenchThresholdOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...Limits.microBatchSpansMax).contains(streams) else {
            throw ValidationError("--batch: expected 1 to \(Limits.microBatchSpansMax)")
        }
        guard (0...Limits.positionsMax).contains(promptTokens) else {
            throw ValidationError("--prompt-tokens: expected 0 to \(Limits.positionsMax)")
        }
        guard (1...Limits.positionsMax).contains(cachedPositions) else {
            throw ValidationError("--context: expected 1 to \(Limits.positionsMax)")
        }
        guard (16...Limits.positionsMax).contains(newTokens) else {
            throw ValidationError("--new-tokens: expected 16 to \(Limits.positionsMax)")
        }
    }

    func run() async throws {
        let began = ContinuousClock.now
        let folder = try model.folder()
        let checkpoint = try Checkpoint.open(folder)
        let load = ModelBench.Load(
            promptTokenCount: promptTokens, newTokenCount: newTokens, streamCount: streams,
            contextCount: cachedPositions, seed: seed)
        guard load.positionCount <= checkpoint.configuration.positionCountMax else {
            throw Refusal(
                "--prompt-tokens, --new-tokens and --context",
                "ask for \(load.positionCount) positions, the model's context has "
                    + "\(checkpoint.configuration.positionCountMax)")
        }
        let positions = min(
            load.positionCountWanted, checkpoint.configuration.positionCountMax)
        var serving = layout.serving(positionCount: positions, sequenceCount: streams)
        serving.prefillRowsMax = max(min(promptTokens, 512), serving.prefillRowsMax)
        serving.reusesPrefixes = false
        let bounds = try required.bounds()
        let cost = try ModelCost(checkpoint, as: layout.weights, latents: layout.latents)
        let (form, latents, threads) = (layout.weights, layout.latents, layout.threads)
        let (report, misses) = try await EmbeddedRun(
            folder: folder, layout: layout, serving: serving, log: log
        ).run { cluster in
            let loadSeconds = (ContinuousClock.now - began) / .seconds(1)
            let bench = ModelBench(
                coordinator: cluster.coordinator,
                vocabularySize: cluster.configuration.vocabularySize, positionCountMax: positions,
                load: load)
            return try await bounds.measure { _ in
                let findings = try await bench.run { Console.standardError($0) }
                let peakBytes = MachineMemory.now().peakResidentBytes
                let pool = ComputePool(threadCount: threads ?? ClusterLayout.coreCount)
                return ModelReport(
                    load: load, findings: findings, cost: cost, limits: MeasuredLimits(on: pool),
                    form: form, latents: latents, pool: pool, loadSeconds: loadSeconds,
                    peakResidentBytes: peakBytes)
            }
        }
        if json {
            try Console.json(report)
        } else {
            try Console.standardOutput(report.text)
        }
        try bounds.check(misses)
    }
}

extension ModelReport {
    /// The report for people.
    var text: String {
        func giga(_ value: Double) -> String { String(format: "%.1f", value / 1e9) }
        func percent(_ value: Double) -> String { String(format: "%.1f %%", value * 100) }
        func rate(_ value: Double) -> String { String(format: "%.1f tokens/s", value) }
        var lines: [String] = []
        if let prefillTokensPerSecond, let prefillFlopsPerToken, let prefillShareOfPeak {
            lines.append(
                "prefill of \(promptTokens)".padded(to: 22) + rate(prefillTokensPerSecond) + ", "
                    + giga(prefillTokensPerSecond * prefillFlopsPerToken) + " GFLOP/s, "
                    + percent(prefillShareOfPeak) + " of the peak")
        }
        lines += [
            "decode of \(streams) at \(contextPositions)".padded(to: 22)
                + rate(decodeTokensPerSecond) + ", "
                + giga(decodeTokensPerSecond * decodeBytesPerToken) + " GB/s, "
                + percent(decodeShareOfBandwidth) + " of the bandwidth, "
                + percent(decodeShareOfLimit) + " of the limit",
            "a decoded token".padded(to: 22) + giga(decodeBytesPerToken) + " GB, "
                + giga(decodeFlopsPerToken) + " GFLOP, "
                + String(format: "%.1f experts a layer", expertsTouchedPerLayer),
            "limits".padded(to: 22) + giga(readBandwidthBytesPerSecond) + " GB/s; GFLOP/s: "
                + giga(multiplyAddPeakFlops.f32) + " F32, " + giga(multiplyAddPeakFlops.bf16)
                + " BF16, " + giga(multiplyAddPeakFlops.int8) + " INT8 (\(isa), "
                + "\(threads) threads)",
            "memory".padded(to: 22) + "\(ByteText(peakResidentBytes)) at most, \(weights) weights, "
                + "\(latents) latents, "
                + String(format: "loaded in %.1f s", loadSeconds),
        ]
        return lines.joined(separator: "\n") + "\n"
    }
}
