public import SkeinCore

/// One sequence as it arrives: what to run, how to draw, and when to end.
public struct SequenceRequest: Equatable, Sendable {
    /// Its number; a later arrival has a larger one.
    public var id: SequenceID

    /// The prompt, at least one token.
    public var promptTokens: [TokenID]

    /// Tokens produced before a new epoch, of a sequence that is replayed; else empty.
    ///
    /// They count as produced and are not delivered again.
    public var completionTokens: [TokenID]

    /// When to end; `completionTokensMax` 0 runs the prompt and draws nothing.
    public var stopRule: StopRule

    /// How to draw.
    public var sampling: SamplingParameters

    /// The true next token of every prompt row, where the prompt is scored; else empty.
    ///
    /// Where the last row has no known successor, pad with any token and drop the last score.
    /// Each score comes with as many alternatives as `sampling` asks for with a drawn token.
    public var targets: [TokenID]

    /// Which inner values travel back; only sequences that ask for the same share a micro-batch.
    public var capture: Capture

    /// Rows of a chunk for this sequence alone, instead of the plan's; `nil` follows the plan.
    public var chunkRowsMax: Int?

    /// Who may share latent pages with this sequence: only sequences of the same tenant.
    public var tenant: String

    /// The name of the client's request, which travels with the first micro-batch of each life.
    public var label: String

    /// Whether what may follow a token is worked out after it has come: the sequence then waits
    /// for ``PipelineSchedule/onAllowed(_:)`` before its next step.
    public var isConstrained: Bool

    /// Scores of the prompt that were given out before the sequence arrived here.
    public var scoredCount = 0

    /// Whether it was taken in before, by a head that has ended: it is never told to come later.
    public var wasTakenIn = false

    /// Whether that head was producing its tokens when it ended, so that its reader sees it stand
    /// still.
    public var wasInterrupted = false

    /// Whether this is the cluster's own question whether tokens flow: it is never told to come
    /// later, and counts in no total.
    public var isProbe: Bool

    /// Describes an arrival.
    public init(
        id: SequenceID, promptTokens: [TokenID], stopRule: StopRule,
        sampling: SamplingParameters = SamplingParameters(), completionTokens: [TokenID] = [],
        targets: [TokenID] = [], capture: Capture = [], chunkRowsMax: Int? = nil,
        tenant: String = "", label: String = "", isConstrained: Bool = false,
        isProbe: Bool = false
    ) {
        self.id = id
        self.promptTokens = promptTokens
        self.stopRule = stopRule
        self.sampling = sampling
        self.completionTokens = completionTokens
        self.targets = targets
        self.capture = capture
        self.chunkRowsMax = chunkRowsMax
        self.tenant = tenant
        self.label = label
        self.isConstrained = isConstrained
        self.isProbe = isProbe
    }

    /// Whether any token is to be drawn.
    public var wantsToken: Bool { stopRule.completionTokensMax > 0 }
}
