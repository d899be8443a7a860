// The options of `skein rollout`, by what they decide: what is asked, how, and what it is worth.
import ArgumentParser
import SkeinCore
import SkeinRollout

/// What is asked, and where the answers go.
struct RolloutPromptOptions: ParsableArguments {
    @Option(help: "The prompts: a JSON object a line, with a text or a list of messages.")
    var prompts: String

    @Option(help: "Write a JSON object for each completion to this file, or go on with it.")
    var out: String

    @Option(
        name: .customLong("group"),
        help: "Completions of each prompt, whose rewards are compared.")
    var completionCount = 8

    @Option(
        name: .customLong("prompts-at-once"),
        help: "Prompts that are worked on at a time; more of them fill the machine better.")
    var promptsAtOnce = 4

    @Option(
        name: .customLong("prompt-field"), help: "The field of a row that holds the prompt.")
    var promptField = "prompt"

    @Option(
        name: .customLong("answer-field"),
        help: "The field of a row that answers are compared with.")
    var answerField = "answer"

    @Option(help: "Whether the model thinks before it answers messages: on or off.")
    var thinking = Generate.Switch.off

    var fields: RolloutPrompt.Fields { .init(prompt: promptField, answer: answerField) }

    func validate() throws {
        let most = Limits.microBatchSpansMax
        guard (1...most).contains(completionCount) else {
            throw ValidationError("--group: expected 1 to \(most), found \(completionCount)")
        }
        // The queue of the schedule, and a micro-batch, hold as many.
        guard promptsAtOnce >= 1, promptsAtOnce * completionCount <= most else {
            throw ValidationError(
                "--prompts-at-once: expected at least 1, and at most \(most) completions at once, "
                    + "found \(promptsAtOnce) prompts of \(completionCount)")
        }
    }
}

/// How tokens are drawn: by the model's own distribution, where nothing else is said.
struct RolloutSamplingOptions: ParsableArguments {
    @Option(name: .customLong("max-tokens"), help: "Tokens of a completion at most.")
    var maxTokens = 512

    @Option(help: "Divides the logits; 0 is greedy.")
    var temperature: Float = 1

    @Option(name: .customLong("top-p"), help: "Keep the most probable tokens up to this sum.")
    var topP: Float = 1

    @Option(name: .customLong("top-k"), help: "Keep this many most probable tokens; 0 keeps all.")
    var topK = 0

    @Option(name: .customLong("min-p"), help: "Drop tokens below this share of the best.")
    var minP: Float = 0

    @Option(help: "Every completion's seed follows from this one and from its place.")
    var seed: UInt64 = 0

    @Option(help: "Stop before this text (may be repeated).")
    var stop: [String] = []

    @Flag(name: .customLong("ignore-eos"), help: "Go on after the end-of-text token.")
    var ignoresEnd = false

    func validate() throws {
        try check(maxTokens >= 1, "--max-tokens", "at least 1")
        try check(temperature >= 0 && temperature <= 100, "--temperature", "0 to 100")
        try check(topP > 0 && topP <= 1, "--top-p", "more than 0 and at most 1")
        try check(topK >= 0, "--top-k", "at least 0")
        try check(minP >= 0 && minP <= 1, "--min-p", "0 to 1")
        try check(
            stop.count <= Limits.stopStringsMax && !stop.contains(""), "--stop",
            "at most \(Limits.stopStringsMax) texts, none empty")
    }

    /// How completions are drawn.
    var settings: DrawSettings {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.topP = topP
        parameters.topK = topK
        parameters.minP = minP
        parameters.topLogprobsCount = 0
        return DrawSettings(
            newTokensMax: maxTokens, sampling: parameters, stop: stop, ignoresEnd: ignoresEnd)
    }

    private func check(_ isFine: Bool, _ name: String, _ expected: String) throws {
        if !isFine { throw ValidationError("\(name): expected \(expected)") }
    }
}

/// What a completion is worth.
struct RewardOptions: ParsableArguments {
    @Option(
        name: .customLong("reward"),
        help: ArgumentHelp(
            "exact, numeric, regex or json, by the row's answer; or a command that judges (may be "
                + "repeated).", valueName: "kind|command"))
    var judges: [String] = []

    @Option(
        name: .customLong("reward-weights"),
        help: "What several rewards count in their sum: numbers with commas (default: 1 each).")
    var weightList: String?

    @Option(help: "The regular expression of all rows, for --reward regex.")
    var pattern: String?

    @Option(
        name: .customLong("reward-seconds"), help: "Seconds that a command has for a completion.")
    var seconds = 10

    @Option(
        name: .customLong("reward-memory-gb"),
        help: "Gigabytes of address space that a command may have.")
    var memoryGB = 4.0

    @Option(
        name: .customLong("reward-commands"),
        help: "Commands that run at a time (default: one for each core).")
    var commandCount: Int?

    @Option(help: "How rewards become advantages: trl, verl or dr-grpo.")
    var advantages = NamedAdvantages.trl

    /// The conventions, by the names of those who set them.
    enum NamedAdvantages: String, ExpressibleByArgument {
        case trl, verl
        case drGRPO = "dr-grpo"

        var form: AdvantageForm {
            switch self {
            case .trl: .trl
            case .verl: .verl
            case .drGRPO: .drGRPO
            }
        }
    }

    /// The checker of that name; `nil` where a command is meant.
    static func kind(_ judge: String) -> AnswerCheck.Kind? { AnswerCheck.Kind(rawValue: judge) }

    /// What each reward counts; `nil` where the list is not one number for each.
    var weights: RewardWeights? {
        guard let weightList else {
            return RewardWeights([Double](repeating: 1, count: judges.count))
        }
        let numbers = weightList.split(separator: ",", omittingEmptySubsequences: false)
            .compactMap { Double($0) }.filter(\.isFinite)
        let isWhole = numbers.count == weightList.count { $0 == "," } + 1
        return isWhole && numbers.count == judges.count ? RewardWeights(numbers) : nil
    }

    func validate() throws {
        guard pattern == nil || judges.contains(AnswerCheck.Kind.regex.rawValue) else {
            throw ValidationError("--pattern: needs --reward regex")
        }
        guard (1...86_400).contains(seconds) else {
            throw ValidationError("--reward-seconds: expected 1 to 86400, found \(seconds)")
        }
        guard memoryGB >= 0.01, memoryGB <= 1_000_000 else {
            throw ValidationError("--reward-memory-gb: expected 0.01 to 1000000, found \(memoryGB)")
        }
        if let commandCount, !(1...Limits.threadsMax).contains(commandCount) {
            throw ValidationError(
                "--reward-commands: expected 1 to \(Limits.threadsMax), found \(commandCount)")
        }
        guard weights != nil else {
            throw ValidationError(
                "--reward-weights: expected a number for each of \(judges.count) rewards, found "
                    + "\(weightList ?? "")")
        }
        for judge in judges { try Self.check(judge) }
    }

    private static func check(_ judge: String) throws {
        let kinds = AnswerCheck.Kind.allCases.map(\.rawValue)
        guard !judge.isEmpty else {
            throw ValidationError(
                "--reward: expected \(kinds.joined(separator: ", ")) or a command")
        }
        // A single word that is nearly a checker's name is no command that somebody has.
        if kind(judge) == nil, judge.allSatisfy(\.isLetter),
            let near = NearName.of(judge, among: kinds)
        {
            throw ValidationError("--reward: found '\(judge)', did you mean '\(near)'?")
        }
    }
}
