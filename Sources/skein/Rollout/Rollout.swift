import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore
import SkeinRollout
import SkeinTensor
import SkeinText
import SkeinWeights

/// Draws several completions of every prompt and judges them, for training by policy gradient.
struct Rollout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draws completions of prompts with log-probabilities, rewards and advantages.")

    @OptionGroup var model: ModelOption

    @Option(help: "Draw on this server, such as http://host:8080, in place of a model here.")
    var url: String?

    @OptionGroup var head: HeadOptions
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var contextOption: ContextOption
    @OptionGroup var asked: RolloutPromptOptions
    @OptionGroup var sampling: RolloutSamplingOptions
    @OptionGroup var rewards: RewardOptions
    @OptionGroup var log: LogOption

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What `--json` prints.
    struct Answer: Encodable {
        let file: String
        let report: RolloutTally.Report
        /// The kernels that ran.
        let isa = "\(Kernels.chosen)"

        private enum Key: String, CodingKey { case file, isa }

        /// The report's figures stand beside the rest, not in an object of their own.
        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var fields = encoder.container(keyedBy: Key.self)
            try fields.encode(file, forKey: .file)
            try fields.encode(isa, forKey: .isa)
        }
    }

    func validate() throws {
        guard let url else { return }
        guard model.path == nil else {
            throw ValidationError("expected at most one of --model and --url")
        }
        try HeadOptions.check(url: url)
    }

    func run() async throws {
        let bytes = try TextFile.bytes(asked.prompts)
        let prompts = try RolloutPrompt.read(bytes, subject: asked.prompts, fields: asked.fields)
        let judge = try RewardJudge(rewards, prompts: prompts, answerField: asked.answerField)
        defer { judge.close() }
        let work = Work(prompts: prompts, hash: SHA256.hex(of: bytes), judge: judge)
        let (file, tally, seconds) =
            if let url { try await drawOnServer(url, work) } else { try await drawHere(work) }
        let report = tally.report(
            completionsPerPrompt: asked.completionCount, promptCount: prompts.count,
            foundPromptCount: file.foundPromptCount, seconds: seconds)
        if json { return try Console.json(Answer(file: asked.out, report: report)) }
        try Console.standardOutput(report.text(file: asked.out))
    }

    /// What is to be done, wherever it is done.
    private struct Work: Sendable {
        let prompts: [RolloutPrompt]
        /// The SHA-256 of their file.
        let hash: String
        let judge: RewardJudge
    }

    private typealias Outcome = (file: RolloutFile, tally: RolloutTally, seconds: Double)

    /// Starts the model here; a file that is whole needs no cluster.
    private func drawHere(_ work: Work) async throws -> Outcome {
        let folder = try model.folder()
        let setup = try Tokenizer.fromFolder(folder)
        var prepared: [PreparedPrompt] = []
        for prompt in work.prompts {
            prepared.append(
                try PreparedPrompt(prompt, setup: setup, isThinking: asked.thinking == .on))
        }
        let checkpoint = try Checkpoint.open(folder)
        let longest = prepared.map(\.tokens.count).max() ?? 1
        let positions = try PositionBudget.check(
            promptCount: longest, newTokensMax: sampling.maxTokens, option: contextOption,
            configuration: checkpoint.configuration)
        let file = try open(
            work,
            drawnBy: [
                .init("model", .string(try checkpoint.fingerprint(of: layout.weights))),
                .init("positions", .integer(positions)),
                .init("latents", .string(layout.latents.rawValue)),
                .init("hop", .string(layout.hop.rawValue)),
            ])
        let start = ContinuousClock.now
        guard file.foundPromptCount < work.prompts.count else { return (file, RolloutTally(), 0) }
        let (settings, prompts) = (sampling.settings, prepared)
        let tally = try await EmbeddedRun(
            folder: folder, layout: layout,
            serving: layout.serving(
                positionCount: positions, pageCount: pageCount(positions, longest: longest)),
            log: log
        ).run { cluster in
            try await draw(
                from: EmbeddedSource(
                    prompts: prompts, setup: setup, coordinator: cluster.coordinator,
                    settings: settings), work, into: file)
        }
        return (file, tally, (ContinuousClock.now - start) / .seconds(1))
    }

    /// Asks a server that runs.
    private func drawOnServer(_ url: String, _ work: Work) async throws -> Outcome {
        let client = try head.client(
            of: try HeadAddress(parsing: url, subject: "--url"),
            connectionCount: asked.promptsAtOnce * asked.completionCount)
        let source = ServedSource(
            client: client, settings: sampling.settings, isThinking: asked.thinking == .on)
        do {
            let file = try open(
                work, drawnBy: [.init("model", .string(try await source.modelMark()))])
            let start = ContinuousClock.now
            let tally = try await draw(from: source, work, into: file)
            await client.close()
            return (file, tally, (ContinuousClock.now - start) / .seconds(1))
        } catch {
            await client.close()
            throw error
        }
    }

    private func draw(
        from source: any CompletionSource, _ work: Work, into file: RolloutFile
    ) async throws -> RolloutTally {
        let bar = ProgressBar(title: "rolling out")
        defer { bar.finish() }
        return try await RolloutRun(
            prompts: work.prompts, source: source, judge: work.judge, seed: sampling.seed,
            completionCount: asked.completionCount, promptsAtOnce: asked.promptsAtOnce,
            isThinking: asked.thinking == .on, advantages: rewards.advantages.form
        ).run(into: file) {
            bar.show(
                done: $0, total: work.prompts.count, whole: "\(work.prompts.count) prompts")
        }
    }

    private func open(
        _ work: Work, drawnBy source: [JSONValue.Member]
    ) throws(Refusal) -> RolloutFile {
        let file = try RolloutFile(
            path: asked.out, settings: settings(drawnBy: source, prompts: work.hash),
            completionCount: asked.completionCount, promptCount: work.prompts.count)
        sayWhatWasFound(in: file, promptCount: work.prompts.count)
        return file
    }

    private func sayWhatWasFound(in file: RolloutFile, promptCount: Int) {
        if file.foundPromptCount > 0 {
            Console.say(
                "\(asked.out): has the completions of \(file.foundPromptCount) of \(promptCount) "
                    + "prompts from an earlier run, and goes on")
        }
        if file.cutByteCount > 0 {
            Console.say(
                "\(asked.out): an earlier run broke off; \(file.cutByteCount) bytes of a prompt "
                    + "that was not written whole were cut off")
        }
    }

    /// Pages for every completion that runs at a time, and for the prompts that they share.
    private func pageCount(_ positions: Int, longest: Int) -> Int {
        let own = PageIndex.count(ofRows: positions) * asked.completionCount
        return asked.promptsAtOnce * (own + PageIndex.count(ofRows: longest))
    }

    /// What decides which bytes the file has.
    private func settings(
        drawnBy source: [JSONValue.Member], prompts: String
    ) -> RolloutSettings {
        RolloutSettings(
            source + [
                .init("prompts", .string(prompts)),
                .init("prompt_field", .string(asked.promptField)),
                .init("answer_field", .string(asked.answerField)),
                .init("group", .integer(asked.completionCount)),
                .init("thinking", .string(asked.thinking.rawValue)),
                .init("max_tokens", .integer(sampling.maxTokens)),
                .init("temperature", .number(sampling.temperature.description)),
                .init("top_p", .number(sampling.topP.description)),
                .init("top_k", .integer(sampling.topK)),
                .init("min_p", .number(sampling.minP.description)),
                .init("seed", .number(String(sampling.seed))),
                .init("stop", .array(sampling.stop.map { .string($0) })),
                .init("ignore_eos", .bool(sampling.ignoresEnd)),
                .init("reward", .array(rewards.judges.map { .string($0) })),
                .init("reward_weights", rewards.weightList.map { .string($0) } ?? .null),
                .init("pattern", rewards.pattern.map { .string($0) } ?? .null),
                .init("reward_seconds", .integer(rewards.seconds)),
                .init("reward_memory_gb", .number(rewards.memoryGB)),
                .init("advantages", .string(rewards.advantages.rawValue)),
            ])
    }
}

extension RolloutTally.Report {
    /// The report for people.
    ///
    /// - Parameter file: where the completions are.
    func text(file: String) -> String {
        var lines = [
            "\(file): \(prompts) prompts of \(completionsPerPrompt) completions, "
                + "\(promptsFound) of them from earlier runs"
        ]
        guard completions > 0 else { return lines[0] + "\n" }
        lines.append(
            String(
                format: "drawn         %d completions, %d tokens in %.1f s, %.1f tokens/s",
                completions, completionTokens, seconds, completionTokensPerSecond))
        lines.append("ended         \(stopped) by themselves, \(cut) at --max-tokens")
        lines.append(
            "prompt rows   \(promptRowsComputed) computed, \(promptRowsShared) shared "
                + "(\(promptTokens) tokens)")
        if let meanReward {
            lines.append(
                String(format: "rewards       mean %.4f; ", meanReward)
                    + "\(promptsWithEqualRewards) prompts with equal rewards")
        }
        if rewardsMissing > 0 {
            lines.append("missing       \(rewardsMissing) rewards: \(firstMissing ?? "")")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
