/// What a micro-batch does to its sequences.
public enum Phase: Equatable, Sendable {
    /// Fills the cache with a chunk of a prompt.
    case prefill
    /// Produces one step's tokens per sequence.
    case decode
}

/// What the last row of a span is sampled with.
public struct SamplingDemand: Equatable, Sendable {
    /// How to draw.
    public var parameters: SamplingParameters

    /// The prompt's tokens, only where the parameters need history, else empty.
    public var promptTokens: [TokenID]

    /// The tokens produced so far, only where the parameters need history, else empty.
    public var completionTokens: [TokenID]

    /// The only tokens that may be drawn, at least one; `nil` allows all.
    public var allowed: AllowedTokens?

    /// Asks for one token after the span's last row.
    public init(
        parameters: SamplingParameters, promptTokens: [TokenID] = [],
        completionTokens: [TokenID] = [], allowed: AllowedTokens? = nil
    ) {
        self.parameters = parameters
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.allowed = allowed
    }
}

/// The first rows of a known page, copied into a page that begins in the same way and then goes on
/// by itself.
public struct PageCopy: Equatable, Sendable {
    /// The known page; it is only read.
    public var source: PageIndex

    /// The page that takes the rows.
    public var target: PageIndex

    /// Rows to copy, from the page's first; fewer than a page has.
    public var rowCount: Int

    /// Describes a copy.
    public init(source: PageIndex, target: PageIndex, rowCount: Int) {
        self.source = source
        self.target = target
        self.rowCount = rowCount
    }
}

/// The part that one sequence has in a micro-batch: consecutive tokens from one position on.
public struct SequenceSpan: Equatable, Sendable {
    /// Whose tokens these are.
    public var sequence: SequenceID

    /// The position of the first token, from 0.
    public var firstPosition: Int

    /// The tokens to run; one row each.
    public var tokens: [TokenID]

    /// The pages of positions `0 ..< firstPosition + tokens.count`, in order.
    public var pageTable: [PageIndex]

    /// Present where the token after the last row is wanted.
    public var demand: SamplingDemand?

    /// The true next token of every row, where log-probabilities are scored; else empty.
    public var targets: [TokenID]

    /// What every stage copies before it runs the micro-batch: the rows of the first token's page
    /// that lie before it.
    public var pageCopy: PageCopy?

    /// The client's request, for log lines; only in the sequence's first micro-batch, else empty.
    public var label: String

    /// The most probable tokens wanted with each target's score, where targets are scored.
    public var targetTopLogprobsCount: Int

    /// How many of the last tokens are drafts: guesses of what the last stage will draw.
    ///
    /// It draws a token after the last row that is none, and one more for each draft that equals
    /// what was drawn in its place.
    public var draftCount = 0

    /// Drafts that are wanted with the tokens drawn, for the sequence's next micro-batch.
    public var draftsWantedCount = 0

    /// The token after the last row of a chunk that is not a prompt's last, where drafts will be
    /// wanted later: the prediction layer reads the prompt too.
    public var followingToken: TokenID?

    /// Whether the prediction layer reads the rows, so that drafts may be wanted later though none
    /// are now.
    public var isPredicted = false

    /// Describes one sequence's rows.
    public init(
        sequence: SequenceID, firstPosition: Int, tokens: [TokenID], pageTable: [PageIndex],
        demand: SamplingDemand? = nil, targets: [TokenID] = [], targetTopLogprobsCount: Int = 0,
        pageCopy: PageCopy? = nil, label: String = ""
    ) {
        self.sequence = sequence
        self.firstPosition = firstPosition
        self.tokens = tokens
        self.pageTable = pageTable
        self.demand = demand
        self.targets = targets
        self.targetTopLogprobsCount = targetTopLogprobsCount
        self.pageCopy = pageCopy
        self.label = label
    }
}

extension SequenceSpan {
    /// The first position whose latent row the micro-batch writes.
    ///
    /// What lies before it must be in the cache already. Rows that a page copy brings are written
    /// too.
    public var firstWrittenPosition: Int { firstPosition - (pageCopy?.rowCount ?? 0) }

    /// The drafts, in the order of their positions.
    public var drafts: ArraySlice<TokenID> { tokens.suffix(draftCount) }

    /// What is wrong with drafts and with what is asked of the prediction layer, or `nil`.
    ///
    /// At least one row is no draft. What may be drawn is known of one position only.
    public var draftFault: String? {
        if draftCount > 0 || draftsWantedCount > 0 {
            guard let demand else { return "has or wants drafts and asks for no token" }
            if draftCount >= tokens.count { return "has \(draftCount) drafts and no other row" }
            if draftCount > 0, demand.allowed != nil || !targets.isEmpty {
                return "has drafts where tokens are constrained or scored"
            }
        }
        if isPredicted, demand == nil { return "is read along and asks for no token" }
        if followingToken != nil, demand != nil { return "knows the token that it asks for" }
        return nil
    }

    /// What is wrong with the page copy, or `nil`: it brings exactly the rows that the first
    /// token's page lacks, from another page.
    public var pageCopyFault: String? {
        guard let pageCopy else { return nil }
        let rowCount = firstPosition % Limits.pageRowCount
        let ordinal = firstPosition / Limits.pageRowCount
        guard rowCount > 0, pageCopy.rowCount == rowCount else {
            return "copies \(pageCopy.rowCount) rows before position \(firstPosition), "
                + (rowCount > 0 ? "expected \(rowCount)" : "where a page begins")
        }
        guard ordinal < pageTable.count, pageCopy.target == pageTable[ordinal] else {
            return "copies to page \(pageCopy.target.rawValue), which does not hold position "
                + "\(firstPosition)"
        }
        guard pageCopy.source != pageCopy.target else {
            return "copies page \(pageCopy.source.rawValue) to itself"
        }
        return nil
    }
}

/// Which inner values travel back to the coordinator beside the tokens.
public struct Capture: OptionSet, Sendable {
    /// One bit for each kind of value.
    public let rawValue: UInt32

    /// Wraps the bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// All logits of every row, F32 `[row, vocabulary]`.
    public static let logits = Capture(rawValue: 1 << 0)
    /// The residual after each layer and after the final norm, F32 `[row, hidden]`.
    public static let hidden = Capture(rawValue: 1 << 1)
    /// The chosen experts and their weights of each MoE layer, `[row, expertsPerToken]`.
    public static let router = Capture(rawValue: 1 << 2)
}

/// The unit that moves through the pipeline: one phase, several sequences.
public struct MicroBatch: Equatable, Sendable {
    /// Its number.
    public var id: MicroBatchID

    /// The placement that it was made for.
    public var epoch: Epoch

    /// Decode where sequences take their next step in it, though rows of prompts may ride with
    /// them; prefill where it has rows of prompts only.
    public var phase: Phase

    /// The sequences with their rows, in row order.
    public var spans: [SequenceSpan]

    /// What else is wanted back.
    public var capture: Capture

    /// Closes a micro-batch.
    public init(
        id: MicroBatchID, epoch: Epoch, phase: Phase, spans: [SequenceSpan], capture: Capture = []
    ) {
        self.id = id
        self.epoch = epoch
        self.phase = phase
        self.spans = spans
        self.capture = capture
    }

    /// Tokens over all spans.
    public var rowCount: Int { spans.reduce(0) { $0 + $1.tokens.count } }
}

/// A token drawn by the last stage.
public struct SampledToken: Equatable, Sendable {
    /// Whose token it is.
    public var sequence: SequenceID

    /// The position the token takes in its sequence.
    public var position: Int

    /// The token.
    public var token: TokenID

    /// Its natural log-probability before temperature and filters, where asked for.
    public var logprob: Float?

    /// The most probable tokens with their log-probabilities, where asked for.
    public var topLogprobs: [TokenLogprob]

    /// Describes a drawn token.
    public init(
        sequence: SequenceID, position: Int, token: TokenID, logprob: Float? = nil,
        topLogprobs: [TokenLogprob] = []
    ) {
        self.sequence = sequence
        self.position = position
        self.token = token
        self.logprob = logprob
        self.topLogprobs = topLogprobs
    }
}

/// A token with its natural log-probability.
public struct TokenLogprob: Equatable, Sendable {
    /// The token.
    public var token: TokenID

    /// ln p(token).
    public var logprob: Float

    /// Pairs a token with its log-probability.
    public init(token: TokenID, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}

/// What comes back for one micro-batch: its tokens, and the credit to send another.
public struct TokenReturn: Equatable, Sendable {
    /// The micro-batch that has gone round.
    public var microBatch: MicroBatchID

    /// The placement it ran under.
    public var epoch: Epoch

    /// One token for each span that demanded one, and one more for each draft of it that was right;
    /// in span order, and in the order of positions within a span.
    public var tokens: [SampledToken]

    /// Drafts of what follows the tokens, for each span that demanded a token, in span order;
    /// empty where no span has any.
    public var drafts: [[TokenID]] = []

    /// The score of the target for every row of spans with targets, in row order.
    public var targetScores: [TargetScore]

    /// How long it occupied every stage (``StepTime``), in ring order; empty where it was not
    /// measured.
    public var stageTimes: [Duration]

    /// Describes the outcome of a micro-batch.
    public init(
        microBatch: MicroBatchID, epoch: Epoch, tokens: [SampledToken],
        targetScores: [TargetScore] = [], stageTimes: [Duration] = []
    ) {
        self.microBatch = microBatch
        self.epoch = epoch
        self.tokens = tokens
        self.targetScores = targetScores
        self.stageTimes = stageTimes
    }
}
