public import SkeinCore

/// Inner values of a micro-batch on one stage.
public struct Captured: Equatable, Sendable {
    /// Which inner value a tensor holds; the layer is where the value arose.
    public enum Kind: Hashable, Sendable {
        /// F32 `[row, vocabulary]`.
        case logits
        /// The residual after a layer, F32 `[row, hidden]`.
        case hidden(LayerIndex)
        /// The residual after the final norm, F32 `[row, hidden]`.
        case finalHidden
        /// The chosen experts of a layer, I32 `[row, expert]`.
        case routerIndexes(LayerIndex)
        /// Their weights, F32 `[row, expert]`.
        case routerWeights(LayerIndex)

        /// The element type that values of this kind have.
        public var element: TensorFrame.Element {
            if case .routerIndexes = self { .i32 } else { .f32 }
        }
    }

    /// One tensor and what it is.
    public struct Value: Equatable, Sendable {
        /// What the tensor holds.
        public var kind: Kind

        /// One row for each row of the micro-batch.
        public var tensor: TensorFrame

        /// Names a tensor.
        public init(_ kind: Kind, _ tensor: TensorFrame) {
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
