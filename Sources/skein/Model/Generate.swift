import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinText
import SkeinWeights

/// Continues a prompt or answers a question.
struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continues a prompt or answers a question; tokens stream to the terminal.")

    /// Tokens to produce where nothing else is said.
    private static let newTokensDefault = 512

    @OptionGroup var model: ModelOption
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var contextOption: ContextOption
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var log: LogOption

    @Option(help: "Continue this text, after the begin token.")
    var prompt: String?

    @Option(help: "Answer this question, in the model's chat format.")
    var chat: String?

    @Option(help: "Continue these token ids, separated by commas.")
    var tokens: String?

    @Option(help: "The rules of the conversation, for --chat.")
    var system: String?

    @Option(help: "Whether the model thinks before it answers: on or off, for --chat.")
    var thinking: Switch?

    @Flag(help: "Print one JSON object.")
    var json = false

    enum Switch: String, ExpressibleByArgument { case on, off }

    func validate() throws {
        guard [prompt, chat, tokens].compactMap({ $0 }).count == 1 else {
            throw ValidationError("expected one of --prompt, --chat and --tokens")
        }
        guard chat != nil || (system == nil && thinking == nil) else {
            throw ValidationError("--system and --thinking: need --chat")
        }
    }

    func run() async throws {
        let folder = try model.folder()
        let configuration = try Checkpoint.open(folder).configuration
        let question = try Question(self, folder: folder, configuration: configuration)
        let wanted = sampling.maxTokens ?? Self.newTokensDefault
        let positions = try PositionBudget.check(
            promptCount: question.tokens.count, newTokensMax: wanted,
            option: contextOption,
            configuration: configuration)
        let request = question.request(newTokensMax: wanted, sampling: sampling)
        let printsText = !json
        let answer = try await EmbeddedRun(
            folder: folder, layout: layout, serving: layout.serving(positionCount: positions),
            log: log
        ).run { cluster in
            var reader = try question.reader(stop: sampling.stop, sampling: sampling)
            var answer = GeneratedAnswer(promptCount: question.tokens.count)
            var printer = AnswerPrinter(isSilent: !printsText)
            let (id, events) = try await cluster.coordinator.submit(request)
            for try await event in events {
                let pieces = answer.take(event, reader: &reader)
                try printer.print(pieces)
                if reader?.isStopped == true { await cluster.coordinator.stop(id) }
            }
            try printer.print(answer.finish(reader: &reader))
            try printer.finish(answer, hasText: reader != nil)
            answer.stages = await cluster.coordinator.freshStatus().stages
            return answer
        }
        if json { try Console.json(answer.report(logprobs: sampling.logprobs != nil)) }
    }
}

/// What is asked, in tokens, and how its answer is to be read.
struct Question: Sendable {
    let tokens: [TokenID]
    let setup: TextSetup?
    let conversation: ChatPrompt?
    let endTokens: Set<TokenID>

    init(
        _ command: Generate, folder: String, configuration: ModelConfiguration
    ) throws(Refusal) {
        if let list = command.tokens {
            tokens = try Self.tokens(list)
            conversation = nil
            // Token ids need no tokenizer; where there is one, the answer is shown as text too.
            setup = try TextSetup.inFolder(folder)
        } else {
            let setup = try Tokenizer.fromFolder(folder)
            self.setup = setup
            if let text = command.prompt {
                tokens = setup.completionPrompt(text)
                conversation = nil
            } else {
                guard let format = setup.chatFormat?.format else {
                    throw Refusal(
                        folder, "does not tell its chat format; use --prompt for plain text")
                }
                var messages: [ChatMessage] = []
                if let system = command.system { messages.append(ChatMessage(.system, system)) }
                messages.append(ChatMessage(.user, command.chat ?? ""))
                let prompt = try format.prompt(
                    messages, options: ChatOptions(isThinking: command.thinking == .on))
                tokens = setup.tokenizer.encode(prompt.segments)
                conversation = prompt
            }
        }
        guard !tokens.isEmpty else { throw Refusal("prompt", "has no tokens") }
        endTokens = setup?.endTokens ?? Set(configuration.endTokens)
    }

    /// The request, with the model's own advice on sampling where nothing else is said.
    func request(newTokensMax: Int, sampling: SamplingOptions) -> GenerationRequest {
        var parameters =
            setup?.generationDefaults.samplingParameters ?? SamplingParameters()
        parameters.temperature = sampling.temperature ?? parameters.temperature
        parameters.topP = sampling.topP ?? parameters.topP
        parameters.topK = sampling.topK ?? parameters.topK
        parameters.minP = sampling.minP
        parameters.seed = sampling.seed
        parameters.presencePenalty = sampling.presencePenalty
        parameters.frequencyPenalty = sampling.frequencyPenalty
        parameters.repetitionPenalty = sampling.repetitionPenalty
        parameters.topLogprobsCount = sampling.logprobs
        return GenerationRequest(
            promptTokens: tokens, newTokensMax: newTokensMax, sampling: parameters,
            stopTokens: sampling.ignoresEnd ? [] : endTokens)
    }

    /// Reads the answer's text, where the model has a tokenizer.
    func reader(stop: [String], sampling: SamplingOptions) throws(Refusal) -> AnswerReader? {
        guard let setup else {
            guard stop.isEmpty else {
                throw Refusal("--stop", "needs a tokenizer, and this model's folder has none")
            }
            return nil
        }
        return try AnswerReader(
            setup, answering: conversation,
            options: .init(
                stopTokens: sampling.ignoresEnd ? [] : endTokens, stopStrings: stop))
    }

    private static func tokens(_ list: String) throws(Refusal) -> [TokenID] {
        var tokens: [TokenID] = []
        for word in list.split(separator: ",", omittingEmptySubsequences: false) {
            let digits = word.filter { $0 != " " }
            guard let id = Int32(digits), id >= 0 else {
                throw Refusal("--tokens", "found '\(word)', expected token ids such as 1,2,3")
            }
            tokens.append(TokenID(rawValue: id))
        }
        return tokens
    }
}
