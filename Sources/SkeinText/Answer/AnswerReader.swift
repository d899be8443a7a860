public import SkeinCore

/// Reads a model's answer from its tokens as they come: whole characters, thinking and calls apart
/// from content, and an end before a stop string (a pure value).
///
///     token ─► StreamingDetokenizer ─► ReasoningSplitter ─► ToolCallParser ─► stop strings
///
/// Stop strings act on content alone, neither on thinking nor on the arguments of calls. Control
/// tokens are left out of every text, unless they are asked for; the marks of thinking and calls
/// among them do their work all the same.
public struct AnswerReader: Sendable {
    /// How an answer is to be read.
    public struct Options: Sendable {
        /// Tokens that end the answer; they are no part of its text.
        public var stopTokens: Set<TokenID>

        /// Texts that end the answer.
        public var stopStrings: [String]

        /// Whether the content ends with the stop string that was met, not before it.
        public var includesStopString = false

        /// Whether control tokens are shown as text.
        public var showsControlTokens = false

        /// Calls after which the answer ends; `nil` for any number.
        public var callsMax: Int?

        /// An answer that these tokens and texts end.
        public init(stopTokens: Set<TokenID>, stopStrings: [String] = []) {
            self.stopTokens = stopTokens
            self.stopStrings = stopStrings
        }
    }

    /// Whether the answer is over before the model ended it: a stop string was met, or all wanted
    /// calls are there.
    ///
    /// Nothing follows, and the sequence is to be stopped.
    public private(set) var isStopped = false

    /// The stop string that was met.
    public private(set) var stopString: String?

    private let setup: TextSetup
    private let options: Options
    private var detokenizer: StreamingDetokenizer
    private var parser: AnswerParser?
    private var scanner: StopStringScanner

    /// Control tokens that the parser looks for, with their texts.
    private let marks: [TokenID: String]

    /// Opens a reader.
    ///
    /// - Parameters:
    ///   - setup: What the model's folder says about text.
    ///   - prompt: The conversation that is answered; `nil` where the answer is plain text whatever
    ///     marks are in it.
    ///   - tools: What was offered; without tools, calls stay text.
    public init(
        _ setup: TextSetup, answering prompt: ChatPrompt? = nil, tools: [ChatTool] = [],
        options: Options
    ) throws(Refusal) {
        self.setup = setup
        self.options = options
        detokenizer = StreamingDetokenizer(setup.tokenizer, skippingSpecialTokens: false)
        parser = prompt.map { AnswerParser(answering: $0, tools: tools) }
        scanner = try StopStringScanner(options.stopStrings)
        var marks: [TokenID: String] = [:]
        if let traits = prompt?.format.traits, !options.showsControlTokens {
            let thinks = traits.thinking == .never ? [] : [ChatMark.think, ChatMark.thinkEnd]
            for mark in thinks { setup.tokenizer.addedToken(mark).map { marks[$0] = mark } }
            for mark in tools.isEmpty ? [] : traits.callForm?.markTexts ?? [] {
                guard let token = setup.tokenizer.addedToken(mark), setup.isControl(token) else {
                    continue
                }
                marks[token] = mark
            }
        }
        self.marks = marks
    }

    /// Whether what comes now would be thinking.
    public var isInsideReasoning: Bool { parser?.isInsideReasoning == true }

    /// Whether the model calls functions, and every call is whole.
    public var hasWholeCalls: Bool {
        guard let parser else { return false }
        return parser.callCount > 0 && !parser.hasOpenCall
    }

    /// Takes the next token.
    public mutating func push(_ token: TokenID) -> [AnswerPiece] {
        guard !isStopped, !options.stopTokens.contains(token) else { return [] }
        if let mark = marks[token] {
            let held = parse(detokenizer.finish())
            return take(held + (parser?.pushMark(mark) ?? []))
        }
        if !options.showsControlTokens, setup.isControl(token) { return [] }
        return take(parse(detokenizer.push(token)))
    }

    /// Gives out what was held back; the answer ends here.
    public mutating func finish() -> [AnswerPiece] {
        guard !isStopped else { return [] }
        var pieces = take(parse(detokenizer.finish()))
        pieces += take(parser?.finish() ?? [])
        return pieces + heldContent()
    }

    private mutating func parse(_ text: String) -> [AnswerPiece] {
        guard !text.isEmpty else { return [] }
        return parser?.push(text) ?? [.content(text)]
    }

    /// Looks for the end of the answer in what has come.
    private mutating func take(_ pieces: [AnswerPiece]) -> [AnswerPiece] {
        var taken: [AnswerPiece] = []
        for piece in pieces where !isStopped {
            guard case .content(let text) = piece else {
                taken += heldContent() + [piece]
                if case .callEnd(let index) = piece, index + 1 == options.callsMax {
                    isStopped = true
                }
                continue
            }
            let finding = scanner.push(text)
            stopString = finding.stopString
            isStopped = stopString != nil
            let end = options.includesStopString ? stopString ?? "" : ""
            if !(finding.text + end).isEmpty { taken.append(.content(finding.text + end)) }
        }
        return taken
    }

    /// What could still have become a stop string; no stop string reaches over something else.
    private mutating func heldContent() -> [AnswerPiece] {
        guard !isStopped else { return [] }
        let text = scanner.finish()
        return text.isEmpty ? [] : [.content(text)]
    }
}
