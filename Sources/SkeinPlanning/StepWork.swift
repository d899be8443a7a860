/// What one step reads and multiplies, in sums that a host's rates turn into seconds.
///
/// Bytes and operations are expected values, since the experts of a step are drawn by the gate.
struct StepWork: Equatable, Sendable {
    /// Bytes of FP8 weights and their scales that are read.
    var float8Bytes = 0.0

    /// Operations with them.
    var float8Flops = 0.0

    /// Bytes of BF16 weights that are read.
    var bfloat16Bytes = 0.0

    /// Operations with them.
    var bfloat16Flops = 0.0

    /// Bytes of F32 weights that are read.
    var float32Bytes = 0.0

    /// Operations in F32, products head by head included.
    var float32Flops = 0.0

    /// Bytes of latent rows, and of index keys, that attention reads.
    var latentBytes = 0.0

    /// Operations of attention.
    var attentionFlops = 0.0

    /// Layers begun.
    var layerCount = 0.0

    static func + (left: StepWork, right: StepWork) -> StepWork {
        StepWork(
            float8Bytes: left.float8Bytes + right.float8Bytes,
            float8Flops: left.float8Flops + right.float8Flops,
            bfloat16Bytes: left.bfloat16Bytes + right.bfloat16Bytes,
            bfloat16Flops: left.bfloat16Flops + right.bfloat16Flops,
            float32Bytes: left.float32Bytes + right.float32Bytes,
            float32Flops: left.float32Flops + right.float32Flops,
            latentBytes: left.latentBytes + right.latentBytes,
            attentionFlops: left.attentionFlops + right.attentionFlops,
            layerCount: left.layerCount + right.layerCount)
    }

    static func * (count: Double, work: StepWork) -> StepWork {
        StepWork(
            float8Bytes: count * work.float8Bytes, float8Flops: count * work.float8Flops,
            bfloat16Bytes: count * work.bfloat16Bytes,
            bfloat16Flops: count * work.bfloat16Flops,
            float32Bytes: count * work.float32Bytes, float32Flops: count * work.float32Flops,
            latentBytes: count * work.latentBytes, attentionFlops: count * work.attentionFlops,
            layerCount: count * work.layerCount)
    }
}

/// The shape of one micro-batch, as far as its cost depends on it.
public struct StepShape: Hashable, Sendable {
    /// Rows, each a token; of several micro-batches the mean.
    public var rowCount: Double

    /// Positions that all rows see, summed over rows.
    public var positionSum: Double

    /// Rows for which the head gives logits.
    public var headRowCount: Double

    /// Describes a micro-batch.
    public init(rowCount: Double, positionSum: Double, headRowCount: Double) {
        self.rowCount = rowCount
        self.positionSum = positionSum
        self.headRowCount = headRowCount
    }

    /// A decode micro-batch of sequences of equal length.
    public static func decode(rowCount: Double, positionCount: Double) -> StepShape {
        StepShape(
            rowCount: rowCount, positionSum: rowCount * positionCount, headRowCount: rowCount)
    }
}
