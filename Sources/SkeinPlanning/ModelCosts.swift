import Foundation
public import SkeinCore
public import SkeinWeights

/// What steps of a model read and multiply, from its configuration alone.
///
/// Weights that every token meets are read once a step, whatever its rows. Of the routed experts a
/// step reads those that one of its rows chose: with `E` experts, `K` a token and `r` rows that
/// choose independently and evenly, `n` of them are met by
///
///     touched(n, r) = n * (1 - (1 - K / E)^r)
///
/// on average. So bytes grow with the rows until all experts are read, and only then is a row's
/// arithmetic all that it costs.
public struct ModelCosts: Sendable {
    /// The model's sums.
    public let arithmetic: ModelArithmetic

    /// The model.
    public var configuration: ModelConfiguration { arithmetic.configuration }

    private let denseLayer: WeightPart
    private let mixtureLayer: WeightPart
    private let routedExpert: WeightPart
    private let sharedExperts: WeightPart
    private let head: WeightPart
    private let layerAttention: AttentionCost

    /// Takes a model's sums apart.
    public init(_ arithmetic: ModelArithmetic) {
        let model = arithmetic.configuration
        self.arithmetic = arithmetic
        // The up-projection of latents is folded into queries and outputs, head by head, in F32.
        let headParameters = Double(
            model.headCount * (model.qkNopeHeadSize + model.valueHeadSize) * model.kvLoraRank)
        var dense = WeightPart(arithmetic.denseLayer)
        dense.moveToFloat32(parameterCount: headParameters)
        denseLayer = dense
        let expert = WeightPart(arithmetic.routedExpert)
        routedExpert = expert
        if let routing = model.routing {
            sharedExperts = expert.scaled(by: Double(routing.sharedExpertCount))
            var mixture = WeightPart(arithmetic.mixtureLayer)
            mixture.subtract(expert.scaled(by: Double(routing.expertCount)))
            // The gate is stored as BF16 and multiplied in F32.
            mixture.moveToFloat32(
                parameterCount: headParameters + Double(routing.expertCount * model.hiddenSize))
            mixtureLayer = mixture
        } else {
            sharedExperts = WeightPart()
            mixtureLayer = WeightPart()
        }
        head = WeightPart(
            model.tiesWordEmbeddings ? arithmetic.head + arithmetic.embedding : arithmetic.head)
        layerAttention = AttentionCost(layerOf: arithmetic)
    }

    /// Bytes of a row of the residual on the wire, in BF16.
    public var rowBytes: Double { 2 * Double(configuration.hiddenSize) }

    /// Bytes of such a row in the form in which it travels: in FP8 a byte for each number, and an
    /// F32 scale for each tile of them.
    public func rowBytes(_ form: RowForm) -> Double {
        switch form {
        case .bf16: rowBytes
        case .fp8:
            Double(
                configuration.hiddenSize + 4 * Limits.tileCount(of: configuration.hiddenSize))
        }
    }

    /// Routed experts of a MoE layer; 0 for a dense model.
    public var expertCount: Int { configuration.routing?.expertCount ?? 0 }

    /// How many of `count` experts of a layer a step of so many rows meets, on average.
    public func touchedExpertCount(of count: Double, rowCount: Double) -> Double {
        guard let routing = configuration.routing else { return 0 }
        let share = Double(routing.expertsPerTokenCount) / Double(routing.expertCount)
        return count * (1 - pow(1 - share, rowCount))
    }

    /// Rows that `count` experts of a layer serve, one for each choice.
    func chosenRowCount(of count: Double, rowCount: Double) -> Double {
        guard let routing = configuration.routing else { return 0 }
        return rowCount * Double(routing.expertsPerTokenCount) * count
            / Double(routing.expertCount)
    }

    /// Rows of which at least one choice is among `count` experts of a layer.
    func sentRowCount(to count: Double, rowCount: Double) -> Double {
        guard let routing = configuration.routing else { return 0 }
        let share = count / Double(routing.expertCount)
        return rowCount
            * (1 - pow(max(0, 1 - share), Double(routing.expertsPerTokenCount)))
    }

    /// Bytes that one token reads at batch size `rowCount`, of the whole model without its cache.
    public func weightBytes(rowCount: Double) -> Double {
        let model = configuration
        let mixtureCount = Double(model.layerIsMixture.count { $0 })
        let denseCount = Double(model.layerCount) - mixtureCount
        let touched = touchedExpertCount(of: Double(expertCount), rowCount: rowCount)
        return denseCount * denseLayer.byteCount + head.byteCount
            + mixtureCount * (mixtureLayer.byteCount + touched * routedExpert.byteCount)
    }

    // MARK: Work

    /// A dense layer.
    func denseLayerWork(_ shape: StepShape) -> StepWork {
        denseLayer.work(rowCount: shape.rowCount) + attention(shape)
    }

    /// A MoE layer without its routed experts.
    func mixtureLayerWork(_ shape: StepShape) -> StepWork {
        mixtureLayer.work(rowCount: shape.rowCount) + attention(shape)
    }

    /// The shared experts of a MoE layer; part of ``mixtureLayerWork(_:)`` too.
    func sharedExpertsWork(rowCount: Double) -> StepWork {
        sharedExperts.work(rowCount: rowCount)
    }

    /// What `count` routed experts of a layer do for the rows that chose them.
    func routedExpertsWork(of count: Double, rowCount: Double) -> StepWork {
        var work = touchedExpertCount(of: count, rowCount: rowCount) * routedExpert.reading
        let flops = chosenRowCount(of: count, rowCount: rowCount) * routedExpert.flopsPerRow
        work.float8Flops = flops.float8Flops
        work.bfloat16Flops = flops.bfloat16Flops
        work.float32Flops = flops.float32Flops
        return work
    }

    /// The final norm and the head.
    func headWork(rowCount: Double) -> StepWork {
        rowCount == 0 ? StepWork() : head.work(rowCount: rowCount)
    }

    private func attention(_ shape: StepShape) -> StepWork {
        var work = StepWork()
        work.latentBytes = layerAttention.bytes(
            rowCount: shape.rowCount, positionSum: shape.positionSum)
        work.attentionFlops = layerAttention.flops(
            rowCount: shape.rowCount, positionSum: shape.positionSum)
        work.layerCount = 1
        return work
    }
}

/// Some tensors: their bytes, and the numbers that a row multiplies with, by format.
struct WeightPart: Sendable {
    private var float8Bytes = 0.0
    private var bfloat16Bytes = 0.0
    private var float32Bytes = 0.0
    private var float8Count = 0.0
    private var bfloat16Count = 0.0
    private var float32Count = 0.0

    init() {}

    init(_ tally: WeightTally) {
        // INT4 is read and multiplied at the rates of FP8, for want of rates of its own.
        float8Bytes = Double(tally.float8Bytes + tally.int4Bytes + tally.scaleBytes)
        bfloat16Bytes = Double(tally.bfloat16Bytes)
        float32Bytes = Double(tally.float32Bytes)
        float8Count = Double(tally.float8Bytes + 2 * tally.int4Bytes)
        bfloat16Count = Double(tally.bfloat16Bytes / 2)
        float32Count = Double(tally.float32Bytes / 4)
    }

    /// Bytes of all formats.
    var byteCount: Double { float8Bytes + bfloat16Bytes + float32Bytes }

    /// Reading it once.
    var reading: StepWork {
        StepWork(
            float8Bytes: float8Bytes, bfloat16Bytes: bfloat16Bytes, float32Bytes: float32Bytes)
    }

    /// Multiplying one row with it.
    var flopsPerRow: StepWork {
        StepWork(
            float8Flops: 2 * float8Count, bfloat16Flops: 2 * bfloat16Count,
            float32Flops: 2 * float32Count)
    }

    /// Reading it once and multiplying all rows with it.
    func work(rowCount: Double) -> StepWork { reading + rowCount * flopsPerRow }

    /// Numbers that are stored in a narrow format, but multiplied in F32.
    mutating func moveToFloat32(parameterCount: Double) {
        let fromFloat8 = min(float8Count, parameterCount)
        let fromBFloat16 = min(bfloat16Count, parameterCount - fromFloat8)
        float8Count -= fromFloat8
        bfloat16Count -= fromBFloat16
        float32Count += fromFloat8 + fromBFloat16
    }

    /// So many times it.
    func scaled(by count: Double) -> WeightPart {
        var part = self
        part.float8Bytes *= count
        part.bfloat16Bytes *= count
        part.float32Bytes *= count
        part.float8Count *= count
        part.bfloat16Count *= count
        part.float32Count *= count
        return part
    }

    /// Takes a part of it away.
    mutating func subtract(_ part: WeightPart) {
        float8Bytes -= part.float8Bytes
        bfloat16Bytes -= part.bfloat16Bytes
        float32Bytes -= part.float32Bytes
        float8Count -= part.float8Count
        bfloat16Count -= part.bfloat16Count
        float32Count -= part.float32Count
    }
}
