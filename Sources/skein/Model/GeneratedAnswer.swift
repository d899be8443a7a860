import Foundation
import SkeinCoordinator
import SkeinCore
import SkeinTensor
import SkeinText

/// An answer as it grows, and the times at which it grew.
struct GeneratedAnswer: Sendable {
    private(set) var tokens: [SampledToken] = []
    private(set) var content = ""
    private(set) var reasoning = ""
    private(set) var finishReason = FinishReason.stop
    private var drafts: DraftCounts?
    var stages: [ClusterStatus.Stage] = []

    private let promptCount: Int
    private let start = ContinuousClock.now
    private var firstToken: ContinuousClock.Instant?
    private var lastToken: ContinuousClock.Instant?

    init(promptCount: Int) { self.promptCount = promptCount }

    /// Takes an event and returns the pieces of text that it completed.
    mutating func take(
        _ event: GenerationEvent, reader: inout AnswerReader?
    ) -> [AnswerPiece] {
        switch event {
        case .token(let token):
            // Tokens drawn after a stop string was met are no part of the answer.
            guard reader?.isStopped != true else { return [] }
            tokens.append(token)
            lastToken = .now
            if firstToken == nil { firstToken = lastToken }
            let pieces = reader?.push(token.token) ?? []
            keep(pieces)
            return pieces
        case .finished(let reason):
            finishReason = reason
            return []
        case .drafted(let counts):
            drafts = counts
            return []
        case .began, .scored, .captured:
            return []
        }
    }

    /// Takes what the reader held back.
    mutating func finish(reader: inout AnswerReader?) -> [AnswerPiece] {
        let pieces = reader?.finish() ?? []
        keep(pieces)
        return pieces
    }

    private mutating func keep(_ pieces: [AnswerPiece]) {
        for piece in pieces {
            switch piece {
            case .content(let text): content += text
            case .reasoning(let text): reasoning += text
            case .callBegin, .callArguments, .callEnd: break
            }
        }
    }

    /// What `--json` prints.
    struct Report: Encodable {
        struct Usage: Encodable {
            let promptTokens: Int
            let completionTokens: Int
            let totalTokens: Int
            let acceptedPredictionTokens: Int?
            let rejectedPredictionTokens: Int?
        }
        struct StageShare: Encodable {
            let stage: Int
            let firstLayer: Int
            let layerCount: Int
            let busyShare: Double
        }
        struct Timings: Encodable {
            let timeToFirstTokenMs: Double
            let prefillTokensPerSecond: Double
            let decodeTokensPerSecond: Double
            let stages: [StageShare]
        }
        struct Alternative: Encodable {
            let token: Int32
            let logprob: Float
        }
        struct TokenReport: Encodable {
            let token: Int32
            let logprob: Float
            let topLogprobs: [Alternative]
        }
        let tokens: [Int32]
        let text: String
        let reasoning: String
        let finishReason: String
        let usage: Usage
        let timings: Timings
        let logprobs: [TokenReport]?
        /// The kernels that ran.
        let isa: String
    }

    /// The answer for a program to read.
    func report(logprobs: Bool) -> Report {
        let prefill = seconds(from: start, to: firstToken)
        let decode = seconds(from: firstToken, to: lastToken)
        return Report(
            tokens: tokens.map(\.token.rawValue), text: content, reasoning: reasoning,
            finishReason: finishReason.rawValue,
            usage: .init(
                promptTokens: promptCount, completionTokens: tokens.count,
                totalTokens: promptCount + tokens.count,
                acceptedPredictionTokens: drafts?.acceptedCount,
                rejectedPredictionTokens: drafts?.rejectedCount),
            timings: .init(
                timeToFirstTokenMs: prefill * 1_000,
                prefillTokensPerSecond: rate(promptCount, in: prefill),
                decodeTokensPerSecond: rate(tokens.count - 1, in: decode),
                stages: stages.map {
                    .init(
                        stage: $0.index.rawValue, firstLayer: $0.slice.layers.lowerBound,
                        layerCount: $0.slice.layers.count, busyShare: $0.busyShare)
                }),
            logprobs: logprobs
                ? tokens.map { token in
                    .init(
                        token: token.token.rawValue, logprob: token.logprob ?? 0,
                        topLogprobs: token.topLogprobs.map {
                            .init(token: $0.token.rawValue, logprob: $0.logprob)
                        })
                } : nil, isa: "\(Kernels.chosen)")
    }

    private func seconds(
        from: ContinuousClock.Instant?, to: ContinuousClock.Instant?
    ) -> Double {
        guard let from, let to else { return 0 }
        return (to - from) / .seconds(1)
    }

    private func rate(_ count: Int, in seconds: Double) -> Double {
        seconds > 0 && count > 0 ? Double(count) / seconds : 0
    }
}

/// Streams an answer to the terminal: reasoning dimmed where the terminal can, apart from content.
struct AnswerPrinter {
    private let isSilent: Bool
    private let dims = isatty(STDOUT_FILENO) == 1
    private var isInReasoning = false

    init(isSilent: Bool) { self.isSilent = isSilent }

    mutating func print(_ pieces: [AnswerPiece]) throws(Refusal) {
        guard !isSilent else { return }
        for piece in pieces {
            switch piece {
            case .reasoning(let text):
                if !isInReasoning { try Console.standardOutput(dims ? "\u{1B}[2m" : "<think>") }
                isInReasoning = true
                try Console.standardOutput(text)
            case .content(let text):
                try endReasoning()
                try Console.standardOutput(text)
            // No tools are offered here, so nothing is called.
            case .callBegin, .callArguments, .callEnd: break
            }
        }
    }

    /// Ends the line; an answer without a tokenizer is shown as token ids.
    mutating func finish(_ answer: GeneratedAnswer, hasText: Bool) throws(Refusal) {
        guard !isSilent else { return }
        try endReasoning()
        let ids = answer.tokens.map { String($0.token.rawValue) }.joined(separator: ",")
        try Console.standardOutput(hasText ? "\n" : ids + "\n")
    }

    private mutating func endReasoning() throws(Refusal) {
        guard isInReasoning else { return }
        isInReasoning = false
        try Console.standardOutput(dims ? "\u{1B}[0m\n" : "</think>\n")
    }
}
