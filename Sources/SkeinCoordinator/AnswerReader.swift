public import SkeinCore
public import SkeinText

/// Reads a model's answer from its tokens as they come: whole characters, reasoning apart from
/// content, and an end before a stop string (a pure value).
public struct AnswerReader: Sendable {
    /// A piece of an answer.
    public enum Piece: Equatable, Sendable {
        /// What the model thinks before it answers.
        case reasoning(String)
        /// The answer itself.
        case content(String)
    }

    /// Whether a stop string was met: nothing follows, and the sequence is to be stopped.
    public private(set) var isStopped = false

    private var detokenizer: StreamingDetokenizer
    private var scanner: StopStringScanner
    private var splitter: ReasoningSplitter?
    private let silentTokens: Set<TokenID>

    /// Opens a reader.
    ///
    /// - Parameters:
    ///   - stopTokens: tokens that end the answer; they are no part of its text.
    ///   - stopStrings: texts that end the answer; they are no part of it.
    ///   - reasoningIsOpen: whether the prompt has opened the reasoning; `nil` where the answer is
    ///     plain text whatever marks are in it.
    public init(
        tokenizer: Tokenizer, stopTokens: Set<TokenID>, stopStrings: [String],
        reasoningIsOpen: Bool?
    ) throws(Refusal) {
        detokenizer = StreamingDetokenizer(tokenizer, skippingSpecialTokens: true)
        scanner = try StopStringScanner(stopStrings)
        splitter = reasoningIsOpen.map { ReasoningSplitter(startsInside: $0) }
        silentTokens = stopTokens
    }

    /// Takes the next token.
    public mutating func push(_ token: TokenID) -> [Piece] {
        guard !isStopped, !silentTokens.contains(token) else { return [] }
        return scan(detokenizer.push(token))
    }

    /// Gives out what was held back; the answer ends here.
    public mutating func finish() -> [Piece] {
        var pieces: [Piece] = []
        if !isStopped {
            pieces += scan(detokenizer.finish())
            if !isStopped { pieces += split(scanner.finish()) }
        }
        pieces += (splitter?.finish() ?? []).map(Piece.init)
        return pieces
    }

    private mutating func scan(_ text: String) -> [Piece] {
        let finding = scanner.push(text)
        isStopped = finding.stopString != nil
        return split(finding.text)
    }

    private mutating func split(_ text: String) -> [Piece] {
        guard !text.isEmpty else { return [] }
        guard splitter != nil else { return [.content(text)] }
        return (splitter?.push(text) ?? []).map(Piece.init)
    }
}

extension AnswerReader.Piece {
    init(_ piece: ReasoningSplitter.Piece) {
        self =
            switch piece {
            case .reasoning(let text): .reasoning(text)
            case .content(let text): .content(text)
            }
    }
}
