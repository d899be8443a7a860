import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinTensor
import SkeinText
import SkeinWeights

/// Runs prompts and reports how probable they are, with the model's inner values where wanted.
struct Score: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Scores prompts: log-likelihood, perplexity, and inner values where asked.")

    @OptionGroup var model: ModelOption
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var contextOption: ContextOption
    @OptionGroup var log: LogOption

    @Option(name: .customLong("text-file"), help: "A text to score, after the begin token.")
    var textFile: String?

    @Option(
        name: .customLong("tokens-json"), help: "{\"prompts\": [[ids...], ...]} to score.")
    var tokensFile: String?

    @Option(help: "Write logits and what is dumped to this safetensors file.")
    var out: String?

    @Option(help: "Also write hidden states or routes: hidden,router.")
    var dump: String?

    @Option(help: "Rows of a prefill chunk.")
    var chunk: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What is told of one prompt, and of all together.
    struct Likelihood: Encodable {
        var tokens: Int
        var negativeLogLikelihood: Double
        var perplexity: Double
        /// ln p of every token after the first; of the prompts, not of the total.
        var tokenLogprobs: [Float]?

        init(tokens: Int, negativeLogLikelihood: Double, tokenLogprobs: [Float]? = nil) {
            self.tokens = tokens
            self.negativeLogLikelihood = negativeLogLikelihood
            // The first token has no prediction; a prompt of one token has perplexity 1.
            perplexity = tokens > 0 ? exp(negativeLogLikelihood / Double(tokens)) : 1
            self.tokenLogprobs = tokenLogprobs
        }
    }

    /// What `--json` prints.
    struct Answer: Encodable {
        let prompts: [Likelihood]
        let total: Likelihood
        /// The kernels that ran.
        let isa = "\(Kernels.chosen)"
    }

    func validate() throws {
        guard (textFile == nil) != (tokensFile == nil) else {
            throw ValidationError("expected one of --text-file and --tokens-json")
        }
        _ = try capture
        guard dump == nil || out != nil else {
            throw ValidationError("--dump: needs --out to write to")
        }
        if let chunk, !(1...Limits.microBatchRowsMax).contains(chunk) {
            throw ValidationError(
                "--chunk: expected 1 to \(Limits.microBatchRowsMax), found \(chunk)")
        }
    }

    private var capture: Capture {
        get throws {
            var capture: Capture = out == nil ? [] : [.logits]
            for word in (dump ?? "").split(separator: ",") {
                switch word {
                case "hidden": capture.insert(.hidden)
                case "router": capture.insert(.router)
                default:
                    throw ValidationError("--dump: expected hidden or router, found \(word)")
                }
            }
            return capture
        }
    }

    func run() async throws {
        let folder = try model.folder()
        let prompts = try prompts(folder: folder)
        let configuration = try Checkpoint.open(folder).configuration
        let longest = prompts.map(\.count).max() ?? 1
        let positions = try PositionBudget.check(
            promptCount: longest, option: contextOption,
            configuration: configuration)
        let capture = try capture
        var serving = layout.serving(
            positionCount: positions, sequenceCount: min(prompts.count, 16))
        serving.prefillRowsMax = max(chunk ?? 0, serving.prefillRowsMax)
        let answer = try await EmbeddedRun(
            folder: folder, layout: layout, serving: serving, log: log
        ).run { cluster in
            try await score(prompts, on: cluster, capture: capture)
        }
        if json { return try Console.json(answer) }
        for (index, prompt) in answer.prompts.enumerated() where answer.prompts.count > 1 {
            try Console.standardOutput("prompt \(index): \(prompt.line)\n")
        }
        try Console.standardOutput("total: \(answer.total.line)\n")
    }

    /// Runs prompts side by side, as many as the cluster's queue holds; the schedule decides how
    /// many of them at a time.
    private func score(
        _ prompts: [[TokenID]], on cluster: EmbeddedCluster, capture: Capture
    ) async throws -> Answer {
        let scores = try await withThrowingTaskGroup(of: (Int, PromptScore).self) { group in
            var scores = [PromptScore](repeating: PromptScore(), count: prompts.count)
            for (index, prompt) in prompts.enumerated() {
                if index >= Limits.microBatchSpansMax, let (done, score) = try await group.next() {
                    scores[done] = score
                }
                group.addTask {
                    let request = GenerationRequest(
                        promptTokens: prompt, newTokensMax: 0, scoresPrompt: prompt.count > 1,
                        capture: capture, chunkRowCount: chunk)
                    let (_, events) = try await cluster.coordinator.submit(request)
                    var score = PromptScore()
                    for try await event in events { score.take(event) }
                    return (index, score)
                }
            }
            for try await (index, score) in group { scores[index] = score }
            return scores
        }
        if let out {
            let entries = scores.enumerated().flatMap { $1.entries(prompt: $0) }
            try SafetensorsWriter.write(entries, to: out)
        }
        let prompts = scores.map {
            Likelihood(
                tokens: $0.logprobs.count, negativeLogLikelihood: $0.negativeLogLikelihood,
                tokenLogprobs: $0.logprobs)
        }
        let total = Likelihood(
            tokens: prompts.reduce(0) { $0 + $1.tokens },
            negativeLogLikelihood: prompts.reduce(0) { $0 + $1.negativeLogLikelihood })
        return Answer(prompts: prompts, total: total)
    }

    private func prompts(folder: String) throws -> [[TokenID]] {
        if let tokensFile { return try PromptsFile.read(tokensFile) }
        guard let textFile else { return [] }
        let setup = try Tokenizer.fromFolder(folder)
        return [setup.completionPrompt(try TextFile.read(textFile))]
    }
}

extension Score.Likelihood {
    var line: String {
        let perToken = tokens > 0 ? negativeLogLikelihood / Double(tokens) : 0
        return String(
            format: "%d tokens, %.5f nats a token, perplexity %.4f", tokens, perToken, perplexity)
    }
}

/// What comes back for one prompt.
struct PromptScore: Sendable {
    private(set) var logprobs: [Float] = []
    private var captured: [CapturedKind: [CapturedTensor]] = [:]

    mutating func take(_ event: GenerationEvent) {
        switch event {
        case .scored(let scores): logprobs += scores.map(\.logprob)
        case .captured(let tensor): captured[tensor.kind, default: []].append(tensor)
        case .began, .token, .drafted, .finished: break
        }
    }

    var negativeLogLikelihood: Double { logprobs.reduce(0) { $0 - Double($1) } }

    /// The tensors by the names that others script against.
    func entries(prompt: Int) -> [SafetensorsWriter.Entry] {
        captured.map { kind, parts in
            let name =
                switch kind {
                case .logits: "logits.\(prompt)"
                case .hidden(let layer): "hidden.\(prompt).\(layer.rawValue)"
                case .finalHidden: "hidden.\(prompt).final"
                case .routerIndexes(let layer): "router.indices.\(prompt).\(layer.rawValue)"
                case .routerWeights(let layer): "router.weights.\(prompt).\(layer.rawValue)"
                }
            let isIndex = if case .routerIndexes = kind { true } else { false }
            return SafetensorsWriter.Entry(
                name: name, elementType: isIndex ? .i32 : .f32,
                shape: [parts.reduce(0) { $0 + $1.rowCount }, parts[0].columnCount],
                bytes: parts.flatMap(\.bytes))
        }
        .sorted { $0.name < $1.name }
    }
}
