/// How a cluster serves: what a cluster file, a command line or a plan decides, passed whole to the
/// coordinator and to its nodes.
///
/// A new setting is one property here, or in ``StageSettings`` where stages need it too, one row in
/// the table of the cluster file, and its use.
@dynamicMemberLookup
public struct ServingSettings: Equatable, Sendable {
    /// What every stage must know of them, as the placement message carries it.
    public var stage: StageSettings

    /// Positions that one sequence may have, prompt and completion together.
    public var positionCount: Int

    /// Micro-batches in the ring at most; `nil` leaves the choice to the schedule.
    public var microBatchesInFlightMax: Int?

    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax = Limits.prefillRowsDefault

    /// Whether requests of one client share the latent rows of equal beginnings.
    public var reusesPrefixes = true

    /// How many tokens the prediction layer guesses ahead.
    public var speculation = Speculation.auto

    /// The form in which every node keeps its weights.
    public var weightForm = WeightForm.native

    /// Where nodes keep packed weights for their next start; `nil`: they pack them every time.
    public var packedCachePath: String?

    /// Settings for sequences of so many positions over so many pages.
    public init(positionCount: Int, pageCount: Int) {
        self.positionCount = positionCount
        stage = StageSettings(pageCount: pageCount)
    }

    /// Settings whose latent cache holds so many sequences at full length.
    public init(positionCount: Int, sequenceCount: Int) {
        self.init(
            positionCount: positionCount,
            pageCount: PageIndex.count(ofRows: positionCount) * sequenceCount)
    }

    /// Positions that all pages hold together.
    public var heldPositionCount: Int { stage.pageCount * Limits.pageRowCount }

    /// Refuses what a model, or the latent cache, cannot hold.
    ///
    /// - Parameters:
    ///   - model: what is to be served.
    ///   - subject: what is named in the error: a file and its field, or an option.
    public func check(_ model: ModelConfiguration, subject: String = "context") throws(Refusal) {
        guard positionCount <= model.positionCountMax else {
            throw Refusal(
                subject,
                "found \(positionCount) positions, expected at most the model's "
                    + "\(model.positionCountMax)")
        }
        guard positionCount <= heldPositionCount else {
            throw Refusal(
                subject,
                "found \(positionCount), expected at most \(heldPositionCount), "
                    + "since \(stage.pageCount) pages hold no more")
        }
    }

    /// What stages must know is read and set as if it stood here.
    public subscript<Value>(dynamicMember path: WritableKeyPath<StageSettings, Value>) -> Value {
        get { stage[keyPath: path] }
        set { stage[keyPath: path] = newValue }
    }
}

/// What of the settings is part of every stage's memory and arithmetic, the same on all of them.
public struct StageSettings: Equatable, Sendable {
    /// Pages of every stage's pool, `Limits.pageRowCount` positions each.
    public var pageCount: Int

    /// Micro-batches that a stage with remote experts may have begun at a time.
    public var stepsAtOnce = Limits.stepsAtOnceDefault

    /// How activations travel between stages.
    public var hopForm = RowForm.bf16

    /// How rows travel to remote experts.
    public var dispatchForm = RowForm.bf16

    /// The form in which every node keeps its latent rows.
    public var latentForm = LatentForm.bf16

    /// Whether the last stage loads the prediction layer and guesses ahead when it is asked.
    public var speculates = false

    /// Settings of a pool of so many pages.
    public init(pageCount: Int) { self.pageCount = pageCount }
}
