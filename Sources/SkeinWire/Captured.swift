public import SkeinCore

/// Inner values of a micro-batch on one stage.
public struct Captured: Equatable, Sendable {
    /// One tensor and what it is.
    public struct Value: Equatable, Sendable {
        /// What the tensor holds.
        public var kind: CapturedKind

        /// One row for each row of the micro-batch.
        public var tensor: TensorFrame

        /// Names a tensor.
        public init(_ kind: CapturedKind, _ tensor: TensorFrame) {
            self.kind = kind
            self.tensor = tensor
        }
    }

    /// The micro-batch the values belong to.
    public var microBatch: MicroBatchID

    /// The stage that ran it.
    public var stage: StageIndex

    /// The values; every kind at most once.
    public var values: [Value]

    /// Collects the values of one step.
    public init(microBatch: MicroBatchID, stage: StageIndex, values: [Value]) {
        self.microBatch = microBatch
        self.stage = stage
        self.values = values
    }
}

extension CapturedKind {
    /// The element type that values of this kind have.
    public var element: TensorFrame.Element {
        if case .routerIndexes = self { .i32 } else { .f32 }
    }
}
