public import SkeinCore

/// What a cluster shall bear, and what of its shape is decided already.
public struct PlanWish: Equatable, Sendable {
    /// Positions that one sequence may have.
    public var positionCount: Int

    /// Sequences of that length that the cache holds, and that decode together in the forecast.
    public var sequenceCount: Int

    /// Tokens of a prompt, in the forecast.
    public var promptTokenCount: Int

    /// Tokens of a completion, in the forecast.
    public var newTokenCount: Int

    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax: Int

    /// How slices lie on nodes, where that is decided.
    public var kind: PlacementKind?

    /// Nodes of the ring, where that is decided.
    public var nodeCount: Int?

    /// Hosts that hold experts alone, where that is decided.
    public var expertHostCount: Int?

    /// Pages, where that is decided.
    public var givenPageCount: Int?

    /// The form in which nodes keep their latent rows.
    public var latentForm: LatentForm

    /// How activations travel between stages; a planner never reduces them unasked.
    public var hopForm = RowForm.bf16

    /// Describes a wish.
    public init(
        positionCount: Int, sequenceCount: Int, promptTokenCount: Int = 512,
        newTokenCount: Int = 128, prefillRowsMax: Int = 256, kind: PlacementKind? = nil,
        nodeCount: Int? = nil, expertHostCount: Int? = nil, givenPageCount: Int? = nil,
        latentForm: LatentForm = .bf16
    ) {
        self.positionCount = positionCount
        self.sequenceCount = sequenceCount
        self.promptTokenCount = promptTokenCount
        self.newTokenCount = newTokenCount
        self.prefillRowsMax = prefillRowsMax
        self.kind = kind
        self.nodeCount = nodeCount
        self.expertHostCount = expertHostCount
        self.givenPageCount = givenPageCount
        self.latentForm = latentForm
    }

    /// Pages of the latent cache: as decided, or for all sequences at full length.
    public var pageCount: Int {
        let rows = Limits.pageRowCount
        return givenPageCount ?? (positionCount + rows - 1) / rows * sequenceCount
    }

    /// Positions of a sequence in the mean over its completion.
    var meanPositionCount: Double {
        Double(promptTokenCount) + Double(newTokenCount) / 2
    }
}
