import ArgumentParser
import Foundation
import Logging
import SkeinCluster
import SkeinCore
import SkeinReference
import SkeinRollout
import SkeinText
import SkeinWeights

/// Measures a model, and what each form in which it can be run costs in exactness.
struct Eval: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a model on questions and a text, in several forms, against float32.")

    @OptionGroup var model: ModelOption

    @Option(help: "Measure this server, such as http://host:8080, in place of a model here.")
    var url: String?

    @OptionGroup var head: HeadOptions
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var contextOption: ContextOption
    @OptionGroup var log: LogOption

    @Option(help: "Questions: a JSON object a line, with a question and its answer.")
    var questions: String?

    @Option(name: .customLong("text-file"), help: "A text whose perplexity is measured.")
    var textFile: String?

    @Option(help: "The forms, with commas between them (default: all that the model has).")
    var forms: String?

    @Option(name: .customLong("question-field"), help: "The field of a row that asks.")
    var questionField = "question"

    @Option(help: "How answers are judged where a row does not say: exact, numeric or choice.")
    var kind = "exact"

    @Option(name: .customLong("max-tokens"), help: "Tokens of an answer at most.")
    var maxTokens = 256

    @Option(name: .customLong("text-tokens"), help: "Tokens of the text that are taken at most.")
    var textTokensMax = 2_048

    @Option(name: .customLong("window"), help: "Tokens of the text that are scored in one piece.")
    var windowCount = 512

    @Option(help: "Write the results to this file, as lm_eval does.")
    var out: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard questions != nil || textFile != nil else {
            throw ValidationError("expected --questions, --text-file or both")
        }
        if let url {
            guard model.path == nil else {
                throw ValidationError("expected at most one of --model and --url")
            }
            guard forms == nil else {
                throw ValidationError("--forms: a server has the one that it runs")
            }
            try HeadOptions.check(url: url)
        }
        guard ["exact", "numeric", "regex", "json", "choice"].contains(kind) else {
            throw ValidationError("--kind: expected exact, numeric or choice, found \(kind)")
        }
        guard maxTokens >= 1, textTokensMax >= 2, windowCount >= 2 else {
            throw ValidationError(
                "expected --max-tokens of 1 at least, --text-tokens and --window of 2 at least")
        }
    }

    func run() async throws {
        var work = EvalWork()
        var skipped: [Refusal] = []
        if let questions {
            let reading = try EvalQuestion.read(
                try TextFile.bytes(questions), subject: questions, field: questionField,
                kind: kind)
            work.questions = reading.questions
            skipped = reading.skipped
            for line in skipped.prefix(5) { Console.say("left out: \(line)", level: .warning) }
        }
        let start = ContinuousClock.now
        let columns: [EvalColumn]
        let subject: String
        if let url {
            subject = url
            (columns, work) = try await measureServer(url, work)
        } else {
            subject = try model.folder()
            (columns, work) = try await measureHere(subject, work)
        }
        let report = EvalReport(
            model: subject, work: work, skippedCount: skipped.count,
            seconds: (ContinuousClock.now - start) / .seconds(1), columns: columns)
        if let out {
            let text = HarnessResults.value(of: report, date: .now).text + "\n"
            do {
                try Data(text.utf8).write(to: URL(filePath: out), options: .atomic)
            } catch {
                throw Refusal(out, "cannot be written: \(error.localizedDescription)")
            }
        }
        if json { return try Console.json(report) }
        try Console.standardOutput(report.table)
    }

    /// How answers are drawn.
    private var settings: DrawSettings {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        return DrawSettings(newTokensMax: maxTokens, sampling: sampling)
    }

    /// One form after the other, the yardstick first.
    private func measureHere(
        _ folder: String, _ asked: EvalWork
    ) async throws -> ([EvalColumn], EvalWork) {
        var work = asked
        let setup = try Tokenizer.fromFolder(folder)
        let checkpoint = try Checkpoint.open(folder)
        let chosen =
            if let forms { try EvalForm.list(forms, of: checkpoint.configuration) } else {
                EvalForm.all(of: checkpoint.configuration)
            }
        let prepared = try Self.prepared(&work, setup)
        let bound = try checkpoint.configuration.contextLength(contextOption.positionCount)
        if let textFile {
            work.windows = EvalWork.windows(
                setup.tokenizer.encode(try TextFile.read(textFile), matchingAddedTokens: false),
                begin: setup.beginToken, windowCount: min(windowCount, bound),
                tokensMax: textTokensMax)
        }
        let positions = try PositionBudget.check(
            promptCount: work.longest, newTokensMax: maxTokens, option: contextOption,
            configuration: checkpoint.configuration)
        let hasYardstick = chosen.contains(.float32) && !work.windows.isEmpty
        let run = EvalRun(work: work, yardstick: hasYardstick ? try YardstickFile() : nil)
        var columns: [EvalColumn] = []
        for form in chosen.filter({ $0 == .float32 }) + chosen.filter({ $0 != .float32 }) {
            let bar = ProgressBar(title: form.rawValue)
            if let reference = form.reference(checkpoint) {
                columns.append(
                    try run.column(form, of: reference) {
                        bar.show(done: $0, total: $1, whole: "\($1) layers")
                    })
            } else {
                columns.append(
                    try await column(form, run, prepared, setup, folder, positions, bar))
            }
            bar.finish()
        }
        return (columns, work)
    }

    private func column(
        _ form: EvalForm, _ run: EvalRun, _ prepared: [PreparedPrompt], _ setup: TextSetup,
        _ folder: String, _ positions: Int, _ bar: ProgressBar
    ) async throws -> EvalColumn {
        let layout = form.layout(layout)
        let (settings, questions) = (settings, run.work.questions)
        return try await EmbeddedRun(
            folder: folder, layout: layout,
            serving: layout.serving(positionCount: positions, sequenceCount: 16), log: log
        ).run { cluster in
            try await run.column(
                form.rawValue,
                of: EmbeddedSubject(
                    coordinator: cluster.coordinator,
                    source: EmbeddedSource(
                        prompts: prepared, setup: setup, coordinator: cluster.coordinator,
                        settings: settings), questions: questions), wantsLogits: true
            ) { bar.show(done: $0, total: $1, whole: "\($1) parts") }
        }
    }

    /// Puts questions and choices into tokens.
    private static func prepared(
        _ work: inout EvalWork, _ setup: TextSetup
    ) throws(Refusal) -> [PreparedPrompt] {
        var prepared: [PreparedPrompt] = []
        for question in work.questions {
            let prompt = try PreparedPrompt(
                question.asked(inChat: setup.chatFormat != nil), setup: setup,
                isThinking: question.isThinking)
            prepared.append(prompt)
            work.prompts.append(prompt.tokens)
            guard case .choice(let texts, _) = question.judge else {
                work.choices.append([])
                continue
            }
            work.choices.append(
                texts.map { setup.tokenizer.encode($0, matchingAddedTokens: false) })
        }
        return prepared
    }

    /// The one form that a server runs.
    private func measureServer(
        _ url: String, _ asked: EvalWork
    ) async throws -> ([EvalColumn], EvalWork) {
        var work = asked
        let client = try head.client(
            of: try HeadAddress(parsing: url, subject: "--url"), connectionCount: 16)
        let subject = ServedSubject(
            client: client, settings: settings,
            questions: work.questions.map { $0.asChat })
        do {
            for question in subject.questions {
                guard case .choice(let texts, _) = question.judge else {
                    work.prompts.append([])
                    work.choices.append([])
                    continue
                }
                work.prompts.append(try await subject.tokens(question.tokenizeFields))
                var choices: [[TokenID]] = []
                for text in texts {
                    choices.append(
                        try await subject.tokens([
                            .init("prompt", .string(text)),
                            .init("add_special_tokens", .bool(false)),
                        ]))
                }
                work.choices.append(choices)
            }
            if let textFile {
                let tokens = try await subject.tokens([
                    .init("prompt", .string(try TextFile.read(textFile)))
                ])
                let bare = try await subject.tokens([.init("prompt", .string("a"))])
                let hasBegin = bare.count > 1 && bare.first == tokens.first
                work.windows = EvalWork.windows(
                    Array(tokens.dropFirst(hasBegin ? 1 : 0)), begin: hasBegin ? tokens[0] : nil,
                    windowCount: windowCount, tokensMax: textTokensMax)
            }
            let bar = ProgressBar(title: "served")
            let column = try await EvalRun(work: work).column(
                "served", of: subject, wantsLogits: false
            ) { bar.show(done: $0, total: $1, whole: "\($1) parts") }
            bar.finish()
            await client.close()
            return ([column], work)
        } catch {
            await client.close()
            throw error
        }
    }
}

extension EvalQuestion {
    /// The prompt, a plain question as a message where the model chats.
    func asked(inChat: Bool) -> RolloutPrompt { inChat ? prompt.asChat : prompt }

    /// The same question, as messages.
    var asChat: EvalQuestion {
        EvalQuestion(task: task, prompt: prompt.asChat, isThinking: isThinking, judge: judge)
    }

    /// What a server is told to write as tokens.
    var tokenizeFields: [JSONValue.Member] {
        [
            .init("messages", prompt.value),
            .init("chat_template_kwargs", .object([.init("thinking", .bool(isThinking))])),
        ]
    }
}
