public import SkeinCore
public import SkeinJournal
public import SkeinText

/// Where a generation comes from: one of the answers of a client's request.
public struct RequestOrigin: Sendable {
    /// The request, the same for all of its answers.
    public var request: ClientRequest

    /// Which of its answers, from 0.
    public var answer: Int

    /// Names an answer of a request.
    public init(request: ClientRequest, answer: Int) {
        self.request = request
        self.answer = answer
    }
}

/// What a client asks once, in tokens.
public struct GenerationRequest: Sendable {
    /// The prompt, at least one token.
    public var promptTokens: [TokenID]

    /// Tokens to produce at most; 0 only runs the prompt.
    public var newTokensMax: Int

    /// How to draw.
    public var sampling: SamplingParameters

    /// Tokens that end the completion; they are delivered as the last token.
    public var stopTokens: Set<TokenID>

    /// What the answer must be, in text; it ends where it is whole.
    public var constraint: AnswerConstraint?

    /// Whether ln p of every prompt token after the first is wanted, with as many alternatives as
    /// `sampling` asks for.
    public var scoresPrompt: Bool

    /// Inner values of the prompt that are wanted back.
    public var capture: Capture

    /// Rows of one prefill chunk, where not the cluster's own choice.
    public var chunkRowCount: Int?

    /// Who asks: latent pages are shared by requests of one tenant only.
    public var tenant: String

    /// The name of the client's request in every log line; empty where it has none.
    public var label: String

    /// The client's request that it is an answer of; `nil` where nobody can come back for it.
    public var origin: RequestOrigin?

    /// Describes a request.
    public init(
        promptTokens: [TokenID], newTokensMax: Int, sampling: SamplingParameters = .init(),
        stopTokens: Set<TokenID> = [], constraint: AnswerConstraint? = nil,
        scoresPrompt: Bool = false, capture: Capture = [],
        chunkRowCount: Int? = nil, tenant: String = "", label: String = "",
        origin: RequestOrigin? = nil
    ) {
        self.promptTokens = promptTokens
        self.newTokensMax = newTokensMax
        self.sampling = sampling
        self.stopTokens = stopTokens
        self.constraint = constraint
        self.scoresPrompt = scoresPrompt
        self.capture = capture
        self.chunkRowCount = chunkRowCount
        self.tenant = tenant
        self.label = label
        self.origin = origin
    }
}

extension GenerationRequest {
    /// The name as it may stand in every node's log: short, and without anything that a line of a
    /// log could be taken apart by.
    var printableLabel: String {
        String(
            String.UnicodeScalarView(
                label.unicodeScalars.prefix(Limits.labelBytesMax).map { scalar in
                    let isPlain = (0x21...0x7E).contains(scalar.value)
                    return isPlain && scalar != "," && scalar != "\"" ? scalar : "_"
                }))
    }
}

/// One tensor that a stage sent back, for consecutive rows of one prompt.
public struct CapturedTensor: Sendable, Equatable {
    /// What the values are.
    public let kind: CapturedKind

    /// Number of rows.
    public let rowCount: Int

    /// Values in a row.
    public let columnCount: Int

    /// Little-endian values, row after row, four bytes each.
    public let bytes: [UInt8]
}

/// What happens to a request, in order; `finished` is the last.
public enum GenerationEvent: Sendable {
    /// The sequence's first rows are on their way; so many tokens of its prompt are not run, since
    /// their rows were known. Comes once, before everything else.
    case began(cachedTokenCount: Int)
    /// A token was drawn.
    case token(SampledToken)
    /// The scores of prompt tokens 1, 2, …, in order.
    case scored([TargetScore])
    /// A stage's inner values for the prompt's next rows of that kind.
    case captured(CapturedTensor)
    /// What became of tokens that were guessed ahead; comes before the end, where any were and the
    /// whole answer was drawn under one head.
    case drafted(DraftCounts)
    /// The request is over.
    case finished(FinishReason)
}

/// The ordered events of one request; ends by throwing a `Refusal` if the request cannot go on.
public typealias TokenStream = AsyncThrowingStream<GenerationEvent, any Error>
