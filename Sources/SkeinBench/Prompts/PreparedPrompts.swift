import SkeinCore

/// Prompts that are ready to be sent, and what a reader of the figures must know about them.
struct PreparedPrompts: Sendable {
    var prompts: ServingPrompts
    /// The rows of the file that they come from; `nil` where they are random.
    var rows: PromptRows?
    var warnings: [String] = []

    /// Bytes of text that one token stands for, where no server counts them.
    private static let bytesPerToken = 4

    /// Prompts whose answers are counted by the server before a load of unknown length.
    private static let countedPromptsMax = 1_000

    /// Reads or draws the prompts that the options ask for.
    static func prepare(
        _ options: ServingOptions, card: ModelCard, client: ServingClient
    ) async throws(Refusal) -> PreparedPrompts {
        switch options.origin {
        case .random(let lengths):
            return await random(lengths, options, card: card, client: client)
        case .lines(let path, let outputCount):
            let file = try PromptFile(path: path, needsLength: false)
            return try await listed(file, outputCount, options, card: card, client: client)
        case .shareGPT(let path, let outputCount):
            let file = try PromptFile(path: path, needsLength: outputCount == nil)
            return try await listed(file, outputCount, options, card: card, client: client)
        }
    }

    // MARK: - Private

    private static func random(
        _ lengths: PromptOrigin.RandomLengths, _ options: ServingOptions, card: ModelCard,
        client: ServingClient
    ) async -> PreparedPrompts {
        let seed = options.shape.seed
        if options.target.interface == .text, let size = card.vocabularySize {
            let random = RandomPrompts(lengths, material: .tokens(vocabularySize: size), seed: seed)
            return PreparedPrompts(prompts: ServingPrompts(random))
        }
        let words = RandomPrompts.sampleWords(seed: seed, count: 512)
        let text = words.joined(separator: " ")
        let counted = await tokenCount(text, model: card.name, client: client)
        let tokensPerWord = counted.map { Double($0) / Double(words.count) } ?? 1.1
        var warnings: [String] = []
        if counted == nil {
            warnings.append(
                "the server has no /tokenize: random prompts are only about as long as asked for; "
                    + "total_input_tokens is what the server has counted")
        }
        let random = RandomPrompts(
            lengths, material: .words(tokensPerWord: max(0.1, tokensPerWord)), seed: seed)
        return PreparedPrompts(prompts: ServingPrompts(random), warnings: warnings)
    }

    /// The prompts of a file that fit the model's context, as many as the load needs.
    ///
    /// - Parameter outputCount: tokens of an answer; `nil` takes the length of the file's answers.
    private static func listed(
        _ file: PromptFile, _ outputCount: Int?, _ options: ServingOptions, card: ModelCard,
        client: ServingClient
    ) async throws(Refusal) -> PreparedPrompts {
        var file = file
        var numbers = SeededNumbers(seed: options.shape.seed, purpose: 5)
        let wanted = wantedCount(options)
        var prompts: [ServingPrompt] = []
        var counts = true
        var guessesAnswers = false
        for entry in file.entries.shuffled(using: &numbers) where prompts.count < wanted {
            var promptCount = entry.prompt.utf8.count / bytesPerToken
            if counts {
                let counted = await tokenCount(entry.prompt, model: card.name, client: client)
                counts = counted != nil
                promptCount = counted ?? promptCount
            }
            // A length of the row is more exact than one of the command line, save for ShareGPT's
            // form, where the command line means every answer.
            var answerCount = isShareGPT(options) ? outputCount : entry.outputTokenCount
            answerCount = answerCount ?? entry.outputTokenCount ?? outputCount
            if answerCount == nil, counts, let answer = entry.answer {
                answerCount = await tokenCount(answer, model: card.name, client: client)
            }
            guessesAnswers = guessesAnswers || answerCount == nil
            let length = max(1, answerCount ?? (entry.answer ?? "").utf8.count / bytesPerToken)
            guard promptCount + length < card.positionCountMax ?? .max else {
                file.skip(entry, "is longer than the model's context")
                continue
            }
            prompts.append(
                ServingPrompt(
                    content: .text(entry.prompt), outputTokenCount: length,
                    inputTokenCount: counts ? promptCount : nil))
        }
        guard !prompts.isEmpty else {
            throw Refusal(
                "--dataset-path", "none of \(file.entries.count) prompts fits the model's context")
        }
        var warnings = file.rows.warning.map { [$0] } ?? []
        var rows = file.rows
        rows.usedCount = prompts.count
        if guessesAnswers {
            warnings.append(
                "the server has no /tokenize: the lengths of answers are taken as one token for "
                    + "\(bytesPerToken) bytes")
        }
        return PreparedPrompts(
            prompts: ServingPrompts(prompts, seed: options.shape.seed), rows: rows,
            warnings: warnings)
    }

    private static func isShareGPT(_ options: ServingOptions) -> Bool {
        if case .shareGPT = options.origin { true } else { false }
    }

    private static func wantedCount(_ options: ServingOptions) -> Int {
        guard case .requestCount(let count) = options.shape.end, options.sweep == nil else {
            return countedPromptsMax
        }
        // The warm-up may be done twice.
        return count + 2 * options.warmupCount + options.singleStreamCount
    }

    /// Tokens of a text, as the server counts them; `nil` where it has no `/tokenize`.
    private static func tokenCount(
        _ text: String, model: String, client: ServingClient
    ) async -> Int? {
        do {
            let answer = try await client.json(
                "/tokenize",
                body: .object([
                    "model": .string(model), "prompt": .string(text),
                    "add_special_tokens": .bool(false),
                ]))
            return answer.fields?["count"]?.count ?? answer.fields?["tokens"]?.array?.count
        } catch {
            // Only Skein and vLLM count tokens for others.
            return nil
        }
    }
}
