import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinReference
import SkeinText

/// Tokens with their probabilities.
struct ScoredTokens: Sendable {
    /// ln p of every token after the first.
    var logprobs: [Double]
    /// The logits after every token, where they can be had.
    var logits: [[Float]]?
}

/// What is evaluated: it scores tokens and answers questions.
protocol EvalSubject: Sendable {
    /// Scores tokens.
    ///
    /// - Parameter wantsLogits: whether all logits are wanted with them.
    func score(_ tokens: [TokenID], wantsLogits: Bool) async throws -> ScoredTokens

    /// The greedy answer to a question, without thinking.
    ///
    /// - Parameter number: its place among the questions.
    func answer(_ number: Int) async throws -> String
}

/// A cluster inside this program.
struct EmbeddedSubject: EvalSubject {
    let coordinator: Coordinator
    let source: EmbeddedSource
    let questions: [EvalQuestion]

    func score(_ tokens: [TokenID], wantsLogits: Bool) async throws -> ScoredTokens {
        let (_, events) = try await coordinator.submit(
            GenerationRequest(
                promptTokens: tokens, newTokensMax: 0, scoresPrompt: true,
                capture: wantsLogits ? [.logits] : []))
        var scored = ScoredTokens(logprobs: [], logits: wantsLogits ? [] : nil)
        for try await event in events {
            if case .scored(let scores) = event {
                scored.logprobs += scores.map { Double($0.logprob) }
            }
            if case .captured(let tensor) = event { scored.logits? += tensor.floatRows }
        }
        try Task.checkCancellation()
        return scored
    }

    func answer(_ number: Int) async throws -> String {
        try await source.draw((number, questions[number].prompt), seed: 0) {}.content
    }
}

/// A server, over its HTTP interface.
struct ServedSubject: EvalSubject {
    let client: HeadClient
    let settings: DrawSettings
    let questions: [EvalQuestion]

    func score(_ tokens: [TokenID], wantsLogits: Bool) async throws -> ScoredTokens {
        let body = JSONValue.object([
            .init("prompt", .array(tokens.map { .integer(Int($0.rawValue)) })),
            .init("max_tokens", .integer(1)), .init("temperature", .integer(0)),
            .init("echo", .bool(true)), .init("logprobs", .integer(0)),
        ])
        let answer = try await source(false).posted(body, to: "/v1/completions", place: "text")
        let list = answer["choices"]?.array?.first?["logprobs"]?["token_logprobs"]?.array ?? []
        let logprobs = list.dropFirst().prefix(tokens.count - 1).compactMap(\.double)
        guard logprobs.count == tokens.count - 1 else {
            throw Refusal(
                client.address.text,
                "answered with \(logprobs.count) log-probabilities of the "
                    + "prompt, expected \(tokens.count - 1)")
        }
        return ScoredTokens(logprobs: logprobs)
    }

    func answer(_ number: Int) async throws -> String {
        let question = questions[number]
        return try await source(question.isThinking)
            .draw((number, question.prompt), seed: 0) {}.content
    }

    private func source(_ isThinking: Bool) -> ServedSource {
        ServedSource(client: client, settings: settings, isThinking: isThinking)
    }

    /// A text, or a conversation that is to be answered, in tokens.
    func tokens(_ members: [JSONValue.Member]) async throws -> [TokenID] {
        let answer = try await source(false).posted(
            .object(members), to: "/tokenize", place: "text")
        guard let list = answer["tokens"]?.array?.map(\.integer), !list.contains(nil) else {
            throw Refusal(client.address.text, "answered /tokenize without tokens")
        }
        return list.compactMap { $0.map { TokenID($0) } }
    }
}

extension CapturedTensor {
    /// Its rows as numbers.
    var floatRows: [[Float]] {
        let rowBytes = 4 * columnCount
        return (0..<rowCount).map {
            FloatBytes.numbers(in: bytes[$0 * rowBytes..<($0 + 1) * rowBytes])
        }
    }
}
