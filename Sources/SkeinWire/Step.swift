public import SkeinCore

/// A micro-batch for one stage, with the residual that the stage before it left.
public struct Step: Equatable, Sendable {
    /// What to run.
    public var microBatch: MicroBatch

    /// BF16 `[row, hidden]`; `nil` for stage 0, which begins with tokens.
    public var hidden: TensorFrame?

    /// How long every stage before this one computed for it, in ring order; where experts are
    /// elsewhere, how long it held one of the stage's places up, if that is longer.
    public var stageTimes: [Duration]

    /// Pairs a micro-batch with its hidden rows.
    public init(microBatch: MicroBatch, hidden: TensorFrame? = nil, stageTimes: [Duration] = []) {
        self.microBatch = microBatch
        self.hidden = hidden
        self.stageTimes = stageTimes
    }
}
