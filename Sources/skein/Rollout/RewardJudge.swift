import Foundation
import Logging
import SkeinCluster
import SkeinCore
import SkeinRollout

/// Gives completions their rewards: by the row's answer, by a command, or by several of them.
struct RewardJudge: Sendable {
    /// One that judges.
    private enum Judge: Sendable {
        /// A check for each row.
        case checks([AnswerCheck])
        case command(RewardCommand)
    }

    private let judges: [Judge]
    private let weights: RewardWeights
    private let turns: CommandTurns
    private let folder: TemporaryFolder?

    /// What judges said of one completion.
    struct Verdict: Sendable {
        /// What it is worth; `nil` where nobody could say.
        var reward: Double?
        /// What each gave, where there are several.
        var rewards: [Double?]?
        /// Why some gave nothing.
        var missing: [String] = []
    }

    /// Prepares the judges; every row must say what its checks need.
    init(_ options: RewardOptions, prompts: [RolloutPrompt], answerField: String) throws(Refusal) {
        var judges: [Judge] = []
        let isCommanding = options.judges.contains { RewardOptions.kind($0) == nil }
        let folder = isCommanding ? try TemporaryFolder(prefix: "skein-rewards") : nil
        let isolation = isCommanding ? CommandIsolation.find() : .none
        if isCommanding, !isolation.hidesNetwork {
            Console.say(
                "--reward: this kernel gives no network namespace, so the command reaches the "
                    + "network", level: .warning)
        }
        let bounds = RewardCommand.Bounds(
            time: .seconds(options.seconds), memoryBytes: Int(options.memoryGB * 1e9))
        for judge in options.judges {
            if let kind = RewardOptions.kind(judge) {
                judges.append(
                    .checks(try Self.checks(kind, options, prompts, answerField: answerField)))
            } else {
                judges.append(
                    .command(
                        RewardCommand(
                            judge, bounds: bounds, isolation: isolation,
                            folder: folder?.path ?? "")))
            }
        }
        self.judges = judges
        weights = options.weights ?? RewardWeights(judges.map { _ in 1 })
        turns = CommandTurns(
            count: options.commandCount ?? ProcessInfo.processInfo.activeProcessorCount)
        self.folder = folder
    }

    private static func checks(
        _ kind: AnswerCheck.Kind, _ options: RewardOptions, _ prompts: [RolloutPrompt],
        answerField: String
    ) throws(Refusal) -> [AnswerCheck] {
        let pattern = kind == .regex ? options.pattern.map { JSONValue.string($0) } : nil
        var checks: [AnswerCheck] = []
        for prompt in prompts {
            let place = pattern == nil ? "\(prompt.place): \(answerField)" : "--pattern"
            checks.append(try AnswerCheck(kind, expected: pattern ?? prompt.expected, place: place))
        }
        return checks
    }

    /// What a completion is worth.
    ///
    /// - Parameter answer: the text, without thinking.
    func judge(
        _ completion: RolloutCompletion, answer: String, to prompt: RolloutPrompt
    ) async throws -> Verdict {
        var verdict = Verdict()
        var rewards: [Double?] = []
        for judge in judges {
            switch judge {
            case .checks(let checks):
                rewards.append(checks[completion.promptIndex].reward(of: answer))
            case .command(let command):
                switch try await outcome(of: command, completion, answer: answer, to: prompt) {
                case .reward(let reward): rewards.append(reward)
                case .missing(let reason):
                    rewards.append(nil)
                    verdict.missing.append(reason)
                }
            }
        }
        verdict.reward = weights.total(of: rewards)
        if judges.count > 1 { verdict.rewards = rewards }
        return verdict
    }

    private func outcome(
        of command: RewardCommand, _ completion: RolloutCompletion, answer: String,
        to prompt: RolloutPrompt
    ) async throws -> RewardCommand.Outcome {
        let input = JSONValue.object([
            JSONValue.Member("prompt_index", .integer(completion.promptIndex)),
            .init("completion_index", .integer(completion.completionIndex)),
            .init("prompt", completion.prompt), .init("completion", completion.completion),
            .init("answer", .string(answer)),
            .init("finish_reason", .string(completion.finishReason.rawValue)),
            .init("row", prompt.row),
        ])
        await turns.begin()
        do {
            let outcome = try await command.outcome(of: input)
            await turns.end()
            return outcome
        } catch {
            await turns.end()
            throw error
        }
    }

    /// Removes what commands needed.
    func close() { folder?.remove() }
}

/// Lets some commands run at a time; the others wait, first come first served.
private actor CommandTurns {
    private var freeCount: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(count: Int) { freeCount = count }

    /// Waits for a turn.
    ///
    /// Who is cancelled gets a turn, too, and gives it back at once.
    func begin() async {
        guard freeCount == 0 else {
            freeCount -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func end() {
        guard waiting.isEmpty else { return waiting.removeFirst().resume() }
        freeCount += 1
    }
}
