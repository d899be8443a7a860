public import ArgumentParser
import Foundation
import SkeinCluster
public import SkeinCore
import SkeinWeights

/// Where the model lies.
struct ModelOption: ParsableArguments {
    @Option(
        name: .customLong("model"),
        help: "Checkpoint folder in Hugging Face form (default: the bundled gosling).")
    var option: String?

    @Argument(help: ArgumentHelp("The same as --model.", valueName: "folder"))
    var argument: String?

    /// The folder that was asked for.
    var path: String? { option ?? argument }

    func validate() throws {
        guard option == nil || argument == nil else {
            throw ValidationError(
                "expected one model, found --model \(option ?? "") and \(argument ?? "")")
        }
    }

    /// The folder to open: the one asked for, else the bundled model's.
    func folder() throws(Refusal) -> String {
        guard let path else { return try BundledModel.folder() }
        try Checkpoint.checkFolder(path)
        return path
    }
}

/// How a model is laid out on this machine.
struct LayoutOptions: ParsableArguments {
    @Option(help: "Nodes that share the layers.")
    var stages = 1

    @Option(help: "How slices lie on nodes: linear or vfold.")
    var placement: PlacementKind = .linear

    @Option(help: "Expert hosts beside the stages.")
    var experts = 0

    @Flag(help: "Each node its own process, over ZeroMQ on loopback.")
    var processes = false

    @Option(help: "Compute threads of each process (default: all cores).")
    var threads: Int?

    @Option(help: "In which form weights are kept in memory: native or int8.")
    var weights: WeightForm = .native

    @Option(
        name: .customLong("packed-cache"),
        help: "Folder that keeps packed weights, so that the next start maps them.")
    var packedCache: String?

    @Option(help: "In which form the latent cache keeps its rows: bf16 or fp8.")
    var latents: LatentForm = .bf16

    @Option(help: "How activations travel between stages: bf16 or fp8.")
    var hop: RowForm = .bf16

    @Option(help: "Tokens that the model's prediction layer guesses ahead: off, auto or 1 to 4.")
    var speculation: Speculation = .auto

    func validate() throws {
        guard (1...Limits.nodesMax).contains(stages) else {
            throw ValidationError("--stages: expected 1 to \(Limits.nodesMax), found \(stages)")
        }
        guard (0...Limits.nodesMax - stages).contains(experts) else {
            throw ValidationError(
                "--experts: expected 0 to \(Limits.nodesMax - stages), found \(experts)")
        }
        if let threads, !(1...Limits.threadsMax).contains(threads) {
            throw ValidationError(
                "--threads: expected 1 to \(Limits.threadsMax), found \(threads)")
        }
    }

    /// How a cluster serves by these options.
    func serving(positionCount: Int, pageCount: Int) -> ServingSettings {
        var settings = ServingSettings(positionCount: positionCount, pageCount: pageCount)
        settings.weightForm = weights
        settings.latentForm = latents
        settings.hopForm = hop
        settings.speculation = speculation
        settings.packedCachePath = packedCache.map {
            URL(fileURLWithPath: $0).standardizedFileURL.path
        }
        return settings
    }

    /// The same, with a latent cache for so many sequences of full length.
    func serving(positionCount: Int, sequenceCount: Int = 1) -> ServingSettings {
        let pages = PageIndex.count(ofRows: positionCount) * sequenceCount
        return serving(positionCount: positionCount, pageCount: pages)
    }

    /// The cluster that these options make.
    func layout(_ serving: ServingSettings) -> ClusterLayout {
        ClusterLayout(
            nodeCount: stages, expertHostCount: experts, kind: placement,
            usesProcesses: processes, threadCount: threads, serving: serving)
    }
}

extension PlacementKind: ExpressibleByArgument {}

extension WeightForm: ExpressibleByArgument {}

extension LatentForm: ExpressibleByArgument {}

extension RowForm: ExpressibleByArgument {}

extension Speculation: ExpressibleByArgument {}

/// How tokens are drawn; names and meanings as in the HTTP API.
struct SamplingOptions: ParsableArguments {
    @Option(name: .customLong("max-tokens"), help: "Tokens to produce at most.")
    var maxTokens: Int?

    @Option(help: "Divides the logits; 0 is greedy (default: the model's own).")
    var temperature: Float?

    @Option(name: .customLong("top-p"), help: "Keep the most probable tokens up to this sum.")
    var topP: Float?

    @Option(name: .customLong("top-k"), help: "Keep this many most probable tokens; 0 keeps all.")
    var topK: Int?

    @Option(name: .customLong("min-p"), help: "Drop tokens below this share of the best.")
    var minP: Float = 0

    @Option(help: "Seed of the random numbers.")
    var seed: UInt64 = 0

    @Option(name: .customLong("presence-penalty"), help: "Subtracted from tokens produced before.")
    var presencePenalty: Float = 0

    @Option(
        name: .customLong("frequency-penalty"),
        help: "Subtracted for each time a token was produced.")
    var frequencyPenalty: Float = 0

    @Option(
        name: .customLong("repetition-penalty"), help: "Divides the logits of tokens seen before.")
    var repetitionPenalty: Float = 1

    @Option(name: .customLong("stop"), help: "Stop before this text (may be repeated).")
    var stop: [String] = []

    @Option(name: .customLong("logprobs"), help: "Report this many alternatives per token.")
    var logprobs: Int?

    @Flag(name: .customLong("ignore-eos"), help: "Go on after the end-of-text token.")
    var ignoresEnd = false

    func validate() throws {
        try check(maxTokens.map { $0 >= 1 }, "--max-tokens", "at least 1")
        try check(temperature.map { $0 >= 0 && $0 <= 100 }, "--temperature", "0 to 100")
        try check(topP.map { $0 > 0 && $0 <= 1 }, "--top-p", "more than 0 and at most 1")
        try check(topK.map { $0 >= 0 }, "--top-k", "at least 0")
        try check(minP >= 0 && minP <= 1, "--min-p", "0 to 1")
        try check(abs(presencePenalty) <= 100, "--presence-penalty", "-100 to 100")
        try check(abs(frequencyPenalty) <= 100, "--frequency-penalty", "-100 to 100")
        try check(
            repetitionPenalty > 0 && repetitionPenalty <= 100, "--repetition-penalty",
            "more than 0 and at most 100")
        try check(
            logprobs.map { (0...Limits.topLogprobsMax).contains($0) }, "--logprobs",
            "0 to \(Limits.topLogprobsMax)")
        try check(
            stop.count <= Limits.stopStringsMax && !stop.contains(""), "--stop",
            "at most \(Limits.stopStringsMax) texts, none empty")
    }

    private func check(_ isFine: Bool?, _ name: String, _ expected: String) throws {
        if isFine == false { throw ValidationError("\(name): expected \(expected)") }
    }
}
