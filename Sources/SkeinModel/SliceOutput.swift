public import SkeinCore
public import SkeinTensor

/// What a step leaves behind; the tensors are the model's own, valid until its next step.
public struct SliceOutput {
    /// The residual after the slice's last layer, `[row, hidden]`; BF16 values.
    public let residual: Tensor

    /// `[demanded row, vocabulary]`; absent where the slice has no head.
    public let logits: Tensor?

    /// The row of the step that each row of the logits belongs to, ascending.
    public let logitRows: [Int]

    /// What was asked for beside the result.
    public let captured: [CapturedValue]

    init(
        residual: Tensor, logits: Tensor? = nil, logitRows: [Int] = [],
        captured: [CapturedValue] = []
    ) {
        self.residual = residual
        self.logits = logits
        self.logitRows = logitRows
        self.captured = captured
    }
}

/// A copy of an inner value, one row for each row of the step.
public struct CapturedValue: Sendable, Equatable {
    /// The numbers, row-major.
    public enum Numbers: Sendable, Equatable {
        /// All kinds but indexes.
        case float32([Float])
        /// Indexes.
        case int32([Int32])
    }

    /// Which value it is.
    public let kind: CapturedKind

    /// Numbers of a row.
    public let columnCount: Int

    /// The numbers, row-major.
    public let numbers: Numbers

    init(_ kind: CapturedKind, rows: Tensor) {
        self.kind = kind
        columnCount = rows.columnCount
        numbers = .float32(rows.values())
    }

    private init(_ kind: CapturedKind, columnCount: Int, numbers: Numbers) {
        self.kind = kind
        self.columnCount = columnCount
        self.numbers = numbers
    }

    /// The two values of a MoE layer's choice.
    static func route(_ choice: ExpertChoice, of layer: LayerIndex) -> [CapturedValue] {
        [
            CapturedValue(
                .routerIndexes(layer), columnCount: choice.slotCount,
                numbers: .int32(choice.experts.map { Int32($0) })),
            CapturedValue(
                .routerWeights(layer), columnCount: choice.slotCount,
                numbers: .float32(choice.weights)),
        ]
    }
}
