import SkeinCore

/// Prompts that are ready to be sent, and what a reader of the figures must know about them.
struct PreparedPrompts: Sendable {
    var prompts: ServingPrompts
    var warnings: [String] = []

    /// Bytes of text that one token stands for, where no server counts them.
    private static let bytesPerToken = 4

    /// Prompts whose answers are counted by the server before a load of unknown length.
    private static let countedPromptsMax = 1_000

    /// Reads or draws the prompts that the options ask for.
    static func prepare(
        _ options: ServingOptions, card: ModelCard, client: ServingClient
    ) async throws(Refusal) -> PreparedPrompts {
        let seed = options.shape.seed
        switch options.origin {
        case .random(let lengths):
            return await random(lengths, options, card: card, client: client)
        case .lines(let path, let outputCount):
            let entries = try PromptFile.lines(path: path, outputTokenCount: outputCount)
            let prompts = entries.map {
                ServingPrompt(
                    content: .text($0.prompt), outputTokenCount: $0.outputTokenCount ?? outputCount)
            }
            return PreparedPrompts(prompts: ServingPrompts(prompts, seed: seed))
        case .shareGPT(let path, let outputCount):
            let entries = try PromptFile.shareGPT(path: path, outputTokenCount: outputCount)
            return try await shareGPT(entries, path, options, card: card, client: client)
        }
    }

    // MARK: Rooms

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

    private static func shareGPT(
        _ entries: [PromptFile.Entry], _ path: String, _ options: ServingOptions,
        card: ModelCard, client: ServingClient
    ) async throws(Refusal) -> PreparedPrompts {
        var numbers = SeededNumbers(seed: options.shape.seed, purpose: 5)
        let wanted = wantedCount(options)
        var prompts: [ServingPrompt] = []
        var counts = true
        var droppedCount = 0
        for entry in entries.shuffled(using: &numbers) where prompts.count < wanted {
            var promptCount = entry.prompt.utf8.count / bytesPerToken
            var answerCount =
                entry.outputTokenCount ?? (entry.answer ?? "").utf8.count / bytesPerToken
            if counts {
                let counted = await tokenCount(entry.prompt, model: card.name, client: client)
                counts = counted != nil
                promptCount = counted ?? promptCount
            }
            if counts, entry.outputTokenCount == nil, let answer = entry.answer,
                let counted = await tokenCount(answer, model: card.name, client: client)
            {
                answerCount = counted
            }
            guard promptCount + answerCount < card.positionCountMax ?? .max else {
                droppedCount += 1
                continue
            }
            prompts.append(
                ServingPrompt(content: .text(entry.prompt), outputTokenCount: max(1, answerCount)))
        }
        guard !prompts.isEmpty else {
            throw Refusal(path, "holds no conversation that fits the model's context")
        }
        var warnings: [String] = []
        if !counts {
            warnings.append(
                "the server has no /tokenize: the lengths of answers are taken as one token for "
                    + "\(bytesPerToken) bytes")
        }
        if droppedCount > 0 {
            warnings.append("\(droppedCount) conversations are longer than the model's context")
        }
        return PreparedPrompts(
            prompts: ServingPrompts(prompts, seed: options.shape.seed), warnings: warnings)
    }

    private static func wantedCount(_ options: ServingOptions) -> Int {
        guard case .requestCount(let count) = options.shape.end, options.sweep == nil else {
            return countedPromptsMax
        }
        return count + options.warmupCount + options.singleStreamCount
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
            return answer.fields?["count"]?.count ?? answer.fields?["tokens"]?.elements?.count
        } catch {
            // Only Skein and vLLM count tokens for others.
            return nil
        }
    }
}
