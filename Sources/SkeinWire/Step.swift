public import SkeinCore

/// A micro-batch for one stage, with the residual that the stage before it left.
public struct Step: Equatable, Sendable {
    /// What to run.
    public var microBatch: MicroBatch

    /// `[row, hidden]`, BF16, or FP8 with scales; `nil` for stage 0, which begins with tokens.
    public var hidden: TensorFrame?

    /// `[row, tile]`, F32, where the hidden rows are FP8.
    public var scales: TensorFrame?

    /// How long every stage before this one computed for it, in ring order; where experts are
    /// elsewhere, how long it held one of the stage's places up, if that is longer.
    public var stageTimes: [Duration]

    /// Pairs a micro-batch with its hidden rows.
    public init(
        microBatch: MicroBatch, hidden: TensorFrame? = nil, scales: TensorFrame? = nil,
        stageTimes: [Duration] = []
    ) {
        self.microBatch = microBatch
        self.hidden = hidden
        self.scales = scales
        self.stageTimes = stageTimes
    }
}
